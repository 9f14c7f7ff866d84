/** The phases that precede the advantages in every algorithm, one function each: sample, score, read the log-probabilities. */

import type { ModelId, Sequence } from "../engine/engine.ts";
import { learnedComponents, type Scores } from "../reward/index.ts";
import * as rl from "../rl/index.ts";
import { signalsOf } from "../settings/algorithm-table.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { type RolloutRecord, type RolloutView, rolloutSignals } from "../signals/index.ts";
import type { Tokenizer } from "../text/index.ts";
import type { MetricValues } from "../types/records.ts";
import { RewardError } from "../util/errors.ts";
import { random } from "../util/random.ts";
import { take } from "../util/take.ts";
import { examineReward } from "./examine-reward.ts";
import { checkStart } from "./invariants.ts";
import type { Experience, OnlineRun } from "./online-run.ts";
import { minibatchRows } from "./policy-update.ts";
import { goldVerdicts } from "./probes-ask.ts";
import { type Rollout, rollOut, scoredRows } from "./rollout.ts";
import { steeringSignals } from "./steering.ts";

/** Number of prompts on which the reference's log-probabilities are monitored: they must never change. */
const probeCount = 4;

/** A rollout after an algorithm has computed its advantages. */
export interface Gathered extends Omit<Experience, "signals"> {
  readonly scored: Scores;
  /** Signals that only this algorithm measures. */
  readonly signals?: MetricValues;
}

/** Phase 1: `responsesPerPrompt` responses to each prompt from the current policy, over its whole distribution (docs/PPO.md row 1). */
export async function sampleRollout(run: OnlineRun, iteration: number, settings: PpoConfig): Promise<Rollout> {
  const { context, engine, models, loop, seed, stopwatch, tell } = run;
  if (run.handed !== null) return run.handed;
  const { sequences, responsesPerPrompt, maxNewTokens, temperature, topK, topP } = settings;
  const prompts = run.drawPrompts(iteration, sequences / responsesPerPrompt);
  const rollout = await rollOut({
    engine,
    tokenizer: context.tokenizer,
    model: models.policy.id,
    prompts: prompts.flatMap((prompt) => Array.from({ length: responsesPerPrompt }, () => prompt)),
    maxNewTokens,
    temperature,
    topK,
    topP,
    seed: random(seed, "rollout", iteration).uint32(),
    onProgress: (done, part) => {
      loop.poll();
      tell(`sampling ${done}/${sequences}`, part);
    },
  });
  stopwatch.lap("rollout");
  return rollout;
}

/** Phase 2: scores each response; learned scores and those of functions are normalised (docs/PPO.md row 18). */
export async function scoreRollout(run: OnlineRun, iteration: number, rollout: Rollout): Promise<Scores> {
  const { reward, loop, stopwatch, tell } = run;
  if (iteration === run.state.examineAt)
    await examineReward(run, iteration, { rollout, settings: run.settingsAt(iteration) });
  tell("scoring");
  const scored = await reward.score(scoredRows(rollout));
  if (!scored.score.every(Number.isFinite))
    throw new RewardError(scored.warnings.join("; "), "Look at the components of the reward, the learned ones first.");
  for (const warning of scored.warnings) loop.warnOnce("scores", iteration, warning);
  stopwatch.lap("score");
  return scored;
}

/** Log-probabilities and entropy of a rollout, (B, T). */
export interface PolicyPasses {
  readonly logprobs: number[][];
  /** Absent if the engine has none. */
  readonly entropy?: number[][];
  readonly refLogprobs: number[][];
  readonly probeRefLogprobs: number[][];
}

/**
 * Phase 3: the reference's log-probabilities and the old ones, which come from the same graph, precision and temperature as the new ones will (with
 * the sampler's own the first ratio would not be 1: docs/PPO.md row 1). The old ones are requested minibatch by minibatch in the first epoch's order:
 * an engine whose last bits depend on the make-up of its passes then makes the same passes again, and the first ratio is exactly 1.
 */
