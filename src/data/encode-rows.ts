/** Turns rows into token sequences that fit the model's context, and counts what had to be cut or skipped. */
import { createHash } from "node:crypto";
import type { Tokenizer } from "../text/index.ts";
import { DataError, UsageError } from "../util/errors.ts";
import { quote } from "../util/quote.ts";
import { RowsError, useAll } from "./row-faults.ts";
import { type PreferenceRow, type PromptRow, placeOf, type SftRow } from "./row-types.ts";

/** Tokens of a sequence; those from `start` on are the completion (the engine's `Sequence`). */
export interface EncodedSequence {
  readonly tokens: number[];
  readonly start: number;
  /** Which of the tokens from `start` on are trained on, 1 or 0; all of them without it. */
  readonly mask?: readonly number[];
}

/**
 * What to do with a row that does not fit. `truncate`: the prompt loses tokens on its left; a completion that leaves less than half the
 * context to the prompt loses tokens on its right, EOS first. `skip`: the row is left out. `error`: stop.
 */
export type LongPrompts = "truncate" | "skip" | "error";

export interface EncodeOptions {
  /** Longest sequence, in tokens. */
  readonly context: number;
  readonly longPrompts: LongPrompts;
  readonly tally?: RowTally | undefined;
}

/** Counts of rows that were cut or left out, to be shown to the user. */
export interface RowTally {
  rows: number;
  truncatedPrompts: number;
  truncatedCompletions: number;
  /** Rows longer than the context. */
  skipped: number;
  emptyAnswers: number;
  /** Pairs whose two answers are the same text, and pairs whose answers became the same through cutting or the vocabulary. */
  equalPairs: number;
  equalAsTokens: number;
  /** Pairs that other pairs label the opposite way. */
  labelledBothWays: number;
}

export function createTally(): RowTally {
  return {
    ...{ rows: 0, truncatedPrompts: 0, truncatedCompletions: 0, skipped: 0 },
    ...{ emptyAnswers: 0, equalPairs: 0, equalAsTokens: 0, labelledBothWays: 0 },
  };
}

/** The tally as a sentence; null if every row was used unchanged. */
export function describeTally(tally: RowTally, rows = "rows"): string | null {
  const tooLong = [
    tally.truncatedPrompts > 0 ? `${tally.truncatedPrompts} prompts cut at the left` : "",
    tally.truncatedCompletions > 0 ? `${tally.truncatedCompletions} completions cut at the right` : "",
    tally.skipped > 0 ? `${tally.skipped} skipped` : "",
  ].filter((part) => part !== "");
  const leftOut = [
    tally.emptyAnswers > 0 ? `${tally.emptyAnswers} with an empty answer` : "",
    tally.equalPairs > 0 ? `${tally.equalPairs} whose two answers are equal` : "",
    tally.equalAsTokens > 0
      ? `${tally.equalAsTokens} whose two answers are equal to the model, once cut and encoded`
      : "",
    tally.labelledBothWays > 0 ? `${tally.labelledBothWays} labelled both ways` : "",
  ].filter((part) => part !== "");
  const parts = [
    tooLong.length > 0 ? `too long for the context: ${tooLong.join(", ")}` : "",
    leftOut.length > 0 ? `left out: ${leftOut.join(", ")}` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? null : `of ${tally.rows} ${rows}, ${parts.join("; ")}`;
}

/**
 * Encodes a demonstration as the prompt, the completion and EOS; null if the row is skipped, as with an empty completion.
 * @throws RowsError if the template refuses it or, with `longPrompts: error`, it does not fit
 */
export function encodeSft(row: SftRow, tokenizer: Tokenizer, options: EncodeOptions): EncodedSequence | null {
  return fitContext(row, [row.completion], { ...options, tokenizer })?.[0] ?? null;
}

/** Both answers of a pair after the same prompt, which is cut the same way in both. */
export interface EncodedPair {
  readonly row: PreferenceRow;
  readonly chosen: EncodedSequence;
  readonly rejected: EncodedSequence;
}

/**
 * Encodes a pair; null if the row is skipped, as with an empty answer.
 * @throws RowsError if the template refuses it or, with `longPrompts: error`, it does not fit
 */
export function encodePair(row: PreferenceRow, tokenizer: Tokenizer, options: EncodeOptions): EncodedPair | null {
  const sequences = fitContext(row, [row.chosen, row.rejected], { ...options, tokenizer });
  return sequences && { row, chosen: sequences[0]!, rejected: sequences[1]! };
}

/**
 * Encodes the pairs that are useful for training or measuring. It leaves out and counts pairs whose two answers the model cannot tell apart
 * and, unless labels are flipped on purpose, pairs that the rows label both ways.
 * @throws RowsError with every row that cannot be encoded
 */
export function encodePairs(
  rows: readonly PreferenceRow[],
  tokenizer: Tokenizer,
  options: EncodeOptions & { readonly flippedOnPurpose?: boolean },
): EncodedPair[] {
  const { tally, flippedOnPurpose = false } = options;
  const pairs = useAll(rows, (row) => encodePair(row, tokenizer, options)).filter((pair) => pair !== null);
  const told = pairs.filter(({ row, chosen, rejected }) => {
    if (!sameTokens(chosen.tokens, rejected.tokens)) return true;
    if (tally) tally[row.chosen === row.rejected ? "equalPairs" : "equalAsTokens"]++;
    return false;
  });
  if (flippedOnPurpose) return told;
  const labels = new Set(told.map(labelOf));
  const agreed = told.filter(({ chosen, rejected }) => !labels.has(labelOf({ chosen: rejected, rejected: chosen })));
  if (tally) tally.labelledBothWays += told.length - agreed.length;
  return agreed;
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i]);
}

