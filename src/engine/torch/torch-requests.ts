/** The engine's requests as flat arrays for the wire, and the worker's flat answers as rows again. */
import { EngineError } from "../../util/errors.ts";
import type { LossRequest, Sequence } from "../engine.ts";

export function flatTokens(texts: readonly (readonly number[])[]) {
  const tokens = new Int32Array(texts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const [i, text] of texts.entries()) {
    for (const token of text) tokens[at++] = whole(token, i);
  }
  return { tokens, lengths: Int32Array.from(texts, ({ length }) => length) };
}

/** Typed arrays would silently round what is not a token. */
function whole(token: number, sequence: number): number {
  if (Number.isInteger(token) && Math.abs(token) < 2 ** 31) return token;
  throw new EngineError(
    `sequence ${sequence} holds token ${token}; a token is a whole number`,
    "The tokenizer does not belong to this model.",
  );
}

export function flatSequences(sequences: readonly Sequence[]) {
  return {
    ...flatTokens(sequences.map(({ tokens }) => tokens)),
    starts: Int32Array.from(sequences, ({ start }) => start),
  };
}

export function scoredLengths(sequences: readonly Sequence[]): number[] {
  return sequences.map(({ tokens, start }) => tokens.length - start);
}

function flatRows(rows: readonly (readonly number[])[]) {
  const values = new Float32Array(rows.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const row of rows) {
    values.set(row, at);
    at += row.length;
  }
  return { values, lengths: Int32Array.from(rows, ({ length }) => length) };
}

/** A loss for the wire: sequences and per-token rows flat, numbers per pair as arrays, the rest as it is. */
export function flatLoss(loss: LossRequest): object {
  if (loss.name === "pairwise") {
    const { name, chosen, rejected, margins, weights } = loss;
    const arrays = { margins: Float32Array.from(margins), weights: Float32Array.from(weights) };
    return { name, chosen: flatSequences(chosen), rejected: flatSequences(rejected), ...arrays };
  }
  const fields = Object.entries(loss).map(([key, value]) => [key, Array.isArray(value) ? flatRows(value) : value]);
  return { ...Object.fromEntries(fields), sequences: flatSequences(loss.sequences) };
}

/** Rows of these lengths from a flat array; absent if the answer lacks it. */
export function rowsOf(
  flat: Float32Array | Int32Array | undefined,
  lengths: readonly number[] | Int32Array,
): number[][] | undefined {
  if (flat === undefined) return undefined;
  let at = 0;
  return Array.from(lengths, (length) => {
    at += length;
    return Array.from(flat.subarray(at - length, at));
  });
}
