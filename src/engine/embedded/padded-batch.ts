/** Turns lists of sequences into padded arrays that a graph can read. */
import { contextBound } from "../../models/model-config.ts";
import type { Value } from "../../tensor/session.ts";
import { EngineError } from "../../util/errors.ts";
import type { ModelConfig, Sequence, TextIds } from "../engine.ts";

export interface Batch {
  /** ids [B, S], padded on the right with 0: no scored token sees padding. */
  readonly ids: Value;
  /** The states in which the scored tokens were chosen: flat positions b*S + s, or numbers of tokens without padding if there is a packing. [N] */
  readonly rows: Value;
  /** The inputs of a packed graph; null if nothing is padded. */
  readonly packing: { readonly places: Value; readonly numbers: Value } | null;
  /** The scored tokens. [N] */
  readonly targets: Value;
  /** Number of scored tokens in each sequence. */
  readonly lengths: readonly number[];
}

/** A batch for per-token outputs: a sequence's last token is only a target and is not read. */
export function tokenBatch(config: ModelConfig, sequences: readonly Sequence[]): Batch {
  check(config, sequences);
  for (const [i, { tokens, start }] of sequences.entries()) {
    if (start < 1 || start > tokens.length) {
      throw new EngineError(
        `sequence ${i} of ${tokens.length} tokens starts at ${start}; start must be 1 to ${tokens.length}`,
      );
    }
  }
  const S = Math.max(1, ...sequences.map(({ tokens }) => tokens.length - 1));
  const lengths = sequences.map(({ tokens, start }) => tokens.length - start);
  const N = lengths.reduce((a, b) => a + b, 0);
  const read = sequences.map(({ tokens }) => Math.min(tokens.length, S));
  const { starts, packing } = packed(read, S);
  const rows = new Int32Array(N);
  const targets = new Int32Array(N);
  let n = 0;
  for (const [b, { tokens, start }] of sequences.entries()) {
    for (let t = start; t < tokens.length; t++, n++) {
      const target = tokens[t] as number;
      if (config.textIds !== undefined && !isText(config.textIds, target))
        throw new EngineError(`sequence ${b} is scored at token ${target}, which no text has`);
      rows[n] = starts[b]! + t - 1;
      targets[n] = target;
    }
  }
  return {
    ids: padded(sequences, S),
    packing,
    rows: { data: rows, shape: [N] },
    targets: { data: targets, shape: [N] },
    lengths,
  };
}

function isText({ below, missing }: TextIds, id: number): boolean {
  return id < below && !missing.includes(id);
}

/** A batch for one score per sequence, at its last token. `rows` are those tokens, [B]. */
export function scoreBatch(
  config: ModelConfig,
  sequences: readonly Sequence[],
): Pick<Batch, "ids" | "rows" | "packing"> {
  check(config, sequences);
  const S = Math.max(...sequences.map(({ tokens }) => tokens.length));
  const { starts, packing } = packed(
    sequences.map(({ tokens }) => tokens.length),
    S,
  );
  const rows = Int32Array.from(sequences, ({ tokens }, b) => starts[b]! + tokens.length - 1);
  return { ids: padded(sequences, S), packing, rows: { data: rows, shape: [rows.length] } };
}

/** The number of each sequence's first token, and where the tokens of sequences of these lengths, padded to S, are; without padding the places themselves. */
function packed(lengths: readonly number[], S: number): { starts: readonly number[]; packing: Batch["packing"] } {
  const total = lengths.reduce((a, b) => a + b, 0);
  if (total === lengths.length * S) return { starts: lengths.map((_, b) => b * S), packing: null };
  const starts: number[] = [];
  const places = new Int32Array(total);
  const numbers = new Int32Array(lengths.length * S);
  let n = 0;
  for (const [b, length] of lengths.entries()) {
    starts.push(n);
    for (let s = 0; s < length; s++, n++) {
      places[n] = b * S + s;
      numbers[b * S + s] = n;
    }
  }
  const packing = { places: { data: places, shape: [total] }, numbers: { data: numbers, shape: [lengths.length, S] } };
  return { starts, packing };
}

/** Throws if the model cannot read the sequences. */
function check(config: ModelConfig, sequences: readonly Sequence[]): void {
  if (sequences.length === 0) throw new EngineError("no sequences");
  for (const [i, { tokens }] of sequences.entries()) checkTokens(config, tokens, `sequence ${i}`);
}

export function checkTokens(config: ModelConfig, tokens: readonly number[], what: string): void {
  const { context, vocabularySize } = config;
  if (tokens.length === 0) throw new EngineError(`${what} is empty`);
  if (tokens.length > context) {
    const { says, remedy } = contextBound(config);
    throw new EngineError(
      `${what} has ${tokens.length} tokens; the model's context is ${says}`,
      `Shorten it, or ${remedy}.`,
    );
  }
  for (const token of tokens) {
    if (!(Number.isInteger(token) && token >= 0 && token < vocabularySize)) {
      throw new EngineError(
        `${what} holds token ${token}; the model's vocabulary has ${vocabularySize}`,
        "The tokenizer does not belong to this model.",
      );
    }
  }
}

function padded(sequences: readonly Sequence[], S: number): Value {
  const data = new Int32Array(sequences.length * S);
  for (const [b, { tokens }] of sequences.entries()) {
    const length = Math.min(tokens.length, S);
    for (let t = 0; t < length; t++) data[b * S + t] = tokens[t] as number;
  }
  return { data, shape: [sequences.length, S] };
}

/** Ragged per-token numbers as one array, whose lengths are checked against the scored tokens. */
export function flatten(name: string, rows: readonly (readonly number[])[], lengths: readonly number[]): Value {
  if (rows.length !== lengths.length)
    throw new EngineError(`${name} has ${rows.length} rows for ${lengths.length} sequences`);
  const data = new Float32Array(lengths.reduce((a, b) => a + b, 0));
  let offset = 0;
  for (const [i, row] of rows.entries()) {
    if (row.length !== lengths[i])
      throw new EngineError(`${name}[${i}] has ${row.length} entries for ${lengths[i]} scored tokens`);
    data.set(row, offset);
    offset += row.length;
  }
  return { data, shape: [data.length] };
}

/** The reverse of `flatten`. */
export function unflatten(value: Value, lengths: readonly number[]): number[][] {
  let offset = 0;
  return lengths.map((length) => {
    const row = Array.from(value.data.subarray(offset, offset + length) as Iterable<number | bigint>, Number);
    offset += length;
    return row;
  });
}

/** Indices in order of length, in groups of at most `budget` padded tokens: little padding, few passes. */
export function lengthGroups(sequences: readonly { readonly length: number }[], budget: number): number[][] {
  const order = sequences.map((_, i) => i).sort((a, b) => lengthAt(sequences, a) - lengthAt(sequences, b) || a - b);
  const groups: number[][] = [];
  let group: number[] = [];
  for (const i of order) {
    // Lengths ascend, so the newcomer determines the padded length.
    if (group.length > 0 && (group.length + 1) * lengthAt(sequences, i) > budget) {
      groups.push(group);
      group = [];
    }
    group.push(i);
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function lengthAt(sequences: readonly { readonly length: number }[], i: number): number {
  return (sequences[i] as { length: number }).length;
}
