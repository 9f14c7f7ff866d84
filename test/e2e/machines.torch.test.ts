/** Processes of several machines that wait for each other: they say so, end with Ctrl-C or a kill at once, and leave no process behind. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { startTimeout, torchPython } from "../support/torch.ts";
import { torchSettings, workersOf } from "../support/torch-kills.ts";
import { ballast, type Running, seen, start, tinyFolder } from "./ballast.ts";

const folder = tinyFolder();
afterAll(() => rmSync(folder, { recursive: true }));

const place = `127.0.0.1:${await freePort()}`;
const runArguments = ["run", "tiny.yaml", ...torchSettings("fp32"), "engine.nodes=2", `engine.rendezvous=${place}`];
const joinArguments = ["engine", "join", "torch", "--rendezvous", place, "--node", "1", "--python", torchPython];
const waiting = new RegExp(
  `waiting for 1 machine at ${place}; on it: ballast engine join torch --rendezvous ${place} --node 1 --nodes 2`,
);

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Whether a process is there, and not only waited for. */
const lives = (pid: number) => existsSync(`/proc/${pid}/fd/3`);
const gone = (pids: readonly number[]) => expect.poll(() => pids.filter(lives), { timeout: 60_000 }).toEqual([]);

/** The processes of a program that has started PyTorch's. */
async function workers({ child }: Running): Promise<readonly number[]> {
  await expect.poll(() => workersOf(child.pid!).length, { timeout: 60_000 }).toBe(1);
  return workersOf(child.pid!);
}

it("a run says for whom it waits; Ctrl-C leaves at once, and nothing stays", { timeout: startTimeout }, async () => {
  const run = start(folder, ...runArguments);
  await seen(run, waiting);
  const pids = workersOf(run.child.pid!);
  const at = performance.now();
  run.child.kill("SIGINT");
  const { code, stderr } = await run.ended;
  expect(performance.now() - at).toBeLessThan(8000);
  expect([code, stderr]).toEqual([130, expect.stringContaining("interrupted before its first step")]);
  await gone(pids);
  expect(readdirSync(join(folder, "runs")).filter((name) => name.startsWith("tiny-"))).toEqual([]);
});

it("a run that is killed while it waits takes its worker along", { timeout: startTimeout }, async () => {
  const run = start(folder, ...runArguments);
  await seen(run, waiting);
  const pids = workersOf(run.child.pid!);
  expect(pids.filter(lives)).toHaveLength(1);
  run.child.kill("SIGKILL");
  await run.ended;
  await gone(pids);
});

it("waiting has a limit, with a sentence at its end", { timeout: startTimeout }, async () => {
  const { code, stderr } = await ballast(folder, ...runArguments, "engine.deadline=2");
  expect(code).toBe(2);
  expect(stderr).toMatch(
    new RegExp(`1 of the 2 processes did not come to ${place} within 2 s\\n.*ballast engine join`),
  );
  expect(stderr).not.toContain("resume");
});

it("Ctrl-C ends a machine that waits for a run, and its processes", { timeout: startTimeout }, async () => {
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    const joined = start(folder, ...joinArguments);
    await seen(joined, /machine 1 of 2 \(1 process\) waits/);
    const pids = await workers(joined);
    // Until it tries to reach the run: importing takes the time before.
    await expect
      .poll(() => existsSync(`/proc/${pids[0]}/task`) && readdirSync(`/proc/${pids[0]}/task`).length, {
        timeout: 100_000,
      })
      .toBeGreaterThan(1);
    joined.child.kill(signal);
    await joined.ended;
    await gone(pids);
  }
});

it("a place that does not resolve is refused at once", async () => {
  const { code, stderr } = await ballast(folder, ...joinArguments, "--rendezvous", "nowhere.invalid:29500");
  expect([code, stderr]).toEqual([2, expect.stringContaining("no machine has the name nowhere.invalid here")]);
});