/** A key for a sequence: short, since there may be millions of them. */
function keyOf({ tokens, start }: EncodedSequence): string {
  return createHash("sha256")
    .update(Uint32Array.from([start, ...tokens]))
    .digest("base64");
}

function labelOf({ chosen, rejected }: Pick<EncodedPair, "chosen" | "rejected">): string {
  return `${keyOf(chosen)} ${keyOf(rejected)}`;
}

/**
 * Encodes a prompt that leaves room for `maxNewTokens`; null if the row is skipped.
 * @throws RowsError if the template refuses it or, with `longPrompts: error`, it does not fit; UsageError if no prompt could fit
 */
export function encodePrompt(
  row: PromptRow,
  tokenizer: Tokenizer,
  options: EncodeOptions & { readonly maxNewTokens: number },
): number[] | null {
  const { context, maxNewTokens, longPrompts, tally } = options;
  const room = context - maxNewTokens;
  if (room < 1) {
    throw new UsageError(
      `maxNewTokens ${maxNewTokens} leaves no room for a prompt in a context of ${context}`,
      `give at most ${context - 1}, or a model with a longer context`,
    );
  }
  const prompt = ofRow(row, () => tokenizer.encodePrompt(row.prompt));
  if (tally) tally.rows++;
  if (prompt.length <= room) return prompt;
  if (longPrompts === "error") {
    const needs = `${prompt.length} tokens and ${maxNewTokens} new ones`;
    return ofRow(row, () => tooLong(needs, prompt.length + maxNewTokens, context));
  }
  if (longPrompts === "skip") {
    if (tally) tally.skipped++;
    return null;
  }
  if (tally) tally.truncatedPrompts++;
  return prompt.slice(-room);
}

function fitContext(
  row: SftRow | PreferenceRow,
  answers: readonly string[],
  { tokenizer, context, longPrompts, tally }: EncodeOptions & { readonly tokenizer: Tokenizer },
): EncodedSequence[] | null {
  if (tally) tally.rows++;
  if (answers.some((answer) => answer.trim() === "")) {
    if (tally) tally.emptyAnswers++;
    return null;
  }
  const prompt = ofRow(row, () => tokenizer.encodePrompt(row.prompt));
  const completions = ofRow(row, () => answers.map((answer) => tokenizer.encodeCompletion(answer)));
  const longest = Math.max(...completions.map((completion) => completion.length));
  const total = prompt.length + longest;
  if (total <= context) return completions.map((completion) => join(prompt, completion));
  // A context of one token has no room for an answer, however the prompt is cut.
  if (longPrompts === "error" || context < 2)
    return ofRow(row, () => tooLong(`${prompt.length} + ${longest} tokens`, total, context));
  if (longPrompts === "skip") {
    if (tally) tally.skipped++;
    return null;
  }
  const kept = Math.max(1, context - longest, Math.min(prompt.length, Math.floor(context / 2)));
  if (tally && kept < prompt.length) tally.truncatedPrompts++;
  if (tally && kept + longest > context) tally.truncatedCompletions++;
  const shortPrompt = prompt.slice(-kept);
  return completions.map((completion) => join(shortPrompt, completion.slice(0, context - kept)));
}

function join(prompt: readonly number[], completion: readonly number[]): EncodedSequence {
  return { tokens: [...prompt, ...completion], start: prompt.length };
}

function tooLong(needs: string, total: number, context: number): never {
  throw new DataError(
    `a row takes ${needs}, ${total - context} more than the context of ${context}`,
    "set longPrompts to truncate or skip, raise model.context of a model from scratch, or take a model that reads more (a Mistral reads up to its sliding_window)",
  );
}

/** Adds the row's place and the beginning of its last message to a fault in the row. */
export function ofRow<Result>(row: SftRow | PreferenceRow | PromptRow, use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const value = quote(row.prompt.at(-1)?.content ?? "", 60);
    throw new RowsError([{ place: placeOf(row), problem: error.message, value, hint: error.hint }], { cause: error });
  }
}
