/** The watch over a worker, on programs that stand in for PyTorch's: what they are told, and when silence counts. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { WorkerProcess, type WorkerProcessOptions } from "./worker-process.ts";

const opened: WorkerProcess[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of opened.splice(0)) await one.close();
});

/** A Python that is a script. */
function pythonOf(script: string): string {
  const path = join(temporaryFolder(), "python");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

function worker(script: string, options: Partial<WorkerProcessOptions> = {}): WorkerProcess {
  const python = pythonOf(script);
  const made = new WorkerProcess({ ...{ python, packageFolder: "/", threads: 1, remedy: "install it" }, ...options });
  opened.push(made);
  return made;
}

/** Answers every call at once, `wait` after half a second, and pings with `pong`, or with `late` if it heard nothing for a second. */
function answering(pong: object, late: object): string {
  const file = join(temporaryFolder(), "worker.mjs");
  writeFileSync(
    file,
    `import { Socket } from "node:net";
const socket = new Socket({ fd: 3, readable: true, writable: true });
const send = (message) => {
  const header = Buffer.from(JSON.stringify({ message, arrays: [] }));
  const prefix = Buffer.alloc(12);
  prefix.writeUInt32LE(header.length, 0);
  socket.write(Buffer.concat([prefix, header]));
};
let all = Buffer.alloc(0);
let heardAt = performance.now();
socket.on("end", () => process.exit(0));
socket.on("data", (chunk) => {
  const isLate = performance.now() - heardAt > 1000;
  heardAt = performance.now();
  all = Buffer.concat([all, chunk]);
  while (all.length >= 12 && all.length >= 12 + all.readUInt32LE(0)) {
    const end = 12 + all.readUInt32LE(0);
    const { message: { id, verb } } = JSON.parse(all.subarray(12, end));
    all = all.subarray(end);
    if (verb === "ping") send({ id, result: isLate ? ${JSON.stringify(late)} : ${JSON.stringify(pong)} });
    else if (verb !== "cancel") setTimeout(() => send({ id, result: verb }), verb === "wait" ? 500 : 0);
  }
});
`,
  );
  return `exec "${process.execPath}" "${file}"`;
}

const well = { busy: null, residentMb: 1, silent: { rank: 0, seconds: 0 }, missing: [] };
const sleep = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

test("the only process of a run is told its threads, and nothing of the processes around it", async () => {
  const surroundings = { RANK: "1", LOCAL_RANK: "1", WORLD_SIZE: "2", MASTER_ADDR: "elsewhere", MASTER_PORT: "1" };
  for (const [name, value] of Object.entries(surroundings)) vi.stubEnv(name, value);
  const names = Object.keys(surroundings).map((name) => `\${${name}-none}`);
  const alone = worker(`echo "${names.join(" ")} $BALLAST_THREADS" >&2; exit 3`, { threads: 3 });
  await expect(alone.call("open")).rejects.toThrow("as it started: none none none none none 3");
});

test("while this process sleeps nobody counts as silent; afterwards the count starts again", {
  timeout: 60_000,
}, async () => {
  // As PyTorch's processes say right after such a sleep: another was not heard, and the call did not move.
  const asleep = { ...well, silent: { rank: 1, seconds: 1.9 }, busy: { verb: "wait", seconds: 1.9, still: 1.9 } };
  const one = worker(answering(well, asleep), { pingEvery: 100, patience: 1500, deadline: 1500 });
  await one.call("open");
  const call = one.call("wait");
  process.kill(one.pid!, "SIGSTOP");
  sleep(1800);
  process.kill(one.pid!, "SIGCONT");
  expect(await call).toBe("wait");
  process.kill(one.pid!, "SIGSTOP");
  await expect(one.call("open")).rejects.toThrow(/has not answered for \d+ s/);
});
