/** Measures models on the same prompts and random streams: gold checks, reward, KL, length, entropy, transcripts. */
import type { Engine, ModelId } from "../engine/engine.ts";
import type { RewardPipeline } from "../reward/index.ts";
import { klRows, mean, meanInterval95, pairedDifference95, shareInterval95, sum } from "../rl/index.ts";
import type { Tokenizer } from "../text/index.ts";
import type { Estimate, Evaluation, ModelEvaluation, PairedDifference, Transcript } from "../types/evaluation.ts";
import { type Prompt, promptText, type Rollout, rollOut, scoredRows } from "./rollout.ts";
import type { ProgressPart } from "./run-types.ts";
import { loadTrunk } from "./stage-models.ts";

/** Verdicts on a rollout's responses by the name of the check, only those that apply to each prompt. */
export type GoldCheck = (rollout: Rollout) => Promise<readonly Readonly<Record<string, boolean>>[]>;

export interface EvaluateOptions {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  readonly objective: string;
  /** Folder of the model before, if there is one to compare with. */
  readonly before: string | null;
  readonly after: string;
  /** Folder of the model to which the KL is measured; without one the KL is absent. */
  readonly reference: string | null;
  readonly prompts: readonly Prompt[];
  /** Number of samples. Sample k answers prompt k, in rotation, and draws from the stream (seed, k). */
  readonly samples: number;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly seed: number;
  /** Opens the reward, given the reference (null if there is none); null measures no reward. */
  readonly openReward: ((reference: ModelId | null) => Promise<RewardPipeline>) | null;
  readonly check: GoldCheck | null;
  /** Number of transcripts to keep. */
  readonly transcripts?: number;
  /** Called with the number of responses done and the total; may throw to leave. */
  readonly onProgress: (done: number, of: number, part?: ProgressPart) => void;
}

/** The figures of one model: one value per sample for every figure that applies to it. */
interface Measured {
  readonly evaluation: ModelEvaluation;
  readonly verdicts: readonly Readonly<Record<string, boolean>>[];
  readonly numbers: Readonly<Record<string, readonly number[]>>;
  readonly texts: readonly string[];
}

export async function evaluate(options: EvaluateOptions): Promise<Omit<Evaluation, "seenInTraining">> {
  const { engine, tokenizer, before, after, reference, samples, temperature, seed, objective } = options;
  const prompts = Array.from({ length: samples }, (_, k) => options.prompts[k % options.prompts.length]!);
  const referenceModel =
    reference === null
      ? null
      : (await loadTrunk(engine, reference, { tokenizer, heads: ["lm"], seed, role: "reference", frozen: true })).id;
  const reward = (await options.openReward?.(referenceModel)) ?? null;
  const folders = [...(before === null ? [] : [before]), after];
  try {
    await reward?.ready();
    const measured: Measured[] = [];
    for (const [i, folder] of folders.entries()) {
      const tell = (done: number, part?: ProgressPart) =>
        options.onProgress(i * samples + done, folders.length * samples, part);
      measured.push(await measure({ ...options, prompts, tell, folder, referenceModel, reward }));
    }
    const last = measured.at(-1)!;
    const first = measured.length > 1 ? measured[0]! : null;
    return {
      objective,
      samples,
      distinctPrompts: new Set(prompts.map(promptKey)).size,
      temperature,
      seed,
      shares: [...new Set(last.verdicts.flatMap(Object.keys))],
      before: first?.evaluation ?? null,
      after: last.evaluation,
      differences: first === null ? {} : differencesOf(first, last, prompts.map(promptKey)),
      transcripts: transcriptsOf(prompts, first?.texts ?? null, last.texts, options.transcripts ?? 6),
    };
  } finally {
    await reward?.close();
    if (referenceModel !== null) await engine.disposeModel(referenceModel);
  }
}

interface MeasureOptions extends EvaluateOptions {
  readonly folder: string;
  readonly referenceModel: ModelId | null;
  readonly reward: RewardPipeline | null;
  /** Called with the number of this model's responses done. */
  readonly tell: (done: number, part?: ProgressPart) => void;
}

