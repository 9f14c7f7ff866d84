/**
 * Attention, once for training and for generation: a family's trunk reads through a `Reading`, which is either whole sequences under the causal mask
 * or one new token per row against a cache.
 *
 * Axes: B rows, S positions read, N tokens (B*S, or fewer if padding is left out), H heads of queries, G heads of keys and values (H is a multiple of G), K the width of a head, T positions
 * attended to.
 */
import { type Dim, product } from "../tensor/dims.ts";
import { constant, type Tensor } from "../tensor/graph.ts";
import {
  add,
  cast,
  concat,
  cumsum,
  customGradient,
  gather,
  greater,
  less,
  matmul,
  mul,
  range,
  reshape,
  sizeOf,
  softmax,
  split,
  sub,
  transpose,
  where,
} from "../tensor/ops.ts";
import { recomputed } from "../tensor/recompute.ts";

/** Keys and values of one layer, [B, G, T, K] each. */
export interface LayerCache {
  readonly key: Tensor;
  readonly value: Tensor;
}

export interface Attending {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** By default 1/sqrt(K). */
  readonly scale?: number;
  /** Most positions that a token sees, itself included: the newest ones; by default all. */
  readonly window?: number | null;
}

export interface Reading {
  /** The ids read, [B, S]; [B] if one token per row is read. */
  readonly ids: Tensor;
  /** Positions of the ids, counted from 0: [S], the same in every row; [B] if one token per row is read. */
  readonly positions: Tensor;
  /** Whether no position occurs twice, for `gather`. */
  readonly distinctPositions: boolean;
  /** The hidden states [N, D] of the tokens, from embeddings in the shape of the ids, [B, S, D] or [B, D]. */
  tokens(embedded: Tensor): Tensor;
  /** Splits a projection [N, parts*heads*size] into its parts (such as GPT-2's queries, keys and values) and heads: [B, heads, S, size] each. */
  heads(x: Tensor, sizes: { readonly parts?: number; readonly heads: number; readonly size: number }): Tensor[];
  /** softmax(scale q k^T) v over the positions that each token may see. q [B, H, S, K], k and v [B, G, S, K] -> [N, H*K] */
  attend(layer: number, of: Attending): Tensor;
  /** Computes a block of the trunk, [N, D] -> [N, D]: plainly, or so that the backward pass computes it again. */
  block(x_N_D: Tensor, body: (x_N_D: Tensor) => Tensor): Tensor;
  /** What each layer has added to its cache, once its attention has been computed. */
  readonly cache: readonly LayerCache[];
}

/** Where the tokens of padded sequences are: without padding, one after the other, and at the places b*S + s. */
export interface Packing {
  /** The place of each token, int32 [T]. */
  readonly places: Tensor;
  /** For each place [B, S] the number of its token, int32; 0 for padding. */
  readonly numbers: Tensor;
}

export interface WholeSequences {
  /** Whether the backward pass computes the blocks of the trunk again. */
  readonly recompute?: boolean;
  /** Leaves padding out of everything but attention: N is then the number of tokens, T. */
  readonly packing?: Packing | null;
}

/** Reads ids [B, S], padded on the right: under the causal mask no real position sees padding. The cache covers all S positions. */
export function wholeSequences(ids: Tensor, { recompute = false, packing = null }: WholeSequences = {}): Reading {
  const [B, S] = ids.shape as [Dim, Dim];
  const places = product([B, S]);
  const [pack, unpack] = packing === null ? [same, same] : packedBy(packing, places);
  const masks = new Map<number | null, Tensor>();
  const maskOf = (window: number | null) => {
    const mask = masks.get(window) ?? causalMask(S, window);
    masks.set(window, mask);
    return mask;
  };
  const cache: LayerCache[] = [];
  return {
    ids,
    positions: range(S),
    distinctPositions: true,
    tokens: (embedded) => pack(reshape(embedded, [places, embedded.shape[2] as Dim])),
    cache,
    block: recompute ? recomputed : (x_N_D, body) => body(x_N_D),
    heads: (x, { parts = 1, heads, size }) =>
      // [B, S, parts, H, K] -> [parts, B, H, S, K]
      split(transpose(reshape(unpack(x), [B, S, parts, heads, size]), [2, 0, 3, 1, 4]), 0, parts).map((part) =>
        reshape(part, [B, heads, S, size]),
      ),
    attend: (layer, { q, k, v, scale, window = null }) => {
      cache[layer] = { key: k, value: v };
      const [, H, , K] = q.shape as [Dim, number, Dim, number];
      const mixed = attention(q, [{ key: k, value: v, mask: maskOf(window) }], scale ?? 1 / Math.sqrt(K));
      return pack(reshape(transpose(mixed, [0, 2, 1, 3]), [places, H * K]));
    },
  };
}

