/** Rows to token sequences that fit the model's context, with a tally of what had to be cut or skipped. */
import type { Message, Tokenizer } from "../text/index.ts";
import { DataError, UsageError } from "../util/errors.ts";
import type { PreferenceRow, PromptRow, SftRow } from "./rows.ts";

/** Tokens, of which those from `start` on are the completion (the engine's `Sequence`). */
export interface EncodedSequence {
  readonly tokens: number[];
  readonly start: number;
}

/**
 * What becomes of a row that does not fit. `truncate`: the prompt loses tokens at its left; a completion that leaves
 * less than half the context to the prompt loses tokens at its right, EOS first. `skip`: the row is left out.
 * `error`: stop.
 */
export type LongPrompts = "truncate" | "skip" | "error";

export interface EncodeOptions {
  /** Longest sequence, in tokens. */
  readonly context: number;
  readonly longPrompts: LongPrompts;
  readonly tally?: LengthTally | undefined;
}

/** Counts of rows, for the person who should know. */
export interface LengthTally {
  rows: number;
  truncatedPrompts: number;
  truncatedCompletions: number;
  skipped: number;
}

export function createTally(): LengthTally {
  return { rows: 0, truncatedPrompts: 0, truncatedCompletions: 0, skipped: 0 };
}

/** The tally as a sentence; null where every row fitted. */
export function describeTally(tally: LengthTally): string | null {
  const parts = [
    tally.truncatedPrompts > 0 ? `${tally.truncatedPrompts} prompts cut at the left` : "",
    tally.truncatedCompletions > 0 ? `${tally.truncatedCompletions} completions cut at the right` : "",
    tally.skipped > 0 ? `${tally.skipped} skipped` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? null : `of ${tally.rows} rows, too long for the context: ${parts.join(", ")}`;
}

/**
 * A demonstration: the prompt, the completion and EOS; null where the row is skipped.
 * @throws DataError with `longPrompts: error` where it does not fit
 */
export function encodeSft(row: SftRow, tokenizer: Tokenizer, options: EncodeOptions): EncodedSequence | null {
  const prompt = tokenizer.encodePrompt(row.prompt);
  const completion = tokenizer.encodeCompletion(row.completion);
  return fitContext(prompt, [completion], row.prompt, options)?.[0] ?? null;
}

/**
 * Both completions of a pair after the same prompt, which is cut alike in both; null where the row is skipped.
 * @throws DataError with `longPrompts: error` where either does not fit
 */
export function encodePair(
  row: PreferenceRow,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): { chosen: EncodedSequence; rejected: EncodedSequence } | null {
  const prompt = tokenizer.encodePrompt(row.prompt);
  const completions = [tokenizer.encodeCompletion(row.chosen), tokenizer.encodeCompletion(row.rejected)];
  const sequences = fitContext(prompt, completions, row.prompt, options);
  return sequences === null ? null : { chosen: sequences[0]!, rejected: sequences[1]! };
}

/**
 * A prompt that leaves room for `maxNewTokens`; null where the row is skipped.
 * @throws DataError with `longPrompts: error` where it does not fit; UsageError where nothing would
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
  const prompt = tokenizer.encodePrompt(row.prompt);
  if (tally) tally.rows++;
  if (prompt.length <= room) return prompt;
  if (longPrompts === "error") {
    const needs = `${prompt.length} tokens and ${maxNewTokens} new ones`;
    throw tooLong(row.prompt, needs, prompt.length + maxNewTokens, context);
  }
  if (longPrompts === "skip") {
    if (tally) tally.skipped++;
    return null;
  }
  if (tally) tally.truncatedPrompts++;
  return prompt.slice(-room);
}

function fitContext(
  prompt: readonly number[],
  completions: readonly (readonly number[])[],
  messages: readonly Message[],
  { context, longPrompts, tally }: EncodeOptions,
): EncodedSequence[] | null {
  if (tally) tally.rows++;
  const longest = Math.max(...completions.map((completion) => completion.length));
  const total = prompt.length + longest;
  if (total <= context) return completions.map((completion) => join(prompt, completion));
  if (longPrompts === "error") throw tooLong(messages, `${prompt.length} + ${longest} tokens`, total, context);
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

function tooLong(messages: readonly Message[], needs: string, total: number, context: number): DataError {
  const text = messages.at(-1)?.content ?? "";
  const excerpt = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return new DataError(
    `a row takes ${needs}, ${total - context} more than the context of ${context}: "${excerpt}"`,
    "set longPrompts to truncate or skip, or raise model.context",
  );
}