export async function policyPasses(
  run: OnlineRun,
  iteration: number,
  { rollout, settings }: { readonly rollout: Rollout; readonly settings: PpoConfig },
): Promise<PolicyPasses> {
  const { engine, inputs, models, loop } = run;
  const { temperature, microBatch } = settings;
  let options = loop.passes(iteration, { microBatch });
  const logprobs: number[][] = [];
  const refLogprobs: number[][] = [];
  const entropy: number[][] = [];
  const { capabilities } = await engine.info();
  const outputs: ("logprobs" | "entropy")[] = capabilities.entropy ? ["logprobs", "entropy"] : ["logprobs"];
  const ofReference = (sequences: readonly Sequence[]) =>
    engine.forward(models.reference, { sequences, outputs: ["logprobs"], temperature }, options);
  const minibatches = minibatchRows(run, { iteration, epoch: 0 }, settings);
  for (const [m, rows] of minibatches.entries()) {
    options = loop.passes(iteration, {
      microBatch,
      message: `reference and value passes ${m + 1}/${minibatches.length}`,
    });
    const sequences = take(rollout.sequences, rows);
    const part = await engine.forward(models.policy.id, { sequences, outputs, temperature }, options);
    // In the same passes, so that the KL of equal weights is exactly 0.
    const reference = await ofReference(sequences);
    for (const [j, b] of rows.entries()) {
      logprobs[b] = part.logprobs[j]!;
      refLogprobs[b] = reference.logprobs[j]!;
      if (capabilities.entropy) entropy[b] = part.entropy[j]!;
    }
  }
  const probes = inputs.prompts.filter(({ tokens }) => tokens.length > 1).slice(0, probeCount);
  const ofProbes = await ofReference(probes.map(({ tokens }) => ({ tokens, start: 1 })));
  const entropies = capabilities.entropy ? { entropy } : {};
  return { logprobs, ...entropies, refLogprobs, probeRefLogprobs: ofProbes.logprobs };
}

/** Phase 3 with a critic: the value before each token, (B, T). */
export async function valuePass(
  { engine, loop }: OnlineRun,
  iteration: number,
  { model, rollout, settings }: { readonly model: ModelId; readonly rollout: Rollout; readonly settings: PpoConfig },
): Promise<number[][]> {
  const options = loop.passes(iteration, { microBatch: settings.microBatch, message: "value passes" });
  return (await engine.forward(model, { sequences: rollout.sequences, outputs: ["values"] }, options)).values;
}

/**
 * Phase 4: the reward of each token: the score at the last, but for what steps earn at theirs, and, if it is in the reward, the KL on every one
 * (docs/PPO.md rows 2 and 3).
 */
export function rewardsOf(
  run: OnlineRun,
  { logprobs, refLogprobs }: PolicyPasses,
  { rollout, scored, settings, klCoef }: Omit<Made, "advantages" | "advantagesRaw" | "passes" | "rewards">,
): number[][] {
  const { kl, scoreClip, missingEosPenalty } = settings;
  return rl.tokenRewards({
    logprobs,
    refLogprobs,
    scores: scored.score,
    stepRewards: scored.steps && stepRewards(run.context.tokenizer, rollout, scored.steps),
    endsWithEos: rollout.endsWithEos,
    klCoef: kl.in === "reward" ? klCoef : 0,
    scoreClip,
    missingEosPenalty,
  });
}

/** The rewards of steps, (B, T), each at the token that completes the step's text. */
function stepRewards(
  tokenizer: Tokenizer,
  { responses_B_T, texts }: Rollout,
  steps_B: NonNullable<Scores["steps"]>,
): number[][] {
  return responses_B_T.map((tokens, b) => {
    const rewards_T = tokens.map(() => 0);
    for (const { end, reward } of steps_B[b]!) {
      const at = tokenOf(texts[b]!.slice(0, end), tokens, tokenizer);
      if (at >= 0) rewards_T[at]! += reward;
    }
    return rewards_T;
  });
}

