/** The noise of the policy's gradient (docs/PPO.md row 17), measured on a copy of the policy: the run itself is not affected. */
import type { Engine, ModelInfo, PolicyLoss } from "../engine/engine.ts";
import type { PolicyBatch } from "../objectives/policy-extras.ts";
import * as rl from "../rl/index.ts";
import { drawSignals, noiseSignals } from "../signals/index.ts";
import type { MetricValues } from "../types/records.ts";
import { random } from "../util/random.ts";
import type { Experience, OnlineRun } from "./online-run.ts";
import { minibatchOf, policyGradient } from "./policy-update.ts";
import { type InForce, inForce } from "./steering.ts";

/** The direct estimate: this many draws of this many sequences. */
const guide = { draws: 10, sequences: 64 };

/**
 * Measures before the update, every `control.noise.every` iterations: the gradients of micro-batches with together as many sequences as a step, drawn
 * from the rollout. Empty if it is not due, or if a step is a single sequence.
 */
export async function measureNoise(
  run: OnlineRun,
  iteration: number,
  { experience, objective }: { readonly experience: Experience; readonly objective: Objective },
): Promise<MetricValues> {
  const { context, models, state, seed, stopwatch, tell } = run;
  const { every, microBatches } = context.config.control.noise;
  if (every === 0 || iteration % every !== 0) return {};
  const { capabilities } = await context.engine.info();
  if (!capabilities.partNorms || !capabilities.clone) return {};
  const settings = run.settingsAt(iteration);
  const lengths = experience.rollout.sequences.map(({ tokens }) => tokens.length);
  const { tokensOfPass = Number.POSITIVE_INFINITY } = models.policy;
  const limit = settings.microBatch || Math.max(1, Math.floor(tokensOfPass / Math.max(...lengths)));
  const step = settings.sequences / settings.minibatches;
  const draws = drawsOf(step, { wanted: microBatches, limit });
  if (draws === null) return {};

  tell("gradient noise");
  const copy = await context.engine.cloneModel(models.policy.id, { heads: ["lm"] });
  const order = random(seed, "noise", iteration).shuffle(lengths.map((_, b) => b));
  const now = { ...inForce(run, iteration), klCoef: experience.klCoef };
  const options = { engine: context.engine, copy, now, experience, objective };
  const ofStep = await normsOf({ ...options, rows: order.slice(0, step), draws });
  const guided = guide.draws * guide.sequences;
  const ofDraws =
    order.length >= guided && guide.sequences <= limit
      ? await normsOf({ ...options, rows: order.slice(0, guided), draws: guide.draws })
      : ofStep;
  await context.engine.disposeModel(copy.id);
  const { signals, history } = noiseSignals(ofStep, state.noise);
  state.noise = history;
  stopwatch.lap("noise");
  const scale = signals["gradient/noise_scale"];
  return {
    ...signals,
    ...(scale !== undefined && { "gradient/noise_scale_to_step": scale / step }),
    ...drawSignals(ofDraws),
  };
}

/** Number of equal parts, nearest `wanted`, each at most `limit` sequences, the larger of two equally near; null if there is nothing to divide. */
export function drawsOf(
  sequences: number,
  { wanted, limit }: { readonly wanted: number; readonly limit: number },
): number | null {
  const distance = (draws: number) => Math.abs(Math.log(draws / wanted));
  const possible = Array.from({ length: sequences }, (_, i) => sequences - i).filter(
    (draws) => draws > 1 && sequences % draws === 0 && sequences / draws <= limit,
  );
  return possible.reduce<number | null>(
    (best, draws) => (best === null || distance(draws) < distance(best) ? draws : best),
    null,
  );
}

/** An algorithm's objective. */
type Objective = (batch: PolicyBatch, now: InForce) => PolicyLoss;

/** Nothing has been learned from the rollout yet: every ratio is 1, so no clip binds and a penalty has no gradient. */
async function normsOf(options: {
  readonly engine: Engine;
  readonly copy: ModelInfo;
  readonly now: InForce;
  readonly experience: Experience;
  readonly objective: Objective;
  readonly rows: readonly number[];
  readonly draws: number;
}): Promise<rl.NoiseOptions> {
  const { engine, copy, now, experience, objective, rows, draws } = options;
  const { settings } = now;
  const size = rows.length / draws;
  const parts = Array.from({ length: draws }, (_, d) => Array.from({ length: size }, (_, i) => d * size + i));
  const minibatch = minibatchOf(experience, rows, settings);
  const loss = (batch: PolicyBatch) => objective(batch, now);
  const { gradient } = await policyGradient({ engine, model: copy.id, minibatch, parts, objective: loss });
  const { beta1, beta2, epsilon } = settings;
  const still = { learningRate: 0, beta1, beta2, epsilon, weightDecay: 0, maxGradNorm: null };
  const { gradNorm } = await engine.optimStep(copy.id, still);
  return {
    squaredNorms: rl.normsOfMeans(gradient.partSquaredNorms!),
    meanSquaredNorm: gradNorm! ** 2,
    sequencesPerMicroBatch: size,
    parameters: copy.trained,
  };
}
