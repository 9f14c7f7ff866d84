/** Samples responses to prompts: for online training, for the reward model's normalisation and for evaluation. */
import { encodePrompt, type LongPrompts, type PromptRow, type RowTally, useAll } from "../data/index.ts";
import { engineOfRole } from "../engine/capabilities.ts";
import type { Engine, ModelId, Sequence, StopReason } from "../engine/engine.ts";
import type { Scored } from "../reward/index.ts";
import { responseEnd, type Tokenizer } from "../text/index.ts";
import type { ProgressPart } from "./run-types.ts";

/** A prompt as the policy reads it, with its row. */
export interface Prompt {
  readonly row: PromptRow;
  readonly tokens: readonly number[];
}

export interface Rollout {
  /** B prompts, one per response. */
  readonly prompts: readonly Prompt[];
  /** Response tokens, including the one that ended each response, if the engine gives it. */
  readonly responses_B_T: number[][];
  readonly stopReasons: StopReason[];
  /** Whether a stop token, a stop string or the server ended each response: what PPO calls its EOS. */
  readonly endsWithEos: boolean[];
  /** Responses as text, without special tokens and without what stopped them. */
  readonly texts: string[];
  /** Prompt and response, scored from the response's first token. */
  readonly sequences: Sequence[];
  /** The sampler's log-probabilities, not the training graph's: only for reports, and for the gap between the two. */
  readonly samplerLogprobs_B_T: number[][];
}

export interface RolloutOptions {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  readonly model: ModelId;
  readonly prompts: readonly Prompt[];
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  /** Response b draws from the stream (seed, streams[b]), or (seed, b) by default. */
  readonly seed: number;
  readonly streams?: readonly number[];
  /** Called with the number of responses done, and how far the engine is with the next ones if it tells; may throw to leave. */
  readonly onProgress: (done: number, part?: ProgressPart) => void;
}

export async function rollOut(options: RolloutOptions): Promise<Rollout> {
  const { engine, tokenizer, model, prompts, maxNewTokens, temperature, topK, topP, seed, streams, onProgress } =
    options;
  const rows: Responded[] = [];
  const longest = Math.max(...prompts.map(({ tokens }) => tokens.length)) + maxNewTokens;
  const { tokensAtOnce } = engineOfRole(await engine.info(), "policy").capabilities;
  const rowsAtOnce = Math.max(1, Math.floor(tokensAtOnce / longest));
  for (let at = 0; at < prompts.length; at += rowsAtOnce) {
    onProgress(at);
    const part = prompts.slice(at, at + rowsAtOnce);
    const request = {
      prompts: part.map(({ tokens }) => tokens),
      maxNewTokens,
      stopTokens: tokenizer.stopIds,
      temperature,
      topK,
      topP,
      seed,
      streams: part.map((_, i) => streams?.[at + i] ?? at + i),
    };
    const tell = (tokens: number, most: number) => onProgress(at, { done: tokens, of: most, unit: "token" });
    const result = await engine.sample(model, request, { onProgress: tell });
    // Tokens after a stop string are dropped: the earlier tokens do not depend on them.
    for (const [i, tokens] of result.tokens.entries()) {
      const { length, text, stopped } = responseEnd(tokenizer, tokens);
      const kept = (row: number[]) => (length === row.length ? row : row.slice(0, length));
      const samplerLogprobs = kept(result.logprobs[i]!);
      // A server may end an answer at an end of its own, or leave out what ended it.
      const finished = stopped || result.stopReasons[i] === "stop";
      rows.push({ prompt: part[i]!, tokens: kept(tokens), samplerLogprobs, text, stopped: finished });
    }
  }
  return rolloutOf(rows);
}

/** One response. */
export interface Responded {
  readonly prompt: Prompt;
  /** With the one that ended it. */
  readonly tokens: number[];
  readonly samplerLogprobs: number[];
  readonly text: string;
  /** Whether a stop token, a stop string or the server ended it. */
  readonly stopped: boolean;
}

export function rolloutOf(rows: readonly Responded[]): Rollout {
  return {
    prompts: rows.map(({ prompt }) => prompt),
    responses_B_T: rows.map(({ tokens }) => tokens),
    stopReasons: rows.map(({ stopped }) => (stopped ? "stop" : "length")),
    endsWithEos: rows.map(({ stopped }) => stopped),
    texts: rows.map(({ text }) => text),
    sequences: rows.map(({ prompt, tokens }) => ({
      tokens: prompt.tokens.concat(tokens),
      start: prompt.tokens.length,
    })),
    samplerLogprobs_B_T: rows.map(({ samplerLogprobs }) => samplerLogprobs),
  };
}

/** The first responses of a rollout. */
export function firstOf(rollout: Rollout, count: number): Rollout {
  return ofLists(rollout, (list) => list.slice(0, count));
}

/** The responses of two rollouts. */
export function joined(rollout: Rollout, more: Rollout): Rollout {
  return ofLists(rollout, (list, key) => [...list, ...more[key]]);
}

function ofLists(rollout: Rollout, change: (list: readonly unknown[], key: keyof Rollout) => unknown[]): Rollout {
  const keys = Object.keys(rollout) as (keyof Rollout)[];
  return Object.fromEntries(keys.map((key) => [key, change(rollout[key], key)])) as unknown as Rollout;
}

/**
 * Prompts that leave room for a response; the others are cut, skipped or an error, and counted. Throws one RowsError for all rows that cannot be
 * encoded.
 */
export function encodePrompts(
  rows: readonly PromptRow[],
  options: {
    readonly tokenizer: Tokenizer;
    readonly context: number;
    readonly maxNewTokens: number;
    readonly longPrompts: LongPrompts;
    readonly tally?: RowTally;
  },
): Prompt[] {
  return useAll(rows, (row) => {
    const tokens = encodePrompt(row, options.tokenizer, options);
    return tokens && { row, tokens };
  }).filter((prompt) => prompt !== null);
}

/** The responses as the reward's input. */
export function scoredRows({ prompts, responses_B_T, texts, stopReasons }: Rollout): Scored[] {
  return prompts.map(({ row, tokens }, b) => ({
    prompt: promptText(row),
    messages: row.prompt,
    response: texts[b]!,
    reference: row.reference,
    columns: row.columns ?? (row.kind === undefined ? {} : { kind: row.kind }),
    promptTokens: tokens,
    tokens: responses_B_T[b]!,
    stopReason: stopReasons[b]!,
  }));
}

/** A conversation as text: its only message, or each message with its role. */
export function promptText({ prompt }: Pick<PromptRow, "prompt">): string {
  return prompt.length === 1 ? prompt[0]!.content : prompt.map(({ role, content }) => `${role}: ${content}`).join("\n");
}
