/** Turns demonstrations into sequences: the last answer of a conversation or all of them, and plain texts, whole or packed. */
import type { Tokenizer } from "../text/index.ts";
import { type EncodedSequence, type EncodeOptions, encodeSft, ofRow } from "./encode-rows.ts";
import { useAll } from "./row-faults.ts";
import type { SftRow } from "./row-types.ts";

export interface DemonstrationOptions extends EncodeOptions {
  /** `last`: only the completion is trained on. `all`: every assistant's message of the conversation before it, too. */
  readonly turns: "last" | "all";
  /** `none`: a plain text is never in one sequence with another. `concat`: texts follow one another, and attention reaches back over their borders. */
  readonly packing: "none" | "concat";
}

/**
 * Encodes demonstrations, in the rows' order.
 * @throws RowsError with every row that cannot be encoded
 */
export function encodeDemonstrations(
  rows: readonly SftRow[],
  tokenizer: Tokenizer,
  options: DemonstrationOptions,
): EncodedSequence[] {
  const { context, packing, tally } = options;
  let stream: number[] = [];
  const sequences = useAll(rows, (row) => {
    if (!row.plain)
      return options.turns === "all" ? everyTurn(row, tokenizer, options) : lastTurn(row, tokenizer, options);
    if (tally) tally.rows++;
    const tokens = ofRow(row, () => tokenizer.encodeDocument(row.completion));
    if (packing === "none") return pieces(tokens, context);
    stream.push(...tokens);
    const whole = stream.length - ((stream.length - 1) % (context - 1));
    const full = whole < context ? [] : pieces(stream.slice(0, whole), context);
    if (full.length > 0) stream = stream.slice(whole - 1);
    return full;
  }).flat();
  return stream.length > 1 ? [...sequences, { tokens: stream, start: 1 }] : sequences;
}

/** Consecutive parts of a text that each fit the context. A part begins with the last token of the one before it: every token but the first is predicted once. */
function pieces(tokens: readonly number[], context: number): EncodedSequence[] {
  const stride = Math.max(1, context - 1);
  const parts = Math.max(1, Math.ceil((tokens.length - 1) / stride));
  return Array.from({ length: parts }, (_, i) => ({
    tokens: tokens.slice(i * stride, i * stride + Math.max(2, context)),
    start: 1,
  }));
}

function lastTurn(row: SftRow, tokenizer: Tokenizer, options: EncodeOptions): EncodedSequence[] {
  const sequence = encodeSft(row, tokenizer, options);
  return sequence ? [sequence] : [];
}

/**
 * The conversation as one sequence in which every answer is trained on. An answer that the chat template writes differently once it is history
 * (without its reasoning, for example) becomes a sequence of its own, as it will be generated.
 */
function everyTurn(row: SftRow, tokenizer: Tokenizer, options: EncodeOptions): EncodedSequence[] {
  const last = encodeSft(row, tokenizer, options);
  if (last === null) return [];
  const asked = ofRow(row, () => tokenizer.encodePrompt(row.prompt));
  const whole = [...asked, ...tokenizer.encodeCompletion(row.completion)];
  const cutAtLeft = asked.length - last.start;
  const trained = new Set<number>();
  const alone: EncodedSequence[] = [];
  for (const [index, message] of row.prompt.entries()) {
    if (message.role !== "assistant" || message.tool_calls || message.content.trim() === "" || index === 0) continue;
    const turn = { prompt: row.prompt.slice(0, index), completion: message.content };
    const prompt = ofRow(row, () => tokenizer.encodePrompt(turn.prompt));
    const completion = tokenizer.encodeCompletion(turn.completion);
    const same = [...prompt, ...completion].every((token, i) => token === whole[i]);
    if (same) for (let i = prompt.length; i < prompt.length + completion.length; i++) trained.add(i - cutAtLeft);
    else alone.push(...lastTurn(turn, tokenizer, { ...options, tally: undefined }));
  }
  const first = Math.min(...[...trained].filter((at) => at > 0), last.start);
  if (first === last.start) return [...alone, last];
  const mask = last.tokens.slice(first).map((_, i) => Number(i + first >= last.start || trained.has(i + first)));
  return [...alone, { tokens: last.tokens, start: first, mask }];
}
