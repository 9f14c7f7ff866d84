/** Cuts a call's sequences into the passes that an engine in this process can hold, and reassembles their results. */
import { take } from "../util/take.ts";
import type {
  ForwardBackwardResult,
  ForwardOutput,
  ForwardRequest,
  ForwardResult,
  GradientOptions,
  LossRequest,
  PassOptions,
} from "./engine.ts";
import { mostTokens, tokensOfOnePass } from "./pass-size.ts";

export interface PassLimits {
  /** Most padded tokens of a pass; 2,048 by default. */
  readonly limit?: number | undefined;
  /** What a place of padding costs, in tokens: 1 for an engine that reads padding, which is the default. */
  readonly paddingCost?: number;
}

/**
 * Indices of the sequences, shortest first, in groups: of `microBatch` sequences or, for 0, of at most `limit` padded tokens, cut where all passes together
 * cost least: `paddingCost` for each place of padding, and `tokensOfOnePass` for each pass. Lengths are sorted only within a call: steps of one length each
 * would also be steps of one kind of row each, whose gradients pull in turns (on the help desk that tripled the held-out loss).
 */
export function microBatches(
  lengths: readonly number[],
  microBatch = 0,
  { limit = mostTokens, paddingCost = 1 }: PassLimits = {},
): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  if (microBatch > 0)
    return Array.from({ length: Math.ceil(order.length / microBatch) }, (_, g) =>
      order.slice(g * microBatch, (g + 1) * microBatch),
    );
  // For each number of sequences, the least cost of passes over that many of the shortest, and the first sequence of their last pass.
  const cost = [0];
  const first = [0];
  for (let end = 1; end <= order.length; end++) {
    // Lengths ascend, so the last one determines the padded length.
    const padded = lengths[order[end - 1]!]!;
    cost[end] = Number.POSITIVE_INFINITY;
    let tokens = 0;
    for (let from = end - 1; from >= 0 && (from === end - 1 || (end - from) * padded <= limit); from--) {
      tokens += lengths[order[from]!]!;
      const total = cost[from]! + paddingCost * ((end - from) * padded - tokens) + tokensOfOnePass;
      if (total >= cost[end]!) continue;
      cost[end] = total;
      first[end] = from;
    }
  }
  const groups: number[][] = [];
  for (let end = order.length; end > 0; end = first[end]!) groups.unshift(order.slice(first[end]!, end));
  return groups;
}

/** Forward passes, one after the other, with results in the order of the sequences. */
export async function forwardInPasses<Output extends ForwardOutput>(
  request: ForwardRequest<Output>,
  { microBatch, beforePass, ...limits }: PassOptions & PassLimits,
  pass: (request: ForwardRequest<Output>) => Promise<ForwardResult<Output>>,
): Promise<ForwardResult<Output>> {
  const { sequences } = request;
  const parts = orWhole(
    microBatches(
      sequences.map(({ tokens }) => tokens.length),
      microBatch,
      limits,
    ),
  );
  const results: ForwardResult<Output>[] = [];
  for (const [done, part] of parts.entries()) {
    beforePass?.(done, parts.length);
    results.push(await pass({ ...request, sequences: take(sequences, part) }));
  }
  return inOrder(parts, results) as ForwardResult<Output>;
}

/** The result of one pass of a loss: the call's results for its own sequences, and its gradient's squared norm. */
export type PassResult = Omit<ForwardBackwardResult, "nonFinite" | "partSquaredNorms"> & {
  /** Squared L2 norm of the gradient of this pass, before accumulation. */
  readonly gradSquaredNorm: number;
};

/** The passes of one call, one after the other: their gradients add up. Both sequences of a pair count. */
export async function gradientInPasses(
  loss: LossRequest,
  { microBatch, beforePass, parts: asked, ...limits }: GradientOptions & PassLimits,
  pass: (loss: LossRequest) => Promise<PassResult>,
): Promise<ForwardBackwardResult> {
  if (!fits(loss)) return { ...(await pass(loss)), nonFinite: 0 };
  const parts = orWhole(asked ?? microBatches(lengthsOf(loss), microBatch, limits));
  const passes: PassResult[] = [];
  for (const [done, part] of parts.entries()) {
    beforePass?.(done, parts.length);
    passes.push(await pass(partOf(loss, part)));
  }
  const squaredNorms = passes.map(({ gradSquaredNorm }) => gradSquaredNorm);
  const losses = passes.map((one) => one.loss);
  const rows = passes.map(({ loss: _, gradSquaredNorm: __, ...outputs }) => outputs);
  return {
    ...inOrder(parts, rows),
    loss: losses.reduce((total, one) => total + one, 0),
    nonFinite: [...losses, ...squaredNorms].filter((x) => !Number.isFinite(x)).length,
    ...(asked && { partSquaredNorms: squaredNorms }),
  };
}

/** Keeps an empty call whole, because the engine itself reports what is wrong with it. */
function orWhole(parts: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return parts.length === 0 ? [[]] : parts;
}

/** Padded lengths; for a pair, both sequences count, since one pass holds both. */
function lengthsOf(loss: LossRequest): number[] {
  if (loss.name !== "pairwise") return loss.sequences.map(({ tokens }) => tokens.length);
  const { chosen, rejected } = loss;
  return chosen.map(({ tokens }, i) => 2 * Math.max(tokens.length, rejected[i]?.tokens.length ?? 0));
}

/** Whether all of a loss's lists have the same length. If not, the loss goes to the engine as it is, which reports what is wrong. */
function fits(loss: LossRequest): boolean {
  return new Set(Object.values(loss).flatMap((value) => (Array.isArray(value) ? [value.length] : []))).size === 1;
}

/** The loss for some of its sequences or pairs: every list of a loss has one entry for each. */
function partOf(loss: LossRequest, indices: readonly number[]): LossRequest {
  const fields = Object.entries(loss).map(([name, value]) => [
    name,
    Array.isArray(value) ? take(value, indices) : value,
  ]);
  return Object.fromEntries(fields) as LossRequest;
}

/** Joins the outputs of passes, each a list with an entry for each of the pass's sequences, in the order of the call's sequences. */
function inOrder<Outputs extends object>(parts: readonly (readonly number[])[], passes: readonly Outputs[]): Outputs {
  const names = Object.keys(passes[0] as object).filter((name) => (passes[0] as Lists)[name] !== undefined);
  const ordered = names.map((name) => {
    const rows: unknown[] = [];
    for (const [p, part] of parts.entries())
      for (const [j, i] of part.entries()) rows[i] = (passes[p] as Lists)[name]![j];
    return [name, rows];
  });
  return Object.fromEntries(ordered) as Outputs;
}

type Lists = Readonly<Record<string, readonly unknown[] | undefined>>;
