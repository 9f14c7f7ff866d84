/** How varied and how repetitive token sequences are. */
import { mean } from "./statistics.ts";

/** Distinct n-grams divided by all n-grams of all rows together (Li et al. 2016); NaN if no row has n tokens. */
export function distinctN(rows: readonly (readonly number[])[], n: number): number {
  const tokens = new Int32Array(rows.reduce((total, row) => total + row.length, 0));
  const begins: [number, number][] = [];
  let at = 0;
  let total = 0;
  for (const row of rows) {
    tokens.set(row, at);
    const grams = Math.max(0, row.length - n + 1);
    begins.push([at, at + grams]);
    at += row.length;
    total += grams;
  }
  return distinctGrams(tokens, n, begins) / total;
}

/** Share of a sequence's n-grams that repeat an earlier one in the same sequence; 0 if it is shorter than n. */
export function repeatedNgramShare(tokens: readonly number[], n: number): number {
  return tokens.length < n ? 0 : 1 - distinctN([tokens], n);
}

/** The number of distinct rows divided by the number of rows. */
export function distinctShare(rows: readonly (readonly number[])[]): number {
  return new Set(firstEqual(rows)).size / rows.length;
}

/** For each row the index of the first that is equal to it. */
export function firstEqual(rows: readonly (readonly number[])[]): number[] {
  const byHash = new Map<number, number[]>();
  return rows.map((row, i) => {
    let hash = row.length;
    for (const token of row) hash = mixed(hash, token);
    const candidates = byHash.get(hash) ?? [];
    const found = candidates.find((j) => rows[j] === row || isEqual(rows[j]!, row));
    if (found !== undefined) return found;
    byHash.set(hash, [...candidates, i]);
    return i;
  });
}

function isEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, t) => token === b[t]);
}

/**
 * How often two responses to the same prompt are identical, token by token: the share of equal pairs, averaged over the prompts with at
 * least two responses. NaN if no prompt has two.
 */
export function repeatAgreement(
  prompts: readonly (readonly number[])[],
  responses: readonly (readonly number[])[],
): number {
  const countsByPrompt = new Map<number, Map<number, number>>();
  const ofResponse = firstEqual(responses);
  for (const [i, prompt] of firstEqual(prompts).entries()) {
    const counts = countsByPrompt.get(prompt) ?? new Map<number, number>();
    const response = ofResponse[i]!;
    counts.set(response, (counts.get(response) ?? 0) + 1);
    countsByPrompt.set(prompt, counts);
  }
  const pairs = (n: number): number => (n * (n - 1)) / 2;
  const shares: number[] = [];
  for (const counts of countsByPrompt.values()) {
    let samples = 0;
    let equal = 0;
    for (const count of counts.values()) {
      samples += count;
      equal += pairs(count);
    }
    if (samples > 1) shares.push(equal / pairs(samples));
  }
  return mean(shares);
}

/**
 * The number of different n-grams of a flat list of tokens, of those that begin at the given places: a hash table of places (linear probing), at which
 * the tokens themselves are compared. It takes a tenth of a Set's time and memory.
 */
function distinctGrams(tokens: Int32Array, n: number, begins: Iterable<readonly [from: number, to: number]>): number {
  let slots = 64;
  while (slots < Math.min(2 * tokens.length, 8192)) slots *= 2;
  let places = new Int32Array(slots).fill(-1);
  let size = 0;
  const hashAt = (place: number) => {
    let hash = n;
    for (let i = 0; i < n; i++) hash = mixed(hash, tokens[place + i]!);
    return hash;
  };
  const equal = (a: number, b: number) => {
    for (let i = 0; i < n; i++) if (tokens[a + i] !== tokens[b + i]) return false;
    return true;
  };
  /** The slot of an equal n-gram, or a free one. */
  const find = (place: number) => {
    let slot = hashAt(place) & (slots - 1);
    while (places[slot] !== -1 && !equal(places[slot]!, place)) slot = (slot + 1) & (slots - 1);
    return slot;
  };
  for (const [from, to] of begins) {
    for (let place = from; place < to; place++) {
      const slot = find(place);
      if (places[slot] !== -1) continue;
      places[slot] = place;
      if (2 * ++size <= slots) continue;
      const old = places;
      slots *= 4;
      places = new Int32Array(slots).fill(-1);
      for (const other of old) if (other !== -1) places[find(other)] = other;
    }
  }
  return size;
}

/** A 32-bit hash of a hash and a whole number: a round of MurmurHash3 (Appleby, public domain). */
function mixed(hash: number, x: number): number {
  let k = Math.imul(x, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593) ^ hash;
  k = (Math.imul((k << 13) | (k >>> 19), 5) + 0xe6546b64) | 0;
  return k ^ (k >>> 16);
}
