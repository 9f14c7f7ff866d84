/**
 * What a loss needs of the distribution over the vocabulary, computed block by block of the vocabulary: no array has an entry for every token and every
 * word. The backward pass computes each block's logits again.
 *
 * Axes: N scored tokens, D width, V vocabulary, K words of a block. Logits are hidden @ matrix' + mask.
 */
import type { Dim, Shape } from "../tensor/dims.ts";
import { constant, type Tensor } from "../tensor/graph.ts";
import {
  add,
  and,
  argmax,
  cast,
  concat,
  customGradient,
  div,
  equal,
  exp,
  expand,
  gather,
  less,
  log,
  loop,
  matmul,
  max,
  maximum,
  minimum,
  mul,
  neg,
  not,
  pick,
  range,
  reshape,
  sub,
  sum,
  where,
} from "../tensor/ops.ts";

/** A language head on hidden states. */
export interface Readout {
  /** [N, D], divided by the temperature. */
  readonly hidden: Tensor;
  /** [V, D] */
  readonly matrix: Tensor;
  /** Added to the logits, [V]; null adds nothing. */
  readonly mask: Tensor | null;
  /** Whether the vocabulary is one block. */
  readonly whole?: boolean;
}

/**
 * Entries of an array of tokens and words, 32 MB, up to which the vocabulary is one block: the rows of a block need no copy then, and the logits are
 * computed once. Chosen for its memory; other bounds have not been compared.
 */
const mostEntries = 2 ** 23;

/** Whether the logits of this many scored tokens are few enough to read the vocabulary as one block. */
export function isWhole(words: number, scoredTokens: number): boolean {
  return words * scoredTokens <= mostEntries;
}

/**
 * Words in a block, at most. A pass of 2,048 tokens then has blocks of 2 million entries. From 128 to 8,192 words the time of a pass is the same within
 * the noise, and its peak memory lowest from 512 to 1,024 (docs/performance.md).
 */
export const mostWords = 1024;

/** Words in a block of equal blocks, at least and at most. */
const [fewestEqual, mostEqual] = [512, 2048];

/**
 * Words of a block: the divisor of the vocabulary nearest to `mostWords` from 512 to 2,048 (1,733 of GPT-2's 50,257, 1,187 of Qwen's 151,936), so that the
 * blocks of the matrix's gradient are that gradient; without one, blocks of at most `mostWords` words, of which the last is smaller.
 */
export function wordsOfBlock(words: number): number {
  const distance = (size: number) => Math.abs(size - mostWords);
  const divisors = Array.from({ length: mostEqual - fewestEqual + 1 }, (_, i) => fewestEqual + i)
    .filter((size) => words % size === 0)
    .sort((a, b) => distance(a) - distance(b));
  return divisors[0] ?? Math.ceil(words / Math.ceil(words / mostWords));
}

/** Below every logit, and finite, so that 0 times a difference from it is 0. */
const lowest = -3e38;

interface Block {
  /** The ids of its words, int64 [K]. */
  readonly ids: Tensor;
  readonly size: number;
}

