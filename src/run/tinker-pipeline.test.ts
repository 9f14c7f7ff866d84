/** Whole runs on a Tinker server in this process: SFT before RLOO, what is refused before anything trains, the doctor and what an operator sets. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { FakeTinker } from "../../test/support/fake-tinker.ts";
import { newWorld, sizes, tokenizer, type World } from "../../test/support/stage.ts";
import { openEngine } from "../engine/open-engine.ts";
import { writeModelConfig } from "../models/hf-folder.ts";
import { configSchema } from "../settings/config-schema.ts";
import { evaluateRun } from "../trainer/evaluate-run.ts";
import { stateOf } from "../trainer/model-folder.ts";
import { openRows } from "../trainer/run-rows.ts";
import { measureSpread } from "./doctor-spread.ts";
import { runPipeline } from "./pipeline.ts";

async function opened(changes: Record<string, object | undefined> = {}) {
  const world = newWorld();
  const server = new FakeTinker(sizes);
  server.slots = 2;
  const url = await server.start();
  onTestFinished(() => server.stop().catch(() => {}));
  const base = join(world.folder, "base");
  mkdirSync(base);
  writeModelConfig(base, { config: sizes, heads: ["lm"] });
  tokenizer.save(base);
  const write = (name: string, rows: readonly object[]) => {
    const path = join(world.folder, name);
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return { path };
  };
  const letters = ["a", "b", "c", "d", "e", "f"];
  const steps = { schedule: "constant", warmup: 0, maxGradNorm: null, checkpointEvery: 4 };
  const config = configSchema.parse({
    objective: "say g",
    seed: 3,
    engine: { kind: "tinker", url, model: "tiny", backend: "skyrl-jax" },
    model: { path: base },
    tokenizer: { kind: "file", path: base },
    lora: { rank: 4 },
    sft: {
      ...{ steps: 10, batchSize: 4, learningRate: 0.3, evaluationShare: 0.25, ...steps },
      data: write(
        "sft.jsonl",
        letters.map((letter) => ({ prompt: letter, completion: "g g" })),
      ),
    },
    ppo: {
      ...{ algorithm: "rloo", responsesPerPrompt: 4, sequences: 16, minibatches: 1, iterations: 2, maxNewTokens: 4 },
      ...{ learningRate: 0.1, entropyCoef: 0, rewards: [{ kind: "length", max: 4 }], ...steps },
      prompts: write(
        "prompts.jsonl",
        letters.map((prompt) => ({ prompt })),
      ),
    },
    evaluation: { samples: 8 },
    ...changes,
  });
  const engine = await openEngine({ ...config.engine, threads: 1, base });
  onTestFinished(() => engine.close());
  return { world, server, config, engine };
}

type Opened = Awaited<ReturnType<typeof opened>>;

function run({ world, config, engine }: Omit<Opened, "server"> & { readonly world: World }) {
  return runPipeline({
    ...{ config, engine, folder: world.folder, recorder: world.store.recorder(), resume: false },
    ...{ onProgress: () => {}, interrupted: () => false },
  });
}

test("SFT's result is the adapter's state, and RLOO starts from it", async () => {
  const made = await opened();
  const { stages, evaluation } = await run(made);
  expect(stages.map(({ stage, steps }) => [stage, steps])).toEqual([
    ["sft", 10],
    ["ppo", 2],
  ]);
  const [sft, ppo] = stages.map(({ folder }) => stateOf(folder));
  expect([sft, ppo].every((state) => state!.startsWith("tinker://") && made.server.states.has(state!))).toBe(true);
  const heldOut = (step: number) => made.world.store.curve("sft").get(step)?.["sft/heldout_loss"] as number;
  expect(heldOut(10)).toBeLessThan(0.7 * heldOut(0));
  // The policy and its reference begin as what SFT made.
  expect(made.world.store.curve("ppo").get(0)!["kl/ref_k3_token"]).toBe(0);
  expect(evaluation!.before!.folder).toBe(join(made.world.folder, "sft", "final"));
  expect(evaluation!.before!.figures.klK1Sequence!.mean).toBe(0);
  expect(made.server.models.size).toBe(0);
});

test("what an evaluation needs and the server lacks is refused before anything trains", async () => {
  const made = await opened({ sft: undefined, evaluation: { samples: 8, temperature: 0.7 } });
  await expect(run(made)).rejects.toThrow(
    "the engine tinker has no temperature in its losses, which evaluation.temper",
  );
  expect(made.server.asked.some(({ path }) => path === "create_model")).toBe(false);
  // Greedy answers are measured at 1.
  const greedy = { ...made.config, evaluation: { ...made.config.evaluation, temperature: 0 } };
  await run({ ...made, config: greedy });
  const again = { config: greedy, folder: made.world.folder, engine: made.engine, onProgress: () => {} };
  await expect(evaluateRun({ ...again, interrupted: () => false, temperature: 0.7 })).rejects.toThrow(
    "the engine tinker has no log-probabilities at temperature 0.7",
  );
});

test("an operator's setting that the server lacks is refused in the run, which goes on", async () => {
  const made = await opened({ sft: undefined });
  made.world.store.command("set", { key: "ppo.temperature", value: 0.7 });
  made.world.store.command("set", { key: "ppo.learningRate", value: 0.05 });
  await run(made);
  const told = made.world.store.messages("command");
  expect(told).toEqual([
    expect.stringMatching(/^refused: the engine tinker has no temperature in its losses.*ppo\.temperature=1/),
    expect.stringContaining("ppo.learningRate set from 0.1 to 0.05"),
  ]);
});

test("the doctor measures the policy with what the server has", async () => {
  const { config, engine } = await opened();
  await engine.close();
  const options = { config, ppo: config.ppo!, folder: config.model.path!, tokenizer, rows: openRows(config).prompts() };
  const { spread } = await measureSpread(options);
  expect(spread!.entropyMean).toBeGreaterThan(0.9 * Math.log(sizes.vocabularySize));
  await expect(
    measureSpread({ ...options, config: { ...config, ppo: { ...config.ppo!, temperature: 0.7 } } }),
  ).rejects.toThrow("ppo.temperature");
});
