/**
 * Attention, once for training and for generation: a family's trunk reads through a `Reading`, which is either whole sequences
 * under the causal mask or one new token a row against a cache.
 *
 * Axes: B rows, S positions read, N = B*S, H heads of queries, G heads of keys and values (H is a multiple of G), K the width of
 * a head, T positions looked at.
 */
import { type Dim, product } from "../tensor/dims.ts";
import { constant, type Tensor } from "../tensor/graph.ts";
import { add, concat, greater, matmul, mul, range, reshape, softmax, split, transpose, where } from "../tensor/ops.ts";

/** Keys and values of one layer, [B, G, T, K] each. */
export interface LayerCache {
  readonly key: Tensor;
  readonly value: Tensor;
}

export interface Reading {
  /** [B, S]; [B] if one token a row is read. */
  readonly ids: Tensor;
  /** Positions of the ids, which count from 0: [S], the same in every row; [B] if one token a row is read. */
  readonly positions: Tensor;
  /** Whether no position comes twice, for `gather`. */
  readonly distinctPositions: boolean;
  /** N, the number of ids: hidden states are [N, D]. */
  readonly rows: Dim;
  /** Cuts a projection [N, parts*heads*size] into its parts (as GPT-2's of queries, keys and values) and heads: [B, heads, S, size] each. */
  heads(x: Tensor, sizes: { readonly parts?: number; readonly heads: number; readonly size: number }): Tensor[];
  /** softmax(q k^T / sqrt(K)) v over the positions that each token may see. q [B, H, S, K], k and v [B, G, S, K] -> [N, H*K] */
  attend(layer: number, of: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor }): Tensor;
  /** What each layer has added to its cache, once its attention has been computed. */
  readonly cache: readonly LayerCache[];
}

/** Reads ids [B, S], padded at their right: under the causal mask no real position sees a pad. The cache is of all S positions. */
export function wholeSequences(ids: Tensor): Reading {
  const [B, S] = ids.shape as [Dim, Dim];
  const rows = product([B, S]);
  const mask = causalMask(S);
  const cache: LayerCache[] = [];
  return {
    ids,
    positions: range(S),
    distinctPositions: true,
    rows,
    cache,
    heads: (x, { parts = 1, heads, size }) =>
      // [B, S, parts, H, K] -> [parts, B, H, S, K]
      split(transpose(reshape(x, [B, S, parts, heads, size]), [2, 0, 3, 1, 4]), 0, parts).map((part) =>
        reshape(part, [B, heads, S, size]),
      ),
    attend: (layer, { q, k, v }) => {
      cache[layer] = { key: k, value: v };
      const [, H, , K] = q.shape as [Dim, number, Dim, number];
      const mixed = attention(q, [{ key: k, value: v, mask }], 1 / Math.sqrt(K));
      return reshape(transpose(mixed, [0, 2, 1, 3]), [rows, H * K]);
    },
  };
}

export interface TokenReading {
  /** [B] */
  readonly ids: Tensor;
  /** [B] */
  readonly positions: Tensor;
  /** Layer by layer, what was read before this chunk of tokens; positions under the mask [B, 1, 1, P] are not seen. */
  readonly past: readonly LayerCache[];
  readonly mask: Tensor;
  /** Layer by layer, what this chunk has added so far. */
  readonly recent: readonly LayerCache[];
}

/** Reads one new token a row. The cache is `recent`, longer by that token. */
export function oneToken({ ids, positions, past, mask, recent }: TokenReading): Reading {
  const [B] = ids.shape as [Dim];
  const cache: LayerCache[] = [];
  return {
    ids,
    positions,
    distinctPositions: false,
    rows: B,
    cache,
    heads: (x, { parts = 1, heads, size }) => split(x, 1, parts).map((part) => reshape(part, [B, heads, 1, size])),
    attend: (layer, { q, k, v }) => {
      const before = recent[layer] as LayerCache;
      const grown = { key: concat([before.key, k], 2), value: concat([before.value, v], 2) };
      cache[layer] = grown;
      const [, H, , K] = q.shape as [Dim, number, Dim, number];
      // Scaling q, not the product, keeps ONNX Runtime's kernel for one row.
      const mixed = attention(mul(q, 1 / Math.sqrt(K)), [{ ...(past[layer] as LayerCache), mask }, grown], 1);
      return reshape(mixed, [B, H * K]);
    },
  };
}

/** softmax(scale q k^T + mask) v, over positions that come in several parts. [B, H, S, K] -> [B, H, S, K] */
function attention(q: Tensor, parts: readonly (LayerCache & { readonly mask?: Tensor })[], scale: number): Tensor {
  const [B, H, S, K] = q.shape as [Dim, number, Dim, number];
  // Queries that share a head of keys and values lie side by side, and look at it as if they were more positions.
  const G = parts[0]?.key.shape[1] as number;
  const shared = (x: Tensor, last: Dim) => reshape(x, [B, G, product([H / G, S]), last]);
  const lengths = parts.map(({ key }) => key.shape[2] as Dim);
  const scores = parts.map(({ key, mask }, i) => {
    const product = matmul(shared(q, K), key, { transB: true, alpha: scale });
    const scores_B_H_S_T = reshape(product, [B, H, S, lengths[i] as Dim]);
    return mask === undefined ? scores_B_H_S_T : add(scores_B_H_S_T, mask);
  });
  const weights = softmax(scores.length === 1 ? (scores[0] as Tensor) : concat(scores, 3));
  const weightsOf = scores.length === 1 ? [weights] : split(weights, 3, lengths);
  const mixed = parts.map(({ value }, i) => matmul(shared(weightsOf[i] as Tensor, lengths[i] as Dim), value));
  return reshape(
    mixed.reduce((a, b) => add(a, b)),
    [B, H, S, K],
  );
}

/** 0 if a position may look, a large negative number if it may not. [S, S] */
function causalMask(S: Dim): Tensor {
  const positions = range(S);
  const future = greater(reshape(positions, [1, S]), reshape(positions, [S, 1]));
  return where(future, constant(-1e30), constant(0));
}