/** Log-probability of each target, int32 [N], and entropy of the whole distribution, both [N] in nats. */
export function blockDistribution(readout: Readout, targets_N: Tensor): { logprobs_N: Tensor; entropy_N: Tensor } {
  const long_N = cast(targets_N, "int64");
  const start = [...emptySum(readout), rowZeros(readout), rowZeros(readout)];
  const [top_N, total_N, spread_N, picked_N] = overBlocks(readout, start, (block, states) => {
    const [top, total, spread, picked] = states as [Tensor, Tensor, Tensor, Tensor];
    const logits_N_K = blockLogits(readout, block);
    const next = addToSum(top, total, logits_N_K);
    // sum e^(z - top) (z - top), whose old part moves to the new maximum.
    const moved_N = mul(next.kept_N, add(spread, mul(total, next.shift_N)));
    const spread_N = add(moved_N, sum(mul(next.powers_N_K, next.gaps_N_K), { axes: [1] }));
    const offset_N = sub(long_N, gather(block.ids, whole(0)));
    const inside_N = and(not(less(offset_N, whole(0))), less(offset_N, whole(block.size)));
    const chosen_N = pick(logits_N_K, minimum(maximum(offset_N, whole(0)), whole(block.size - 1)));
    return { states: [next.top_N, next.total_N, spread_N, where(inside_N, chosen_N, picked)], stacked: [] };
  }).states as [Tensor, Tensor, Tensor, Tensor];
  const log_N = log(total_N);
  const entropy = sub(log_N, div(spread_N, total_N));
  const logprobs = sub(sub(picked_N, top_N), log_N);
  const { hidden, matrix } = readout;
  const [logprobs_N, entropy_N] = customGradient(
    [logprobs, entropy],
    [hidden, matrix],
    ([dLogprobs, dEntropy], wanted) =>
      backward(readout, wanted, ({ ids, size }, logits_N_K) => {
        // dL/dz = dLogprob ([target] - p) - dEntropy p (log p + H)
        const logs_N_K = sub(logits_N_K, column(add(top_N, log_N)));
        const p_N_K = exp(logs_N_K);
        const ofEntropy = dEntropy && mul(column(dEntropy), add(logs_N_K, column(entropy)));
        if (dLogprobs === undefined) return neg(mul(p_N_K, ofEntropy as Tensor));
        const factor = ofEntropy === undefined ? column(dLogprobs) : add(ofEntropy, column(dLogprobs));
        const isTarget_N_K = equal(reshape(ids, [1, size]), column(long_N));
        return sub(where(isTarget_N_K, column(dLogprobs), 0), mul(p_N_K, factor));
      }),
  ) as [Tensor, Tensor];
  return { logprobs_N, entropy_N };
}

/** KL(old, new) = sum_v p_old (log p_old - log p), [N] in nats. The gradient goes into `readout`; `old` has the same vocabulary and mask. */
export function blockKl(readout: Readout, old: Readout): Tensor {
  const start = [...emptySum(readout), ...emptySum(readout), rowZeros(readout)];
  const [top_N, total_N, oldTop_N, oldTotal_N, gap_N] = overBlocks(readout, start, (block, states) => {
    const [top, total, oldTop, oldTotal, gap] = states as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const [logits_N_K, oldLogits_N_K] = [blockLogits(readout, block), blockLogits(old, block)];
    const next = addToSum(top, total, logits_N_K);
    const oldNext = addToSum(oldTop, oldTotal, oldLogits_N_K);
    // sum e^(zOld - oldTop) (zOld - z)
    const part_N = sum(mul(oldNext.powers_N_K, sub(oldLogits_N_K, logits_N_K)), { axes: [1] });
    const sums = [next.top_N, next.total_N, oldNext.top_N, oldNext.total_N];
    return { states: [...sums, add(mul(oldNext.kept_N, gap), part_N)], stacked: [] };
  }).states as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const [norm_N, oldNorm_N] = [add(top_N, log(total_N)), add(oldTop_N, log(oldTotal_N))];
  const kl = add(div(gap_N, oldTotal_N), sub(norm_N, oldNorm_N));
  const { hidden, matrix } = readout;
  const [kl_N] = customGradient([kl], [hidden, matrix], ([dKl], wanted) =>
    // dKL/dz = p - p_old
    backward(readout, wanted, (block, logits_N_K) => {
      const p_N_K = exp(sub(logits_N_K, column(norm_N)));
      const oldP_N_K = exp(sub(blockLogits(old, block), column(oldNorm_N)));
      return mul(sub(p_N_K, oldP_N_K), column(dKl as Tensor));
    }),
  ) as [Tensor];
  return kl_N;
}

/** The most likely word of each row, the first if several are; int64 [N]. */
export function blockArgmax(readout: Readout): Tensor {
  const none_N = expand(whole(0), [rowsOf(readout)]);
  const [, index_N] = overBlocks(readout, [expand(constant(lowest), [rowsOf(readout)]), none_N], (block, states) => {
    const [best, index] = states as [Tensor, Tensor];
    const logits_N_K = blockLogits(readout, block);
    const top_N = max(logits_N_K, { axes: [1] });
    const better_N = less(best, top_N);
    const found_N = gather(block.ids, argmax(logits_N_K));
    return { states: [where(better_N, top_N, best), where(better_N, found_N, index)], stacked: [] };
  }).states as [Tensor, Tensor];
  return index_N;
}

