/** Splits a step's sequences into the passes that an engine holds at once, and puts their results together again. */
import type { ForwardBackwardResult } from "../engine/engine.ts";
import { mostTokens } from "../engine/pass-size.ts";

/** A pass of that many takes no sequence more that is this much longer than its shortest: it would pad all of them. */
const enoughTokens = 768;
const spread = 1.25;

/**
 * Indices of the sequences, shortest first, in groups: of `microBatch` sequences, or, for 0, of as many as `limit` padded
 * tokens hold (`tokensOfPass`). Lengths are sorted within a step only: steps of one length each would also be steps of one kind of row each, whose
 * gradients pull in turns (on the help desk that tripled the held-out loss).
 */
export function microBatches(lengths: readonly number[], microBatch: number, limit = mostTokens): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const groups: number[][] = [];
  let group: number[] = [];
  for (const i of order) {
    // The order ascends, so the newcomer sets the padded length.
    if (group.length > 0 && isFull(group, lengths[i]!)) {
      groups.push(group);
      group = [];
    }
    group.push(i);
  }
  return group.length > 0 ? [...groups, group] : groups;

  function isFull(members: readonly number[], next: number): boolean {
    if (microBatch > 0) return members.length === microBatch;
    const padded = members.length * lengths[members.at(-1)!]!;
    const uneven = next > spread * lengths[members[0]!]!;
    return (members.length + 1) * next > limit || (uneven && padded >= enoughTokens);
  }
}

/** The entries at these indices. */
export function take<T>(items: readonly T[], indices: readonly number[]): T[] {
  return indices.map((i) => items[i] as T);
}

/** Runs the passes of one step, one after the other: their gradients add up. */
export async function accumulate(
  parts: readonly (readonly number[])[],
  pass: (part: readonly number[]) => Promise<ForwardBackwardResult>,
): Promise<ForwardBackwardResult[]> {
  const passes: ForwardBackwardResult[] = [];
  for (const part of parts) passes.push(await pass(part));
  return passes;
}

/** A per-token output of the passes, in the order of the step's sequences. */
export function inOrder(
  parts: readonly (readonly number[])[],
  passes: readonly ForwardBackwardResult[],
  output: "logprobs" | "values" | "penaltyKl",
): number[][] {
  const rows: number[][] = [];
  for (const [p, part] of parts.entries()) {
    for (const [j, i] of part.entries()) rows[i] = passes[p]![output]![j]!;
  }
  return rows;
}
