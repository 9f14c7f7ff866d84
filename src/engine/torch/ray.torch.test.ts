/** `launch: ray`: a local Ray starts the second of two processes; what is computed, what ends it, what is refused. Skipped if the Python has no Ray. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam, randomPerToken, randomSequences, smallConfig } from "../../../test/support/engine.ts";
import { startTimeout, torchEngine, torchPython } from "../../../test/support/torch.ts";
import type { Engine, LossRequest } from "../engine.ts";
import type { TorchEngine } from "./index.ts";

const hasRay = spawnSync(torchPython, ["-c", "import ray"]).status === 0;
const ray = { processes: 2, threads: 2, launch: "ray" } as const;

/** A cluster of this machine with two CPUs, as long as its standard input is open. */
const cluster = `
import ray, sys
ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR")
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
`;

/** The process that Ray runs as rank 1. */
function secondRank(): number | undefined {
  const of = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
    } catch {
      return [];
    }
  };
  const pids = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid));
  const found = pids.find(
    (pid) =>
      of(pid, "cmdline").includes("ballast_torch") &&
      of(pid, "environ").includes("RANK=1") &&
      of(pid, "environ").includes(mark),
  );
  return found === undefined ? undefined : Number(found);
}
/** In the environment of everything that the cluster starts. */
const mark = `BALLAST_RAY_TEST=${process.pid}`;

async function stepped(engine: Engine) {
  const { id } = await engine.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
  const sequences = randomSequences(5, 3);
  const loss: LossRequest = { name: "cross_entropy", sequences, weights: randomPerToken(sequences, "w", 5e-4, 1e-3) };
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) {
    losses.push((await engine.forwardBackward(id, loss)).loss);
    await engine.optimStep(id, { ...adam, maxGradNorm: 1 });
  }
  return losses;
}

describe.skipIf(!hasRay)("on a local Ray (skipped if BALLAST_TEST_PYTHON has no ray)", () => {
  let head: ChildProcess;
  beforeAll(async () => {
    const [name, value] = mark.split("=") as [string, string];
    // A second program would need the token that the first one makes.
    process.env.RAY_AUTH_MODE = "disabled";
    head = spawn(torchPython, ["-c", cluster], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, [name]: value },
    });
    const address = await new Promise<string>((resolve, reject) => {
      createInterface({ input: head.stdout! }).once("line", resolve);
      head.on("close", (code) => reject(new Error(`Ray did not start: code ${code}`)));
    });
    process.env.RAY_ADDRESS = address;
  }, startTimeout);
  afterAll(async () => {
    delete process.env.RAY_ADDRESS;
    const closed = new Promise((resolve) => head.on("close", resolve));
    head.stdin!.end();
    await closed;
  }, startTimeout);

  test("two processes equal one, and end with the engine", { timeout: startTimeout }, async () => {
    const losses: number[][] = [];
    for (const options of [{}, ray]) {
      const engine = await torchEngine(options);
      try {
        losses.push(await stepped(engine));
        if (options === ray) {
          expect((await engine.info()).versions.processes).toBe("2");
          expect(secondRank()).toBeGreaterThan(0);
        }
      } finally {
        await engine.close();
      }
    }
    for (const [i, loss] of losses[0]!.entries()) expect(Math.abs(loss - losses[1]![i]!)).toBeLessThan(1e-6);
    await expect.poll(secondRank, { timeout: 20_000 }).toBeUndefined();
  });

  test("a process that is killed on the cluster ends all, in words", { timeout: startTimeout }, async () => {
    const engine: TorchEngine = await torchEngine(ray);
    const { id } = await engine.createModel({ config: { ...smallConfig, context: 2048 }, heads: ["lm"], seed: 1 });
    const call = engine
      .sample(id, {
        prompts: [[1], [2]],
        maxNewTokens: 2000,
        stopTokens: [],
        temperature: 1,
        topK: 0,
        topP: 1,
        seed: 1,
      })
      .then(
        () => null,
        (error: Error) => error,
      );
    process.kill(secondRank()!, "SIGKILL");
    expect((await call)?.message).toMatch(/process 1 of the PyTorch worker's 2 was killed, probably because/);
    await engine.close();
  });

  test("more than the cluster has is refused with what it has", { timeout: startTimeout }, async () => {
    await expect(torchEngine({ ...ray, processes: 3, threads: 3 })).rejects.toThrow(
      /cluster has 2 CPU.*3 processes 1 CPU each/,
    );
  });
});

test.skipIf(!hasRay)(
  "without a cluster (skipped if BALLAST_TEST_PYTHON has no ray)",
  { timeout: startTimeout },
  async () => {
    process.env.RAY_ADDRESS = "127.0.0.1:1";
    try {
      await expect(torchEngine(ray)).rejects.toThrow(/no Ray cluster was found from here/);
    } finally {
      delete process.env.RAY_ADDRESS;
    }
  },
);

test.skipIf(hasRay)("without Ray, that is said with what puts it there", { timeout: startTimeout }, async () => {
  await expect(torchEngine(ray)).rejects.toThrow(/launch is ray, and .*No module named 'ray' \(pip install ray/);
});

test.each([
  [{ nodes: 2 }, /engine.launch is ray, and engine.nodes is 2/],
  [{ processes: 1 }, /engine.launch is ray, and engine.processes is 1/],
  [{ device: "auto" }, /engine.launch is ray, and engine.device is auto/],
])("what Ray's launcher cannot do is refused: %o", async (options, message) => {
  await expect(torchEngine({ ...ray, ...options })).rejects.toThrow(message);
});
