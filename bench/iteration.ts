/** A whole PPO iteration through the trainer itself, in the shape of the peer's benchmark: 64 prompts of 16 tokens, 48 new tokens. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trainOnline } from "../src/algorithms/online-stage.ts";
import { parseConfig } from "../src/config/index.ts";
import { defaultRules, fitsScale } from "../src/control/rules/load-rules.ts";
import type { Engine } from "../src/engine/engine.ts";
import { createReward } from "../src/reward/index.ts";
import type { Tokenizer } from "../src/text/index.ts";
import type { StageContext } from "../src/trainer/stage-context.ts";
import type { MetricValues } from "../src/types/records.ts";
import type { Recorder } from "../src/types/run-recorder.ts";
import { gpt2, median } from "./measure.ts";

const shape = { sequences: 64, prompt: 16, response: 48, epochs: 4, minibatches: 4, width: 256 };
const iterations = 6;

export interface IterationResult {
  /** Medians over the iterations after the first, in seconds. */
  readonly rollout: number;
  readonly score: number;
  readonly passes: number;
  readonly update: number;
  readonly total: number;
  /** Share of `total` not spent inside the native runtime. */
  readonly outsideEngineShare: number;
  readonly peakMb: number;
}

export async function benchIteration(engine: Engine): Promise<IterationResult> {
  const folder = mkdtempSync(join(tmpdir(), "ballast-bench-"));
  try {
    const start = join(folder, "start");
    mkdirSync(start);
    const config = gpt2(shape.width, shape.prompt + shape.response);
    const model = await engine.createModel({ config, heads: ["lm"], seed: 1 });
    await engine.saveModel(model.id, start);
    const reward = await engine.cloneModel(model.id, { heads: ["scalar"], scalarInit: "normal" });
    const measured: MetricValues[] = [];
    const context = contextOf(engine, folder, start, measured);
    const settings = context.config.ppo;
    if (settings === undefined) throw new Error("the benchmark's configuration has no ppo section");
    const prompts = Array.from({ length: shape.sequences * iterations }, (_, i) => ({
      row: { prompt: [{ role: "user" as const, content: "" }], reference: null },
      tokens: Array.from({ length: shape.prompt }, (_, t) => (i * 31 + t * 7) % config.vocabularySize),
    }));
    await trainOnline(context, {
      settings,
      sources: { policy: start, reference: start, critic: start },
      frozen: { reference: start },
      prompts,
      openReward: async () =>
        createReward({
          components: settings.rewards,
          engine,
          models: { model: { model: reward.id, normalisation: null } },
        }),
      rules: defaultRules().filter((rule) => fitsScale(rule, context.config.control)),
      measuring: { check: null, monitor: [], monitorCheck: null, pairs: [], ratings: [] },
    });
    for (const { id } of [model, reward]) await engine.disposeModel(id);
    return summary(measured.slice(1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function contextOf(engine: Engine, folder: string, start: string, measured: MetricValues[]): StageContext {
  const { sequences, epochs, minibatches, response } = shape;
  const text = JSON.stringify({
    objective: "Be measured.",
    ppo: {
      policy: start,
      prompts: { path: "none.jsonl" },
      rewards: [{ kind: "model", path: start }],
      ...{ iterations, sequences, epochs, minibatches, maxNewTokens: response },
      learningRate: 1e-5,
      checkpointEvery: 0,
    },
  });
  const recorder: Recorder = {
    runId: "bench",
    attempt: 1,
    metrics: (_stage, _iteration, values) => measured.push(values),
    event: () => {},
    setting: () => {},
    samples: () => {},
    answers: () => {},
    commit: () => {},
    pendingCommands: () => [],
    commandsAppliedAt: () => [],
    markApplied: () => {},
    state: () => {},
    consultation: () => {},
    incident: () => null,
    incidents: () => [],
    recent: () => ({ iterations: [], changes: [] }),
  };
  return {
    stage: "ppo",
    config: parseConfig(text, "bench.yaml").config,
    folder: join(folder, "ppo"),
    engine,
    recorder,
    tokenizer: neverStopping,
    resume: false,
    onProgress: () => {},
    interrupted: () => false,
    wait: false,
  };
}

/** A tokenizer without EOS, so that every response has its full length. */
const neverStopping: Tokenizer = {
  vocabularySize: 512,
  missingIds: [],
  stopIds: [-1],
  turnEndId: null,
  stopStrings: [],
  padId: 0,
  eosId: -1,
  unkId: null,
  bosId: null,
  encode: () => [],
  decode: (ids) => ids.join(" "),
  tokenText: (id) => String(id),
  encodePrompt: () => [0],
  encodeCompletion: () => [],
  encodeDocument: () => [],
  save: () => {},
};

function summary(measured: readonly MetricValues[]): IterationResult {
  const of = (key: string) => median(measured.map((values) => values[key] as number));
  return {
    rollout: of("time/rollout_s"),
    score: of("time/score_s"),
    passes: of("time/passes_s"),
    update: of("time/update_s"),
    total: of("time/total_s"),
    outsideEngineShare: 1 - of("machine/native_share"),
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}
