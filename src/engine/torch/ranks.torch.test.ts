/** The PyTorch engine over two processes: what every engine must do, equal to one process, what happens when a process dies or hangs, and how others join. */
import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adam, randomPerToken, randomSequences, smallConfig } from "../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import { startTimeout, torchEngine, torchPython } from "../../../test/support/torch.ts";
import { EngineError } from "../../util/errors.ts";
import { checks } from "../conformance/engine-conformance.ts";
import type { Engine, LossRequest, SampleRequest } from "../engine.ts";
import type { TorchEngine } from "./index.ts";
import { joinRanks } from "./join-ranks.ts";
import { rendezvousOf } from "./rendezvous.ts";
import { packageFolder } from "./torch-environment.ts";

const two = (options: Parameters<typeof torchEngine>[0] = {}) => torchEngine({ processes: 2, threads: 2, ...options });
const long = { ...smallConfig, context: 2048, width: 32, layers: 4 };
const sampling: SampleRequest = {
  ...{ prompts: [[1, 2], [3]], maxNewTokens: 2000, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 },
};
const settled = (call: Promise<unknown>) =>
  call.then(
    () => null,
    (error: Error) => error,
  );

describe("two processes", () => {
  let engine: TorchEngine;
  beforeAll(async () => {
    engine = await two();
  }, startTimeout);
  afterAll(() => engine.close());

  test.each(checks)("$name", async ({ run }) => {
    await run(engine, { tolerance: 1e-5, config: smallConfig, folder: temporaryFolder });
  });

  test("equal one: losses within two roundings of float32, log-probabilities after three steps within 1e-5; each goes on from the other's folder", {
    timeout: startTimeout,
  }, async () => {
    const sequences = randomSequences(7, 3);
    const loss: LossRequest = { name: "cross_entropy", sequences, weights: randomPerToken(sequences, "w", 5e-4, 1e-3) };
    const step = { ...adam, weightDecay: 0.1, maxGradNorm: 1 };
    const one = await torchEngine();
    try {
      const train = async (engine: Engine, id: string, steps: number) => {
        const found: number[] = [];
        for (let i = 0; i < steps; i++) {
          found.push((await engine.forwardBackward(id, loss)).loss);
          await engine.optimStep(id, step);
        }
        return found;
      };
      const read = async (engine: Engine, id: string) =>
        (await engine.forward(id, { sequences, outputs: ["logprobs"] })).logprobs;
      const ids: string[] = [];
      const losses: number[][] = [];
      for (const each of [one, engine]) {
        const { id } = await each.createModel({ config: smallConfig, heads: ["lm"], seed: 3 });
        ids.push(id);
        losses.push(await train(each, id, 3));
      }
      // In parts a sum of float32 numbers rounds differently: by 3.4e-8 of 0.23 on an AMD EPYC.
      for (const [i, x] of losses[0]!.entries())
        expect(Math.abs(x - losses[1]![i]!), `loss ${i}`).toBeLessThan(2 * 2 ** -23 * x);
      expect(gap(await read(one, ids[0]!), await read(engine, ids[1]!))).toBeLessThan(1e-5);
      // The folders of one are those of two: each goes on where the other was.
      for (const [from, id, to] of [
        [one, ids[0]!, engine],
        [engine, ids[1]!, one],
      ] as const) {
        const folder = await from.saveModel(id, temporaryFolder(), { optimizer: true });
        const { id: loaded } = await to.loadModel(folder, { optimizer: true });
        await train(from, id, 2);
        await train(to, loaded, 2);
        expect(gap(await read(to, loaded), await read(from, id))).toBeLessThan(1e-5);
      }
    } finally {
      await one.close();
    }
  });

  test("a call that is taken back ends on both, and the next one is answered", { timeout: startTimeout }, async () => {
    const { id } = await engine.createModel({ config: long, heads: ["lm"], seed: 1 });
    const call = settled(engine.sample(id, sampling));
    await engine.worker.ping();
    engine.worker.cancel();
    expect((await call)?.message).toBe("sample was taken back");
    const { tokens } = await engine.sample(id, { ...sampling, maxNewTokens: 3 });
    expect(tokens.map(({ length }) => length)).toEqual([3, 3]);
    expect((await engine.info()).versions.processes).toBe("2");
    expect((await engine.usage()).residentMb).toBeGreaterThan(200);
  });

  test("a save that cannot be written fails as with one process, and the next one does not", {
    timeout: startTimeout,
  }, async () => {
    const { id } = await engine.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
    const sequences = randomSequences(7, 3);
    await engine.forwardBackward(id, {
      name: "cross_entropy",
      sequences,
      weights: randomPerToken(sequences, "w", 0, 1),
    });
    await engine.optimStep(id, adam);
    const gone = `${temporaryFolder()}/gone`;
    const error = await settled(engine.saveModel(id, gone, { optimizer: true }));
    expect(error?.message).toMatch(/^saveModel: FileNotFoundError: .*gone/);
    const folder = await engine.saveModel(id, temporaryFolder(), { optimizer: true });
    await engine.loadModel(folder, { optimizer: true });
  });

  // The last: the engine is gone afterwards.
  test("one that is killed ends all, in words, at once", { timeout: startTimeout }, async () => {
    const { id } = await engine.createModel({ config: long, heads: ["lm"], seed: 1 });
    const call = settled(engine.sample(id, sampling));
    process.kill(engine.worker.pids[1]!, "SIGKILL");
    const error = await call;
    expect(error).toBeInstanceOf(EngineError);
    expect(error?.message).toMatch(/process 1 of the PyTorch worker's 2 was killed, probably because/);
    expect((error as EngineError).hint).toMatch(/ballast resume RUN/);
    await expect(engine.zeroGrad(id)).rejects.toThrow("was killed");
    const pids = engine.worker.pids;
    await engine.close();
    for (const pid of pids) expect(() => process.kill(pid!, 0)).toThrow();
  });
});

test("one that hangs is told by its number, and all end", { timeout: startTimeout }, async () => {
  const engine = await two({ patience: 10_000 });
  const { id } = await engine.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
  const [, second] = engine.worker.pids;
  process.kill(second!, "SIGSTOP");
  const error = await settled(engine.zeroGrad(id));
  expect(error?.message).toMatch(new RegExp(`the PyTorch worker \\(process ${second}\\) has not answered for 1\\d s`));
  await engine.close();
});

test("two machines: the other one's process joins, and ends with the run", { timeout: startTimeout }, async () => {
  const rendezvous = `127.0.0.1:${(await rendezvousOf({ processes: 2 }))!.port}`;
  const place = { rendezvous, nodes: 2, processes: 1 };
  const joined = joinRanks({ ...place, node: 1, python: torchPython, threads: 1 });
  const engine = await torchEngine(place);
  const { id } = await engine.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
  expect((await engine.sample(id, { ...sampling, maxNewTokens: 3 })).tokens).toHaveLength(2);
  expect((await engine.info()).versions.processes).toBe("2");
  await engine.close();
  await joined;
});

test("two machines: any launcher's process joins by environment variables; its death is told as one elsewhere", {
  timeout: startTimeout,
}, async () => {
  const { port } = (await rendezvousOf({ processes: 2 }))!;
  const environment = {
    RANK: "1",
    LOCAL_RANK: "0",
    WORLD_SIZE: "2",
    MASTER_ADDR: "127.0.0.1",
    MASTER_PORT: String(port),
  };
  const other = spawn(torchPython, ["-m", "ballast_torch"], {
    env: { ...process.env, PYTHONPATH: packageFolder, PYTHONDONTWRITEBYTECODE: "1", ...environment },
  });
  const ended = new Promise((resolve) => other.on("close", resolve));
  const engine = await torchEngine({ rendezvous: `127.0.0.1:${port}`, nodes: 2 });
  expect((await engine.info()).versions.processes).toBe("2");
  other.kill("SIGKILL");
  await ended;
  await expect(engine.zeroGrad("model-1")).rejects.toThrow(/lost the processes of another machine/);
  await engine.close();
});
