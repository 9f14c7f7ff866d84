/** A whole iteration of PPO or GRPO through the trainer itself, in one of the shapes that the peer is measured in. */
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
import { median } from "./measure.ts";
import { type BenchShape, modelOf, shapes } from "./shapes.ts";

export interface IterationResult {
  /** Medians over the iterations after the first, in seconds. */
  readonly rollout: number;
  readonly score: number;
  readonly passes: number;
  readonly update: number;
  readonly total: number;
  /** User and system time in one iteration, all threads and processes of the engine together. */
  readonly cpuSeconds: number;
  /** The controller: its consultations, health, and its copies of the models before each update. */
  readonly control: number;
  /** The pass after the last step. */
  readonly lastPass: number;
  /** Share of `total` not spent in the engine's arithmetic. */
  readonly outsideEngineShare: number;
  readonly peakMb: number;
}

export interface BenchOptions {
  /** The controller as in a run: its rules on every consultation, its copies of the models; none of its alerts stops the run. */
  readonly controlled?: boolean;
  /** CPU seconds of the engine's processes so far, to be added to this one's. */
  readonly workerCpu?: () => number;
}

export async function benchIteration(
  engine: Engine,
  shape: BenchShape = shapes.small,
  { controlled = false, workerCpu = () => 0 }: BenchOptions = {},
): Promise<IterationResult> {
  const folder = mkdtempSync(join(tmpdir(), "ballast-bench-"));
  try {
    const start = join(folder, "start");
    mkdirSync(start);
    const config = modelOf(shape);
    const model = await engine.createModel({ config, heads: ["lm"], seed: 1 });
    await engine.saveModel(model.id, start);
    // As in a run, which keeps no model that nothing needs and trains no reward model.
    await engine.disposeModel(model.id);
    const reward = await engine.loadModel(start, { heads: ["scalar"], scalarInit: "normal", frozen: true });
    const measured: Measured[] = [];
    const context = contextOf({ engine, folder, start, shape, measured, controlled, workerCpu });
    const settings = context.config.ppo;
    if (settings === undefined) throw new Error("the benchmark's configuration has no ppo section");
    const prompts = Array.from({ length: shape.sequences * shape.iterations }, (_, i) => ({
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
      // In the profile fixed only tier 1 acts.
      rules: defaultRules()
        .filter((rule) => fitsScale(rule, context.config.control))
        .map((rule) => (rule.tier === 1 ? { ...rule, tier: 2 as const } : rule)),
      measuring: { gold: null, monitor: [], pairs: [], ratings: [] },
    });
    await engine.disposeModel(reward.id);
    return summary(measured);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Measured {
  readonly values: MetricValues;
  /** CPU seconds of the process when the iteration ended. */
  readonly cpu: number;
}

function contextOf({
  engine,
  folder,
  start,
  shape: { algorithm, group, sequences, epochs, minibatches, response, iterations, vocabulary, stops, lora },
  measured,
  controlled,
  workerCpu,
}: {
  readonly engine: Engine;
  readonly folder: string;
  readonly start: string;
  readonly shape: BenchShape;
  readonly measured: Measured[];
  readonly controlled: boolean;
  readonly workerCpu: () => number;
}): StageContext {
  const text = JSON.stringify({
    objective: "Be measured.",
    // Random weights of GPT-2's size move 0.9 nats in a few steps: the controller would end the measurement.
    control: controlled ? {} : { interventions: "off" },
    ...(lora > 0 && { lora: { rank: lora } }),
    ppo: {
      algorithm,
      ...(group > 0 && { responsesPerPrompt: group }),
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
    metrics: (_stage, _iteration, values) => {
      const { user, system } = process.cpuUsage();
      measured.push({ values, cpu: (user + system) / 1e6 + workerCpu() });
    },
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
    head: () => null,
    recent: () => ({ iterations: [], changes: [] }),
  };
  return {
    stage: "ppo",
    config: parseConfig(text, "bench.yaml").config,
    folder: join(folder, "ppo"),
    engine,
    recorder,
    tokenizer: numbersTokenizer(vocabulary, stops),
    resume: false,
    onProgress: () => {},
    interrupted: () => false,
    wait: false,
  };
}

/** A tokenizer whose texts are lists of ids. The ids below `stops` end a response. */
function numbersTokenizer(vocabulary: number, stops: number): Tokenizer {
  return {
    notes: [],
    vocabularySize: vocabulary,
    smallestVocabulary: vocabulary,
    missingIds: [],
    stopIds: stops === 0 ? [-1] : Array.from({ length: stops }, (_, id) => id),
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
}

function summary(measured: readonly Measured[]): IterationResult {
  const later = measured.slice(1);
  const of = (key: string) => median(later.map(({ values }) => values[key] as number));
  return {
    rollout: of("time/rollout_s"),
    score: of("time/score_s"),
    passes: of("time/passes_s"),
    update: of("time/update_s"),
    total: of("time/total_s"),
    control: of("time/control_s"),
    lastPass: of("time/last_pass_s"),
    cpuSeconds: median(later.map(({ cpu }, i) => cpu - (measured[i] as Measured).cpu)),
    outsideEngineShare: 1 - of("machine/native_share"),
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}