async function measure(options: MeasureOptions): Promise<Measured> {
  const { engine, tokenizer, temperature, seed, folder, referenceModel, reward, tell } = options;
  const model = (await loadTrunk(engine, folder, { tokenizer, heads: ["lm"], seed, frozen: true })).id;
  const rollout = await rollOut({ ...options, model, topK: 0, topP: 1, onProgress: tell });
  const greedy = await greedyOf(options, model);
  const request = { sequences: rollout.sequences, temperature: temperature || 1 };
  const { capabilities } = await engine.info();
  const outputs: ("logprobs" | "entropy")[] = capabilities.entropy ? ["logprobs", "entropy"] : ["logprobs"];
  const { logprobs, entropy } = await engine.forward(model, { ...request, outputs });
  const ofReference =
    referenceModel === null ? null : await engine.forward(referenceModel, { ...request, outputs: ["logprobs"] });
  await engine.disposeModel(model);

  const scores = reward && (await scoresOf(reward, rollout));
  const greedyScores = reward && (await scoresOf(reward, greedy));
  const verdicts = await verdictsOf(options.check, rollout);
  const asked = options.prompts.map(promptKey);
  const lengths = rollout.responses_B_T.map((tokens) => tokens.length);
  const figures: Record<string, Estimate> = {
    ...shareFigures(verdicts, await verdictsOf(options.check, greedy), asked),
    ...(scores && { reward: meanFigure(scores, greedyScores, asked) }),
    length: meanFigure(
      lengths,
      greedy.responses_B_T.map((tokens) => tokens.length),
      asked,
    ),
    ...(capabilities.entropy && { entropy: perTokenFigure(entropy, asked) }),
  };
  const numbers: Record<string, number[]> = { ...(scores && { reward: scores }), length: lengths };
  if (ofReference) {
    const k1Sequence = klRows(logprobs, ofReference.logprobs, "k1").map(sum);
    figures.klK3Token = perTokenFigure(klRows(logprobs, ofReference.logprobs, "k3"), asked);
    figures.klK1Sequence = meanFigure(k1Sequence, null, asked);
    numbers.klK1Sequence = k1Sequence;
  }
  return { evaluation: { folder, figures }, verdicts, numbers, texts: rollout.texts };
}

/** A key for prompts: equal tokens mean the same prompt. Repetitions draw from their own streams, and are one cluster of the intervals. */
function promptKey({ tokens }: Prompt): string {
  return tokens.join(" ");
}

/** Greedy responses to the same prompts; each distinct prompt is answered once. */
async function greedyOf(options: MeasureOptions, model: ModelId): Promise<Rollout> {
  const keys = options.prompts.map(promptKey);
  const firsts = [...new Map(keys.map((key, k) => [key, k])).entries()];
  const rollout = await rollOut({
    ...options,
    model,
    prompts: firsts.map(([, k]) => options.prompts[k]!),
    temperature: 0,
    topK: 0,
    topP: 1,
    onProgress: (_, part) => options.tell(options.prompts.length, part),
  });
  const place = new Map(firsts.map(([key], i) => [key, i]));
  const spread = <T>(rows: readonly T[]): T[] => keys.map((key) => rows[place.get(key)!]!);
  return {
    prompts: options.prompts,
    responses_B_T: spread(rollout.responses_B_T),
    stopReasons: spread(rollout.stopReasons),
    endsWithEos: spread(rollout.endsWithEos),
    texts: spread(rollout.texts),
    sequences: spread(rollout.sequences),
    samplerLogprobs_B_T: spread(rollout.samplerLogprobs_B_T),
  };
}

async function scoresOf(reward: RewardPipeline, rollout: Rollout): Promise<number[]> {
  const { score } = await reward.score(scoredRows(rollout));
  return score;
}