/** dL/dhidden and dL/dmatrix as far as they are wanted, given dL/dlogits of a block [N, K]. */
function backward(
  readout: Readout,
  [wantsHidden, wantsMatrix]: readonly boolean[],
  gradientOf: (block: Block, logits_N_K: Tensor) => Tensor,
): (Tensor | null)[] {
  const { hidden, matrix } = readout;
  const start = wantsHidden ? [expand(constant(0), hidden.shape)] : [];
  const { states, stacked } = overBlocks(readout, start, (block, states) => {
    const dLogits_N_K = gradientOf(block, blockLogits(readout, block));
    return {
      states: states.map((dHidden) => add(dHidden, matmul(dLogits_N_K, rowsFor(matrix, block)))),
      stacked: wantsMatrix ? [matmul(dLogits_N_K, hidden, { transA: true })] : [],
    };
  });
  return [states[0] ?? null, stacked[0] ?? null];
}

interface Step {
  readonly states: readonly Tensor[];
  /** [K, ...] each. */
  readonly stacked: readonly Tensor[];
}

/** Runs a step for each block of the vocabulary in turn. Returns the last states, and the stacked results joined along their first axis. */
function overBlocks(
  { matrix, whole: isOne = false }: Readout,
  initial: readonly Tensor[],
  step: (block: Block, states: readonly Tensor[]) => Step,
): Step {
  const words = matrix.shape[0] as number;
  const size = isOne ? words : wordsOfBlock(words);
  const equalBlocks = isOne ? 0 : Math.floor(words / size);
  const block = (index: Tensor, size_: number): Block => ({
    ids: add(range(size_), mul(index, whole(size))),
    size: size_,
  });
  const rest = words - equalBlocks * size;
  if (equalBlocks === 0) return step(block(whole(0), rest), initial);
  const before = loop({
    steps: whole(equalBlocks),
    initial,
    stateShapes: initial.map(({ shape }) => shape),
    stackedLength: equalBlocks,
    body: (index, states) => step(block(index, size), states),
  });
  const stacked = before.stacked.map((part) => {
    const [, , ...inner] = part.shape as [Dim, Dim, ...Shape];
    return reshape(part, [equalBlocks * size, ...inner]);
  });
  if (rest === 0) return { states: before.states, stacked };
  // Slices of a loop are of one size: a smaller last block follows the loop.
  const last = step(block(whole(equalBlocks), rest), before.states);
  return { states: last.states, stacked: stacked.map((part, i) => concat([part, last.stacked[i] as Tensor], 0)) };
}

function blockLogits({ hidden, matrix, mask }: Readout, block: Block): Tensor {
  const logits_N_K = matmul(hidden, rowsFor(matrix, block), { transB: true });
  return mask === null ? logits_N_K : add(logits_N_K, rowsFor(mask, block));
}

/** The entries of a table of the vocabulary, [V, ...], that belong to a block: a copy, unless they are all. */
function rowsFor(table: Tensor, { ids, size }: Block): Tensor {
  return size === table.shape[0] ? table : gather(table, ids);
}

/** A sum of exponentials before its first block: the largest logit so far and sum e^(z - top), [N] each. */
function emptySum(readout: Readout): [Tensor, Tensor] {
  return [expand(constant(lowest), [rowsOf(readout)]), rowZeros(readout)];
}

function addToSum(before_N: Tensor, total_N: Tensor, logits_N_K: Tensor) {
  const top_N = maximum(before_N, max(logits_N_K, { axes: [1] }));
  const gaps_N_K = sub(logits_N_K, column(top_N));
  const powers_N_K = exp(gaps_N_K);
  const shift_N = sub(before_N, top_N);
  const kept_N = exp(shift_N);
  return {
    top_N,
    total_N: add(mul(kept_N, total_N), sum(powers_N_K, { axes: [1] })),
    /** z - top, and e to that. */
    gaps_N_K,
    powers_N_K,
    /** How far the maximum moved, and the factor e^shift of what was summed before. */
    shift_N,
    kept_N,
  };
}

function rowsOf({ hidden }: Readout): Dim {
  return hidden.shape[0] as Dim;
}

function rowZeros(readout: Readout): Tensor {
  return expand(constant(0), [rowsOf(readout)]);
}

/** [N] -> [N, 1] */
function column(x_N: Tensor): Tensor {
  return reshape(x_N, [x_N.shape[0] as Dim, 1]);
}

function whole(value: number): Tensor {
  return constant(value, [], "int64");
}
