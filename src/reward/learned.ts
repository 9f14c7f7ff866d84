/** Rewards from a model, through the engine: its score, and its score compared with a baseline response. */
import type { Engine, ModelId, Sequence } from "../engine/engine.ts";
import { RewardError } from "../util/errors.ts";
import { type Normalisation, normalise } from "./normalisation.ts";
import type { RewardStep, Scored } from "./reward-types.ts";

/** A reward model held by the engine; without a normalisation its raw scores are used. */
export interface LearnedModel {
  readonly model: ModelId;
  readonly normalisation: Normalisation | null;
}

/** The source of baseline responses. The same prompt gets the same response as long as these fields stay the same. */
export interface Baseline {
  /** The reference policy. */
  readonly reference: ModelId;
  readonly maxNewTokens: number;
  readonly stopTokens: readonly number[];
  /** How many of the tokens are the response; all of them if absent. */
  readonly lengthOf?: (tokens: readonly number[]) => number;
  readonly temperature: number;
  readonly seed: number;
}

type Tokens = Pick<Scored, "promptTokens" | "tokens">;

export interface LearnedScores {
  /** Normalised scores, one per row. */
  readonly scores: number[];
  /** Share of the responses' raw scores outside the range from p1 to p99 of the reward model's training; NaN without a normalisation. */
  readonly outsideTraining: number;
  /** Of a function that rewards steps: those of each response. */
  readonly steps?: readonly (readonly RewardStep[])[];
}

/** Raw scores of token sequences. */
async function rawScores(
  rows: readonly Tokens[],
  { engine, model, microBatch }: { engine: Engine; model: ModelId; microBatch: number },
): Promise<number[]> {
  const sequences = rows.map(
    ({ promptTokens, tokens }): Sequence => ({ tokens: [...promptTokens, ...tokens], start: promptTokens.length }),
  );
  const { scores } = await engine.forward(model, { sequences, outputs: ["score"] }, { microBatch });
  if (scores.length !== rows.length) throw new RewardError(`the engine gave no scores for the reward model ${model}`);
  return scores;
}

export async function learnedScores(
  rows: readonly Tokens[],
  { engine, learned, microBatch }: { engine: Engine; learned: LearnedModel; microBatch: number },
): Promise<LearnedScores> {
  const raw = await rawScores(rows, { engine, model: learned.model, microBatch });
  return {
    scores: raw.map((score) => normalise(score, learned.normalisation)),
    outsideTraining: outsideShare(raw, learned.normalisation),
  };
}

/** Each response's normalised score minus that of the baseline response to the same prompt. */
export async function comparisonScores(
  rows: readonly Tokens[],
  {
    engine,
    learned,
    baseline,
    microBatch,
  }: { engine: Engine; learned: LearnedModel; baseline: Baseline; microBatch: number },
): Promise<LearnedScores> {
  const keys = rows.map(({ promptTokens }) => promptTokens.join(" "));
  const prompts = [...new Map(keys.map((key, i) => [key, rows[i]!.promptTokens]))];
  const { tokens } = await engine.sample(baseline.reference, {
    prompts: prompts.map(([, promptTokens]) => promptTokens),
    // Streams are named by the prompt, so that its baseline does not depend on the rest of the rollout.
    streams: prompts.map(([key]) => streamOf(key)),
    seed: baseline.seed,
    maxNewTokens: baseline.maxNewTokens,
    stopTokens: baseline.stopTokens,
    temperature: baseline.temperature,
    topK: 0,
    topP: 1,
  });
  const baselineRows = prompts.map(([, promptTokens], i): Tokens => {
    const all = tokens[i]!;
    return { promptTokens, tokens: all.slice(0, baseline.lengthOf?.(all)) };
  });
  const own = await learnedScores(rows, { engine, learned, microBatch });
  const others = await learnedScores(baselineRows, { engine, learned, microBatch });
  const baselineScore = new Map(prompts.map(([key], i) => [key, others.scores[i]!]));
  return {
    scores: own.scores.map((score, i) => score - baselineScore.get(keys[i]!)!),
    outsideTraining: own.outsideTraining,
  };
}

function outsideShare(raw: readonly number[], normalisation: Normalisation | null): number {
  if (normalisation === null) return Number.NaN;
  const { trainingP1, trainingP99 } = normalisation;
  return raw.filter((score) => !(score >= trainingP1 && score <= trainingP99)).length / raw.length;
}

/** A 31-bit number from a prompt (FNV-1a). */
function streamOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 1;
}
