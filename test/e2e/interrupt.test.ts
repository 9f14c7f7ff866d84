/** Signals, one run at a time, and damaged checkpoints: nothing is lost, and the result is the same. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ballast, bin, metricsOf, seen, start, startAsNew, tinyFolder, weights } from "./ballast.ts";

const folder = tinyFolder();
const runs = join(folder, "runs");

beforeAll(async () => {
  const whole = await ballast(folder, "run", "tiny.yaml", "name=whole");
  expect(whole.code, whole.stderr).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

function expectSameEnd(id: string): void {
  expect(weights(join(runs, id), "ppo").equals(weights(join(runs, "whole-1"), "ppo"))).toBe(true);
  expect(metricsOf(runs, id)).toEqual(metricsOf(runs, "whole-1"));
}

it.each(["SIGINT", "SIGTERM"] as const)(
  "%s saves, says how to go on, ends with 130; resumed, the end is the same",
  async (signal) => {
    const run = start(folder, "run", "tiny.yaml", `name=${signal}`);
    await seen(run, /reward: 30 steps/);
    run.child.kill(signal);
    const { code, stderr, stdout } = await run.ended;
    expect(code, stderr).toBe(130);
    expect(stdout).toBe("");
    expect(stderr).toContain("finishing this step, then saving");
    expect(stderr).toMatch(new RegExp(`Continue with: .*resume ${signal}-1`));
    expect(stderr).not.toContain("error");
    const resumed = await ballast(folder, "resume", `${signal}-1`);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stdout).toContain(`The run is ${signal}-1`);
    expectSameEnd(`${signal}-1`);
  },
);

const canHangUp = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

it.skipIf(!canHangUp)("a terminal that is closed saves, and ends with 130 (needs script)", async () => {
  const line = `trap '' HUP; '${process.execPath}' '${bin}' sft tiny.yaml name=closed sft.steps=100000; echo $? >closed`;
  // It holds the other end of the terminal: when it ends, the terminal closes.
  const terminal = spawn("script", ["-qec", line, "/dev/null"], { cwd: folder, stdio: "ignore" });
  const until = async (path: string) => {
    while (!existsSync(join(folder, path))) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await until("runs/closed-1/sft/checkpoint-000007");
  terminal.kill("SIGKILL");
  await until("closed");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(readFileSync(join(folder, "closed"), "utf8")).toBe("130\n");
});

it("interrupted before its first step, a run leaves nothing behind", async () => {
  const slow = ["model.width=256", "sft.batchSize=2000", "sft.microBatch=2000"];
  const run = start(folder, "sft", "tiny.yaml", "name=atonce", ...slow);
  await seen(run, /run atonce-1 in/);
  run.child.kill("SIGINT");
  const { code, stderr } = await run.ended;
  expect(code, stderr).toBe(130);
  expect(stderr).toContain("interrupted before its first step: nothing was trained, and no run is left behind");
  expect(readdirSync(runs).filter((name) => name.includes("atonce"))).toEqual([]);
});

it("saves at a Ctrl-C that ends its compiler too", async () => {
  const run = startAsNew(folder, "run", "tiny.yaml", "name=group");
  await seen(run, /reward: 30 steps/);
  process.kill(-run.child.pid!, "SIGINT");
  const { code, stderr } = await run.ended;
  expect(code, stderr).toBe(130);
  expect(stderr).toMatch(/Continue with: .*resume group-1/);
});

it("leaves at once at the second Ctrl-C, in the middle of a step", async () => {
  const run = start(
    folder,
    "sft",
    "tiny.yaml",
    "name=twice",
    "sft.steps=100000",
    "model.width=128",
    "sft.batchSize=2000",
    "sft.microBatch=2000",
  );
  await seen(run, /sft {2}step \d+\//);
  run.child.kill("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 350));
  const leftAt = Date.now();
  run.child.kill("SIGINT");
  const { code, signal } = await run.ended;
  // A short step may have been finished and saved in between.
  if (code !== 130) expect(signal).toBe("SIGINT");
  expect(Date.now() - leftAt).toBeLessThan(2000);
});

it("refuses a run that a live process is training", async () => {
  const run = start(folder, "run", "tiny.yaml", "name=held", "sft.steps=100000");
  await seen(run, /sft {2}step/);
  const second = await ballast(folder, "resume", "held-1");
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(`the run in runs/held-1 is in use by a live process (process ${run.child.pid})`);
  const gone = once(run.child, "close");
  run.child.kill("SIGKILL");
  await gone;
});

it("goes on from an older checkpoint if the newest is damaged, and says so if none is left", async () => {
  const run = start(folder, "sft", "tiny.yaml", "name=damaged", "sft.steps=100000");
  await seen(run, /sft {2}step/);
  while (checkpoints().length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  run.child.kill("SIGINT");
  await run.ended;
  const [older, newest] = checkpoints() as [string, string];
  truncateSync(join(newest, "model", "model.safetensors"), 100);
  const resumed = start(folder, "resume", "damaged-1");
  await seen(resumed, /sft resumed/);
  resumed.child.kill("SIGKILL");
  const { stderr } = await resumed.ended;
  expect(stderr).toContain("model.safetensors has 100 bytes where");
  expect(stderr).toMatch(new RegExp(`Going on from .*${older.split("/").at(-1)} instead`));

  for (const checkpoint of checkpoints()) {
    const path = join(checkpoint, "state.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"step"', '"stop"'));
  }
  const refused = await ballast(folder, "resume", "damaged-1");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("no checkpoint of sft can be used");
  expect(refused.stderr).not.toMatch(/^ {4}at /m);

  function checkpoints(): string[] {
    const stage = join(runs, "damaged-1", "sft");
    const names = readdirSync(stage).filter((name) => name.startsWith("checkpoint-"));
    return names.sort().map((name) => join(stage, name));
  }
});
