/** Every row of a run as its models read it: each is encoded once, before the first step of any stage. */
import { contextIn } from "../config/load-config.ts";
import {
  alsoTrainedOn,
  createTally,
  describeTally,
  type EncodedPair,
  type EncodedSequence,
  encodeDemonstrations,
  encodePairs,
  RowsError,
  type RowTally,
  useAll,
} from "../data/index.ts";
import type { Config } from "../settings/config-schema.ts";
import type { Message, Tokenizer } from "../text/index.ts";
import { type Stage, stages } from "../types/records.ts";
import { counted } from "../util/counted.ts";
import { type DataRecord, fingerprintData } from "./data-record.ts";
import type { Measuring } from "./measuring.ts";
import { measuringOf } from "./probes-inputs.ts";
import { encodePrompts, type Prompt } from "./rollout.ts";
import { checkRows, openRows, type RunRows, type Split } from "./run-rows.ts";
import { makeTokenizer } from "./run-tokenizer.ts";
import type { Progress } from "./run-types.ts";

export interface EncodedStage<Row> {
  readonly train: readonly Row[];
  readonly heldOut: readonly Row[];
  readonly tally: { readonly train: RowTally; readonly heldOut: RowTally };
  /** What is wrong with the held-out rows as a measure; null if nothing is. */
  readonly caution: string | null;
}

/** Lists encoded for a model with this context. A list that `check` encoded is handed out without being kept: a run may train on gigabytes. */
export interface EncodedRows {
  sft(context: number): EncodedStage<EncodedSequence>;
  reward(context: number): EncodedStage<EncodedPair> & {
    /** Prompts whose answers determine the scores' mean and variance. */
    readonly prompts: readonly Prompt[];
    readonly maxNewTokens: number;
  };
  ppo(context: number): {
    readonly prompts: readonly Prompt[];
    readonly measuring: Omit<Measuring, "gold">;
    readonly tally: RowTally;
  };
  evaluation(context: number): { readonly prompts: readonly Prompt[]; readonly maxNewTokens: number };
  /** Encodes these lists now. Throws one RowsError for all rows that cannot be encoded, and for lists that have none left. */
  check(lists: readonly (Stage | "evaluation")[]): void;
  /** The lengths of the training rows that `check` encoded and that were not handed out yet. */
  lengths(): RowLengths;
}

/** Tokens of each row: of a pair those of its longer sequence, for PPO those of the prompt. */
export type RowLengths = { readonly [S in Stage]?: readonly number[] };

export interface PreparedRows {
  /** Fingerprints taken before the files were read: a file that changes meanwhile is noticed when the run is resumed. */
  readonly data: DataRecord;
  readonly rows: RunRows;
  readonly encoded: EncodedRows;
  /** Tokens of the run's tokenizer. */
  readonly vocabularySize: number;
}

/** Called while rows are encoded, if that takes more than two seconds. */
export type OnEncoding = (progress: Progress) => void;

/** Reads and encodes everything that a new run of a configuration needs. Throws what `checkRows` and `EncodedRows.check` throw. */
export function prepareRows(config: Config, onEncoding?: OnEncoding): PreparedRows {
  const rows = openRows(config);
  const data = fingerprintData(config);
  checkRows(config, rows);
  const tokenizer = makeTokenizer(config, rows.texts);
  const encoded = encodeRows({ config, rows, tokenizer, onEncoding });
  const present = stages.filter((stage) => config[stage] !== undefined);
  encoded.check(config.ppo ? [...present, "evaluation"] : present);
  return { data, rows, encoded, vocabularySize: tokenizer.vocabularySize };
}

export interface EncodeRowsOptions {
  readonly config: Config;
  readonly rows: RunRows;
  readonly tokenizer: Tokenizer;
  readonly onEncoding?: OnEncoding | undefined;
  /** Clock, in milliseconds. */
  readonly now?: () => number;
}

