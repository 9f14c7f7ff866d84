/** One keystroke saves, the next leaves; an echo of the first does not count as a second. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { closeAtSignal, type Signals, watchSignals } from "./interrupt.ts";

let signals: Signals | null = null;
afterEach(() => signals?.dispose());

function watch() {
  const log: string[] = [];
  const output = new PassThrough();
  const clock = { now: 0 };
  signals = watchSignals({
    onInterrupt: () => log.push("interrupt"),
    onLeave: () => log.push("leave"),
    output: output as unknown as NodeJS.WriteStream,
    now: () => clock.now,
    leave: (signal) => log.push(signal),
  });
  return { log, clock, signals, output };
}

it("interrupts at the first signal and leaves at the second", () => {
  const { log, clock, signals } = watch();
  expect(signals.interrupted()).toBe(false);
  process.emit("SIGINT", "SIGINT");
  expect(signals.interrupted()).toBe(true);
  clock.now = 2000;
  process.emit("SIGTERM", "SIGTERM");
  expect(log).toEqual(["interrupt", "leave", "SIGTERM"]);
});

it("takes a signal that arrives twice at once, as npm sends it, for one", () => {
  const { log, clock } = watch();
  process.emit("SIGINT", "SIGINT");
  clock.now = 20;
  process.emit("SIGINT", "SIGINT");
  expect(log).toEqual(["interrupt"]);
});

it("a closed terminal saves and ends, however often it is told of", () => {
  const { log, clock } = watch();
  for (clock.now = 0; clock.now < 5000; clock.now += 1000) process.emit("SIGHUP", "SIGHUP");
  expect(log).toEqual(["interrupt"]);
  process.emit("SIGTERM", "SIGTERM");
  expect(log).toEqual(["interrupt", "leave", "SIGTERM"]);
});

it.each([
  ["EPIPE", ["interrupt"]],
  ["EIO", ["interrupt"]],
  ["ENOSPC", []],
])("output that fails with %s: %j", (code, expected) => {
  const { log, output } = watch();
  output.on("error", () => {});
  for (let i = 0; i < 3; i++) output.emit("error", Object.assign(new Error(code), { code }));
  expect(log).toEqual(expected);
});

it("leaves no handlers behind", () => {
  const before = process.listenerCount("SIGINT");
  watch().signals.dispose();
  expect(process.listenerCount("SIGINT")).toBe(before);
});

it("leaves at once although a worker thread is blocked", async () => {
  const program = `
    import { Worker } from "node:worker_threads";
    import { watchSignals } from ${JSON.stringify(new URL("./interrupt.ts", import.meta.url).href)};
    watchSignals({ onInterrupt: () => console.log("first"), onLeave: () => {} });
    new Worker("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); for (;;) {}", { eval: true });
    setInterval(() => {}, 1000);
    console.log("ready");
  `;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGINT");
  await once(child.stdout, "data");
  await new Promise((resolve) => setTimeout(resolve, 400));
  const gone = once(child, "exit");
  child.kill("SIGINT");
  expect(await gone).toEqual([null, "SIGINT"]);
});

it("a signal closes an engine on a server before the process ends by it; a further one does not wait", async () => {
  const log: string[] = [];
  let closed = () => {};
  const engine = {
    close: () => {
      log.push("close");
      return new Promise<void>((done) => {
        closed = done;
      });
    },
  };
  const leave = (signal: string) => void log.push(signal);
  closeAtSignal(engine, { kind: "tinker", leave });
  process.emit("SIGTERM", "SIGTERM");
  expect(log).toEqual(["close"]);
  closed();
  await new Promise((done) => setImmediate(done));
  expect(log).toEqual(["close", "SIGTERM"]);
  closeAtSignal(engine, { kind: "tinker", leave });
  process.emit("SIGINT", "SIGINT");
  process.emit("SIGINT", "SIGINT");
  expect(log).toEqual(["close", "SIGTERM", "close", "SIGINT"]);
  const before = process.listenerCount("SIGINT");
  closeAtSignal(engine, { kind: "embedded", leave });
  expect(process.listenerCount("SIGINT")).toBe(before);
});
