/**
 * Finds texts that are nearly the same: MinHash over triples of words, by one permutation in 64 bins (Li et al. 2012), with banding, so that a
 * text is compared only with those that share a band.
 */

const bins = 64;
const rowsOfBand = 4;
/** Least share of bins that agree: an estimate of the Jaccard index with a standard deviation of 0.05 at 0.8. */
const leastAlike = 0.8;
/** Texts below this number of words have too few triples to say anything. */
const leastWords = 8;

export interface NearDuplicates {
  /** Adds a text; the index of an earlier text that is nearly the same, or null. */
  add(text: string, index: number): number | null;
}

/** Letter case and punctuation do not count. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

export function createNearDuplicates(): NearDuplicates {
  const signatures: { readonly index: number; readonly bins: Uint32Array }[] = [];
  const bands = new Map<number, number[]>();
  return {
    add(text, index) {
      const words = wordsOf(text);
      if (words.length < leastWords) return null;
      const signature = signatureOf(words);
      const keys = Array.from({ length: bins / rowsOfBand }, (_, band) =>
        hashOf(signature.subarray(band * rowsOfBand, (band + 1) * rowsOfBand), band),
      );
      const seen = new Set(keys.flatMap((key) => bands.get(key) ?? []));
      const found = [...seen].find((other) => alike(signatures[other]!.bins, signature) >= leastAlike);
      const own = signatures.push({ index, bins: signature }) - 1;
      // A text like an earlier one adds no band: the earlier one stands for both.
      if (found === undefined)
        for (const key of keys) {
          const list = bands.get(key);
          if (list) list.push(own);
          else bands.set(key, [own]);
        }
      return found === undefined ? null : signatures[found]!.index;
    },
  };
}

function signatureOf(words: readonly string[]): Uint32Array {
  const signature = new Uint32Array(bins).fill(0xffffffff);
  for (let i = 0; i + 2 < words.length; i++) {
    const hash = textHash(`${words[i]} ${words[i + 1]} ${words[i + 2]}`);
    const bin = hash % bins;
    if (hash < signature[bin]!) signature[bin] = hash;
  }
  return signature;
}

function alike(a: Uint32Array, b: Uint32Array): number {
  let [same, filled] = [0, 0];
  for (let i = 0; i < bins; i++) {
    if (a[i] === 0xffffffff && b[i] === 0xffffffff) continue;
    filled++;
    if (a[i] === b[i]) same++;
  }
  return filled === 0 ? 0 : same / filled;
}

/** FNV-1a over UTF-16 units, mixed as MurmurHash3 ends. */
function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

function hashOf(values: Uint32Array, seed: number): number {
  let hash = mixed(seed + 1);
  for (const value of values) hash = mixed(Math.imul(hash ^ value, 0x01000193));
  // Room for the band, so that two bands never meet.
  return hash * bins + seed;
}

function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