export function encodeRows(options: EncodeRowsOptions): EncodedRows {
  const { config, rows, onEncoding, now = Date.now } = options;
  const { ppo } = config;
  const { tokenizer, begin } = countingPrompts(options.tokenizer, { onEncoding, now });
  const prompter = rememberingPrompts(tokenizer);
  const lists = {
    sft: listOf((context) => {
      const { longPrompts, turns, packing } = config.sft!;
      const split = rows.sft();
      begin("sft", split.train.length + split.heldOut.length);
      return stageOf({ stage: "sft", what: "demonstrations", split }, (set, tally) => {
        const packed = set === split.train ? packing : "none";
        return encodeDemonstrations(set, tokenizer, { context, longPrompts, tally, turns, packing: packed });
      });
    }),
    reward: listOf((context) => {
      const { longPrompts } = config.reward!;
      const split = rows.pairs();
      begin("reward", split.train.length + split.heldOut.length);
      const stage = stageOf({ stage: "reward", what: "pairs", split }, (set, tally) => {
        const flippedOnPurpose = split.flippedOnPurpose && set === split.train;
        return encodePairs(set, tokenizer, { context, longPrompts, tally, flippedOnPurpose });
      });
      // As PPO will draw them, restricted to the prompts that PPO will use if they are known.
      const promptRows =
        ppo || config.demo ? rows.prompts() : split.train.map(({ prompt }) => ({ prompt, reference: null }));
      // A published model's context is no length to sample to.
      const maxNewTokens = ppo?.maxNewTokens ?? Math.min(Math.floor(context / 2), longestAnswer(stage.train));
      const prompts = encodePrompts(promptRows, {
        tokenizer: prompter,
        context,
        maxNewTokens,
        longPrompts: "truncate",
      });
      return { ...stage, prompts, maxNewTokens };
    }),
    ppo: listOf((context) => {
      const { maxNewTokens, longPrompts } = ppo!;
      const tally = createTally();
      begin("ppo", rows.prompts().length);
      const prompts = encodePrompts(rows.prompts(), { tokenizer: prompter, context, maxNewTokens, longPrompts, tally });
      if (prompts.length === 0) throw noneLeft("prompts", tally, "ppo");
      return { prompts, tally, measuring: measuringOf({ config, rows, tokenizer, context }) };
    }),
    evaluation: listOf((context) => {
      const maxNewTokens =
        config.evaluation.maxNewTokens ?? ppo?.maxNewTokens ?? Math.min(mostEvaluated, Math.floor(context / 2));
      const { longPrompts } = (ppo ?? config.sft)!;
      const tally = createTally();
      const options = { tokenizer: prompter, context, maxNewTokens, longPrompts, tally };
      begin(ppo ? "ppo" : "sft", rows.evaluation().rows.length);
      const prompts = encodePrompts(rows.evaluation().rows, options);
      if (prompts.length === 0) throw noneLeft("evaluation prompts", tally, ppo ? "ppo" : "sft");
      return { prompts, maxNewTokens };
    }),
  };
  return {
    ...{ sft: lists.sft.take, reward: lists.reward.take, ppo: lists.ppo.take, evaluation: lists.evaluation.take },
    check(names) {
      const contexts = knownContexts(config);
      useAll(names, (name) => lists[name].ready(contexts[name] ?? Number.MAX_SAFE_INTEGER));
    },
    lengths() {
      const [sft, reward, ppo] = [lists.sft.kept(), lists.reward.kept(), lists.ppo.kept()];
      return {
        ...(sft && { sft: sft.train.map(({ tokens }) => tokens.length) }),
        ...(reward && {
          reward: reward.train.map(({ chosen, rejected }) => Math.max(chosen.tokens.length, rejected.tokens.length)),
        }),
        ...(ppo && { ppo: ppo.prompts.map(({ tokens }) => tokens.length) }),
      };
    },
  };
}

/** Tokens of the longest answer of some pairs. */
function longestAnswer(pairs: readonly EncodedPair[]): number {
  const lengthOf = ({ tokens, start }: EncodedSequence) => tokens.length - start;
  return pairs.reduce((most, { chosen, rejected }) => Math.max(most, lengthOf(chosen), lengthOf(rejected)), 1);
}

/** Longest response of an evaluation, in tokens, if the configuration says nothing of responses. */
const mostEvaluated = 256;

/** Longest sequences of the models that the stages start from; null if a folder does not exist yet, or does not say. */
function knownContexts({ model, reward, ppo }: Config): Readonly<Record<Stage | "evaluation", number | null>> {
  const own = model.path === undefined ? model.context : contextIn(model.path);
  const of = (folder: string | undefined) => (folder === undefined ? own : contextIn(folder));
  return { sft: own, reward: of(reward?.from), ppo: of(ppo?.policy), evaluation: of(ppo?.policy) };
}