function same(x: Tensor): Tensor {
  return x;
}

/** From all places [B*S, C] to the tokens [T, C], and back. What stands at padding, a copy of the first token, takes no gradient. */
function packedBy({ places, numbers }: Packing, count: Dim): [(x: Tensor) => Tensor, (x: Tensor) => Tensor] {
  const number = reshape(numbers, [count]);
  const unpack = (x: Tensor) =>
    customGradient([gather(x, number)], [x], ([g]) => [gather(g as Tensor, places)])[0] as Tensor;
  return [(x) => gather(x, places, { distinct: true }), unpack];
}

export interface TokenReading {
  /** Ids of the new tokens, [B]. */
  readonly ids: Tensor;
  /** Positions of the new tokens, [B]. */
  readonly positions: Tensor;
  /** Layer by layer, what was read before this chunk of tokens; positions masked by [B, 1, 1, P] are not seen. */
  readonly past: readonly LayerCache[];
  readonly mask: Tensor;
  /** Layer by layer, what this chunk has added so far. */
  readonly recent: readonly LayerCache[];
}

/** Reads one new token per row. The cache is `recent`, extended by that token. */
export function oneToken({ ids, positions, past, mask, recent }: TokenReading): Reading {
  const [B] = ids.shape as [Dim];
  const cache: LayerCache[] = [];
  const masks = new Map<number, { past: Tensor; recent: Tensor }>();
  const masksOf = (window: number | null, read: Dim) => {
    if (window === null) return { past: mask, recent: null };
    const known = masks.get(window) ?? windowMasks(mask, { position_B: positions, read, window });
    masks.set(window, known);
    return known;
  };
  return {
    ids,
    positions,
    distinctPositions: false,
    tokens: same,
    cache,
    block: (x_N_D, body) => body(x_N_D),
    heads: (x, { parts = 1, heads, size }) => split(x, 1, parts).map((part) => reshape(part, [B, heads, 1, size])),
    attend: (layer, { q, k, v, scale, window = null }) => {
      const before = recent[layer] as LayerCache;
      const grown = { key: concat([before.key, k], 2), value: concat([before.value, v], 2) };
      cache[layer] = grown;
      const [, H, , K] = q.shape as [Dim, number, Dim, number];
      const seen = masksOf(window, grown.key.shape[2] as Dim);
      const parts = [
        { ...(past[layer] as LayerCache), mask: seen.past },
        seen.recent === null ? grown : { ...grown, mask: seen.recent },
      ];
      // Scaling q instead of the product keeps ONNX Runtime's kernel for one row.
      const mixed = attention(mul(q, scale ?? 1 / Math.sqrt(K)), parts, 1);
      return reshape(mixed, [B, H * K]);
    },
  };
}

/** softmax(scale q k^T + mask) v over positions in several parts. [B, H, S, K] -> [B, H, S, K] */
function attention(q: Tensor, parts: readonly (LayerCache & { readonly mask?: Tensor })[], scale: number): Tensor {
  const [B, H, S, K] = q.shape as [Dim, number, Dim, number];
  // Queries that share a head of keys and values are placed side by side, and attend as if they were additional positions.
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

/** A mask: 0 if a position may attend, a large negative number if not. [S, S] */
function causalMask(S: Dim, window: number | null): Tensor {
  const positions = range(S);
  const [from_S_1, to_1_S] = [reshape(positions, [S, 1]), reshape(positions, [1, S])];
  const mask = where(greater(to_1_S, from_S_1), constant(-1e30), constant(0));
  if (window === null) return mask;
  return where(less(add(to_1_S, constant(window - 1, [], "int64")), from_S_1), constant(-1e30), mask);
}

/** Masks of a window that ends at the new token, for its row's past [B, 1, 1, P], and for the `read` tokens of this chunk, the new one included. */
function windowMasks(
  mask: Tensor,
  { position_B, read, window }: { readonly position_B: Tensor; readonly read: Dim; readonly window: number },
): { past: Tensor; recent: Tensor } {
  const [B] = position_B.shape as [Dim];
  // Positions of a row are contiguous, and its padding has none: a slot's position is the number of visible slots before it.
  const through = cumsum(where(less(mask, 0), constant(0), constant(1)));
  const first = reshape(sub(cast(position_B, "float32"), window - 1), [B, 1, 1, 1]);
  const tooOld = less(add(range(read), constant(window, [], "int64")), sizeOf(read));
  return {
    past: where(less(sub(through, 1), first), constant(-1e30), mask),
    recent: where(tooOld, constant(-1e30), constant(0)),
  };
}