/**
 * The first token up to which a response begins with a text, the last if it never does; -1 without tokens. A part of a character decodes to something
 * else, so that lengths would not do.
 */
export function tokenOf(text: string, tokens: readonly number[], tokenizer: Pick<Tokenizer, "decode">): number {
  let [low, high] = [0, tokens.length - 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (tokenizer.decode(tokens.slice(0, middle + 1)).startsWith(text)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** Phase 4 of algorithms that compare responses: the reward of each as a whole. */
export function responseRewardsOf(
  rewards_B_T: readonly (readonly number[])[],
  { rollout, scored, settings }: Pick<Made, "rollout" | "scored" | "settings">,
): number[] {
  const { scoreClip, missingEosPenalty } = settings;
  const { endsWithEos } = rollout;
  return rl.responseRewards(rewards_B_T, { scores: scored.score, endsWithEos, scoreClip, missingEosPenalty });
}

interface Made extends Pick<RolloutRecord, "rewards" | "advantagesRaw" | "advantages" | "values" | "returns"> {
  readonly rollout: Rollout;
  readonly scored: Scores;
  readonly passes: PolicyPasses;
  readonly settings: PpoConfig;
  readonly klCoef: number;
}

/** Combines a rollout with its scores and advantages. */
export function gathered(made: Made, signals?: MetricValues): Gathered {
  const { rollout, scored, passes, settings, klCoef, ...rows } = made;
  const record: RolloutRecord = {
    prompts: rollout.prompts.map(({ tokens }) => tokens),
    responses: rollout.responses_B_T,
    stopReasons: rollout.stopReasons,
    endsWithEos: rollout.endsWithEos,
    samplerLogprobs: rollout.samplerLogprobs_B_T,
    ...passes,
    ...rows,
    scores: scored.score,
    components: scored.components,
    learned: learnedComponents(settings.rewards).flatMap(({ name }) => (name in scored.components ? [name] : [])),
    safety: scored.safety,
  };
  return { rollout, scored, record, klCoef, ...(signals && { signals }) };
}

/** Adds the measurements before the update; at the first iteration, checks what must hold before anything is learned. */
export async function measuredExperience(run: OnlineRun, iteration: number, made: Gathered): Promise<Experience> {
  const { sources, measuring } = run.inputs;
  const { gold } = measuring;
  const { rollout, klCoef, scored } = made;
  const record = gold?.everyRollout ? { ...made.record, verdicts: await goldVerdicts(run, rollout) } : made.record;
  if (iteration === 0) checkStart(record, { sameWeights: sources.reference === sources.policy });
  const outside = Object.entries(scored.outsideTraining).map(([name, share]) => [
    `reward/component/${name}_outside_training_share`,
    share,
  ]);
  const signals = rolloutSignals({ rollout: record, ...signalSettings(run, klCoef) });
  return {
    rollout,
    record,
    klCoef,
    signals: signalsOf(run.inputs.settings.algorithm, {
      ...signals,
      ...Object.fromEntries(outside),
      ...steeringSignals(run, iteration, signals),
      ...made.signals,
      // Health reads it: a run without a check of its own must not look as if hacking had been ruled out.
      "settings/gold": gold === null ? 0 : gold.independent ? 2 : 1,
    }),
  };
}

/** The settings that the signals need. */
export function signalSettings(
  { loop, state }: Pick<OnlineRun, "loop" | "state">,
  klCoef: number,
): Pick<RolloutView, "settings" | "history"> {
  const { kl, scoreClip, missingEosPenalty, maxGradNorm, valueClip } = loop.settings;
  return {
    settings: { klIn: kl.in, klCoef, scoreClip, missingEosPenalty, maxGradNorm, valueClip },
    history: state.history,
  };
}