/** A list that `ready` makes and keeps for one `take` with the same context. */
function listOf<Made>(make: (context: number) => Made) {
  let kept: { readonly context: number; readonly made: Made } | null = null;
  return {
    ready(context: number): void {
      if (kept?.context !== context) kept = { context, made: make(context) };
    },
    take(context: number): Made {
      const made = kept?.context === context ? kept.made : make(context);
      kept = null;
      return made;
    },
    /** What `ready` made, if it was not taken. */
    kept: (): Made | undefined => kept?.made,
  };
}

function stageOf<Row extends { readonly prompt: readonly Message[] }, Encoded>(
  { stage, what, split }: { readonly stage: "sft" | "reward"; readonly what: string; readonly split: Split<Row> },
  encode: (set: readonly Row[], tally: RowTally) => Encoded[],
): EncodedStage<Encoded> {
  const tally = { train: createTally(), heldOut: createTally() };
  const [train, heldOut] = useAll(["train", "heldOut"] as const, (side) => encode(split[side], tally[side]));
  if (train!.length === 0) throw noneLeft(what, tally.train, stage);
  if (heldOut!.length === 0 && split.heldOut.length > 0) {
    const hint = `Give other rows in ${stage}.evaluation, or hold out more of them or none: ${stage}.evaluationShare.`;
    throw noneLeft(`held-out ${what}`, tally.heldOut, stage, hint);
  }
  return { train: train!, heldOut: heldOut!, tally, caution: heldOutCaution(split) };
}

function heldOutCaution(split: Split<{ readonly prompt: readonly Message[] }>): string | null {
  const shared = alsoTrainedOn(split);
  if (shared === 0) return null;
  return `of ${counted(split.heldOut.length, "held-out row")}, ${shared} ${shared === 1 ? "has a prompt" : "have prompts"} that training rows have too: held-out numbers may be better than on new prompts`;
}

function noneLeft(what: string, tally: RowTally, stage: Stage, hint?: string): RowsError {
  const remedy =
    tally.skipped > 0
      ? `Set ${stage}.longPrompts to truncate, raise model.context of a model from scratch, or take a model that reads more (a Mistral reads up to its sliding_window).`
      : tally.truncatedCompletions > 0 && tally.equalAsTokens > 0
        ? "Raise model.context of a model from scratch, or take a model that reads more: the answers differ only beyond it."
        : "Give rows that can be used.";
  const problem = `no ${what} are left: ${describeTally(tally) ?? "there were none"}`;
  return new RowsError([{ place: null, problem, hint: hint ?? remedy }]);
}

/** Milliseconds until an encoding is worth a line, and between two reports of it. */
const quietFor = 2_000;
const reportEvery = 200;

/** A tokenizer that reports the rows of the list last begun, each of which has one prompt. */
function countingPrompts(
  tokenizer: Tokenizer,
  { onEncoding, now }: Required<Pick<EncodeRowsOptions, "now">> & Pick<EncodeRowsOptions, "onEncoding">,
) {
  let list = { stage: "sft" as Stage, steps: 0 };
  let step = 0;
  let next = now() + quietFor;
  const counting: Tokenizer = {
    ...tokenizer,
    encodePrompt(messages) {
      step = Math.min(step + 1, list.steps);
      if (onEncoding !== undefined && now() >= next) {
        next = now() + reportEvery;
        onEncoding({ ...list, step, unit: "row", message: "encoding", values: {} });
      }
      return tokenizer.encodePrompt(messages);
    },
  };
  const begin = (stage: Stage, steps: number) => {
    list = { stage, steps };
    step = 0;
  };
  return { tokenizer: counting, begin };
}

/** A tokenizer that encodes a prompt once for PPO, the evaluation and the scores' normalisation, which share its row. */
function rememberingPrompts(tokenizer: Tokenizer): Tokenizer {
  const known = new WeakMap<object, number[]>();
  return {
    ...tokenizer,
    encodePrompt(messages) {
      const found = known.get(messages) ?? tokenizer.encodePrompt(messages);
      known.set(messages, found);
      return found;
    },
  };
}
