/** How varied and how repetitive token sequences are. */
import { mean } from "./statistics.ts";

/** Distinct n-grams divided by all n-grams of all rows together (Li et al. 2016); NaN if no row has n tokens. */
export function distinctN(rows: readonly (readonly number[])[], n: number): number {
  if (n === 2) return distinctPairs(rows);
  const tokens = new Int32Array(rows.reduce((total, row) => total + row.length, 0));
  const begins: [number, number][] = [];
  let at = 0;
  let total = 0;
  for (const row of rows) {
    // Not set(), which takes longer for a list of numbers.
    for (let t = 0; t < row.length; t++) tokens[at + t] = row[t]!;
    const grams = Math.max(0, row.length - n + 1);
    begins.push([at, at + grams]);
    at += row.length;
    total += grams;
  }
  return distinctGrams(tokens, n, begins) / total;
}

/**
 * Distinct pairs of neighbours divided by all: the second tokens are sorted by their first (a counting sort), then each first token's are counted. For many
 * rows that takes a sixth of a hash table's time, which does not fit into the processor's cache.
 */
function distinctPairs(rows: readonly (readonly number[])[]): number {
  let size = 0;
  for (const row of rows) for (let t = 0; t < row.length; t++) if (row[t]! >= size) size = row[t]! + 1;
  const starts = new Uint32Array(size + 1);
  for (const row of rows) for (let t = 0; t + 1 < row.length; t++) starts[row[t]! + 1]!++;
  for (let token = 0; token < size; token++) starts[token + 1]! += starts[token]!;
  const total = starts[size]!;
  const next = starts.slice();
  const seconds = new Uint32Array(total);
  for (const row of rows) for (let t = 0; t + 1 < row.length; t++) seconds[next[row[t]!]!++] = row[t + 1]!;
  /** For each second token one more than the last first token before which it was found. */
  const found = new Uint32Array(size);
  let distinct = 0;
  for (let first = 0; first < size; first++) {
    for (let i = starts[first]!; i < starts[first + 1]!; i++) {
      if (found[seconds[i]!] === first + 1) continue;
      found[seconds[i]!] = first + 1;
      distinct++;
    }
  }
  return distinct / total;
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
function distinctGrams(
  tokens: Int32Array,
  n: number,
  begins: readonly (readonly [from: number, to: number])[],
): number {
  let slots = 64;
  while (slots < 2 * tokens.length) slots *= 2;
  const places = new Int32Array(slots).fill(-1);
  let distinct = 0;
  for (const [from, to] of begins) {
    for (let place = from; place < to; place++) {
      let hash = n;
      for (let i = 0; i < n; i++) hash = Math.imul(hash, 0x9e3779b1) + tokens[place + i]!;
      hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
      let slot = (hash ^ (hash >>> 13)) & (slots - 1);
      let other = places[slot]!;
      while (other !== -1) {
        let i = 0;
        while (i < n && tokens[other + i] === tokens[place + i]) i++;
        if (i === n) break;
        slot = (slot + 1) & (slots - 1);
        other = places[slot]!;
      }
      if (other !== -1) continue;
      places[slot] = place;
      distinct++;
    }
  }
  return distinct;
}

/** A 32-bit hash of a hash and a whole number: a round of MurmurHash3 (Appleby, public domain). */
function mixed(hash: number, x: number): number {
  let k = Math.imul(x, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593) ^ hash;
  k = (Math.imul((k << 13) | (k >>> 19), 5) + 0xe6546b64) | 0;
  return k ^ (k >>> 16);
}