/** Each response's verdicts; empty without a check. */
export async function verdictsOf(
  check: GoldCheck | null,
  rollout: Rollout,
): Promise<readonly Readonly<Record<string, boolean>>[]> {
  return check === null ? rollout.prompts.map(() => ({})) : check(rollout);
}

/** A share for every check over the samples to which it applies; `asked` says which prompt each sample answers. */
function shareFigures(
  sampled: readonly Readonly<Record<string, boolean>>[],
  greedy: readonly Readonly<Record<string, boolean>>[],
  asked: readonly string[],
): Record<string, Estimate> {
  const names = new Set(sampled.flatMap(Object.keys));
  return Object.fromEntries(
    [...names].map((name) => {
      const verdicts = sampled.flatMap((one) => (name in one ? [one[name]!] : []));
      const clusters = asked.filter((_, k) => name in sampled[k]!);
      const greedyVerdicts = greedy.flatMap((one) => (name in one ? [Number(one[name])] : []));
      const estimate = { ...shareInterval95(verdicts, clusters), ...counts(clusters) };
      return [name, { ...estimate, greedy: mean(greedyVerdicts), greedyN: greedyVerdicts.length }];
    }),
  );
}

function meanFigure(values: readonly number[], greedy: readonly number[] | null, asked: readonly string[]): Estimate {
  const estimate = { ...meanInterval95(values, asked), ...counts(asked) };
  return greedy === null ? estimate : { ...estimate, greedy: mean(greedy), greedyN: greedy.length };
}

/** A mean over all tokens; its interval is clustered by prompt, since the tokens of a sequence are not independent either. */
function perTokenFigure(rows_B_T: readonly (readonly number[])[], asked: readonly string[]): Estimate {
  const ratio = sum(rows_B_T.map(sum)) / sum(rows_B_T.map((row) => row.length));
  const meanLength = mean(rows_B_T.map((row) => row.length));
  const residuals = rows_B_T.map((row) => (sum(row) - ratio * row.length) / meanLength);
  const { low, high } = meanInterval95(residuals, asked);
  return { mean: ratio, low: ratio + low, high: ratio + high, ...counts(asked) };
}

function counts(asked: readonly string[]): { n: number; distinctPrompts: number } {
  return { n: asked.length, distinctPrompts: new Set(asked).size };
}

function differencesOf(before: Measured, after: Measured, asked: readonly string[]): Record<string, PairedDifference> {
  const names = new Set(before.verdicts.flatMap(Object.keys));
  const shares = [...names].map((name) => {
    const applies = before.verdicts.map((_, k) => k).filter((k) => name in before.verdicts[k]!);
    const of = ({ verdicts }: Measured) => applies.map((k) => verdicts[k]![name]!);
    const clusters = applies.map((k) => asked[k]!);
    return [name, pairedDifference95(of(before), of(after), clusters)] as const;
  });
  const numbers = Object.entries(before.numbers).map(
    ([name, values]) => [name, pairedDifference95(values, after.numbers[name]!, asked)] as const,
  );
  return Object.fromEntries([...shares, ...numbers]);
}

/** Prompts of each kind in turn, spread over all prompts of that kind. */
function transcriptsOf(
  prompts: readonly Prompt[],
  before: readonly string[] | null,
  after: readonly string[],
  count: number,
): Transcript[] {
  const byKind = new Map<string, number[]>();
  for (const [k, { row }] of prompts.entries()) {
    const kind = row.kind ?? "";
    byKind.set(kind, [...(byKind.get(kind) ?? []), k]);
  }
  const kinds = [...byKind.entries()];
  const rounds = Math.ceil(count / kinds.length);
  return Array.from({ length: Math.min(count, prompts.length) }, (_, i) => {
    const [kind, members] = kinds[i % kinds.length]!;
    const k = members[Math.floor(((Math.floor(i / kinds.length) + 0.5) * members.length) / rounds)]!;
    return { kind, prompt: promptText(prompts[k]!.row), before: before?.[k] ?? null, after: after[k]! };
  });
}
