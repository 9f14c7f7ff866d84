/**
 * Trains byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2): merges the most frequent pair of neighbouring tokens within words, again and again.
 *
 * Counts of pairs change only where a merge happened. Ties go to the pair whose ids are smaller, the left one first, as in Hugging Face's tokenizers.
 */
import { byteSymbols } from "./bytes.ts";

/** GPT-2's pattern of words (Radford et al. 2019): a space belongs to the word after it. It covers every text, and runs in linear time. */
export const bpePattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** `\s` of other engines: JavaScript's own has U+FEFF, and lacks U+0085. */
const words = new RegExp(bpePattern.replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}"), "gu");

export interface BpeOptions {
  /** Tokens that come first; no text becomes one of them. */
  readonly specials: readonly string[];
  /** Largest vocabulary, special tokens and the 256 bytes included. */
  readonly vocabularySize: number;
  /** Fewest occurrences of a pair that is merged: 2, as in the ByteLevelBPETokenizer of Hugging Face's tokenizers. */
  readonly minCount?: number;
}

export interface TrainedBpe {
  /** Tokens by id: specials, bytes in the order of their symbols, merged pairs. */
  readonly tokens: readonly string[];
  /** The pairs in the order in which they were merged. */
  readonly merges: readonly (readonly [string, string])[];
}

/** Learns the merges. The result depends on nothing but the texts and the options; the order of the texts does not matter. */
export function trainBpe(texts: Iterable<string>, { specials, vocabularySize, minCount = 2 }: BpeOptions): TrainedBpe {
  const alphabet = [...byteSymbols].sort();
  const tokens = [...specials, ...alphabet];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const idOfByte = byteSymbols.map((symbol) => ids.get(symbol)!);
  const counted = countWords(texts);
  const sequences = [...counted.keys()].map((word) => Array.from(Buffer.from(word, "utf8"), (byte) => idOfByte[byte]!));
  const counts = [...counted.values()];
  const pairs = new PairCounts();
  for (const [word, sequence] of sequences.entries())
    for (let i = 0; i + 1 < sequence.length; i++) pairs.add(sequence[i]!, sequence[i + 1]!, counts[word]!, word);
  pairs.queueChanged();

  const merges: [string, string][] = [];
  while (tokens.length < vocabularySize) {
    const best = pairs.takeBest();
    if (best === null || best.count < Math.max(1, minCount)) break;
    const { left, right } = best;
    const text = tokens[left]! + tokens[right]!;
    // Two different pairs may be the same text: a token has one id.
    const id = ids.get(text) ?? tokens.push(text) - 1;
    ids.set(text, id);
    merges.push([tokens[left]!, tokens[right]!]);
    for (const word of best.words) mergeIn(sequences[word]!, { left, right, id, word, count: counts[word]!, pairs });
    pairs.forget(best);
    pairs.queueChanged();
  }
  return { tokens, merges };
}

function countWords(texts: Iterable<string>): Map<string, number> {
  const counted = new Map<string, number>();
  for (const text of texts) for (const [word] of text.matchAll(words)) counted.set(word, (counted.get(word) ?? 0) + 1);
  return counted;
}

interface Merge {
  readonly left: number;
  readonly right: number;
  readonly id: number;
  readonly word: number;
  readonly count: number;
  readonly pairs: PairCounts;
}

/** Replaces the pair in a word from left to right, and counts what that does to the pairs around it. */
function mergeIn(sequence: number[], { left, right, id, word, count, pairs }: Merge): void {
  let to = 0;
  for (let i = 0; i < sequence.length; i++, to++) {
    if (sequence[i] !== left || sequence[i + 1] !== right || i + 1 === sequence.length) {
      sequence[to] = sequence[i]!;
      continue;
    }
    if (to > 0) {
      pairs.add(sequence[to - 1]!, left, -count, word);
      pairs.add(sequence[to - 1]!, id, count, word);
    }
    if (i + 2 < sequence.length) {
      pairs.add(right, sequence[i + 2]!, -count, word);
      pairs.add(id, sequence[i + 2]!, count, word);
    }
    sequence[to] = id;
    i++;
  }
  sequence.length = to;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** The count under which the pair stands in the queue; the queue may hold older ones. */
  queued: number;
  words: Set<number>;
}

/** Counts of pairs, the words that hold them, and a queue of the most frequent. */
class PairCounts {
  readonly #pairs = new Map<number, Pair>();
  readonly #heap: { pair: Pair; count: number }[] = [];
  #changed = new Set<Pair>();

  add(left: number, right: number, count: number, word: number): void {
    // Ids stay below 2^26, so that a key is a whole number.
    const key = left * 2 ** 26 + right;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, queued: 0, words: new Set() };
      this.#pairs.set(key, pair);
    }
    pair.count += count;
    if (count > 0) {
      pair.words.add(word);
      this.#changed.add(pair);
    }
  }

  /** Queues pairs that became more frequent; one that became rarer is put right when its turn comes. */
  queueChanged(): void {
    for (const pair of this.#changed) if (pair.count > pair.queued) this.#push(pair);
    this.#changed = new Set();
  }

  /** Removes a pair whose every occurrence was merged: overlapping ones (`aaa`) have left a remainder. */
  forget({ left, right }: Pair): void {
    this.#pairs.delete(left * 2 ** 26 + right);
  }

  /** The most frequent pair; null if none is left. */
  takeBest(): Pair | null {
    for (let top = this.#pop(); top !== undefined; top = this.#pop()) {
      const { pair, count } = top;
      if (count !== pair.queued) continue;
      if (count !== pair.count) {
        pair.queued = 0;
        if (pair.count > 0) this.#push(pair);
        continue;
      }
      // Its older entries in the queue are void.
      pair.queued = -1;
      return pair;
    }
    return null;
  }

  #push(pair: Pair): void {
    pair.queued = pair.count;
    const heap = this.#heap;
    const entry = { pair, count: pair.count };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!comesFirst(entry, heap[up]!)) break;
      heap[at] = heap[up]!;
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): { pair: Pair; count: number } | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && comesFirst(heap[down + 1]!, heap[down]!)) down++;
      if (!comesFirst(heap[down]!, last)) break;
      heap[at] = heap[down]!;
      at = down;
    }
    heap[at] = last;
    return top;
  }
}

function comesFirst(a: { pair: Pair; count: number }, b: { pair: Pair; count: number }): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left !== b.pair.left ? a.pair.left < b.pair.left : a.pair.right < b.pair.right;
}
