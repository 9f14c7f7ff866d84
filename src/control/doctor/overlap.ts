/** Texts of one list that occur in a second list: exactly, or nearly by their shingles. */

/** Letters per shingle; short enough for prompts of a few words. */
const shingleLength = 5;

/** The text in lower case, trimmed, with single spaces: little else distinguishes two prompts for a model. */
export function normalised(text: string): string {
  return text.toLowerCase().replace(/\s+/g, " ").trim();
}

/** The distinct runs of five characters of the normalised text; the text itself if it is shorter. */
export function shingles(text: string): Set<string> {
  const plain = normalised(text);
  const result = new Set<string>();
  for (let i = 0; i + shingleLength <= plain.length; i++) result.add(plain.slice(i, i + shingleLength));
  if (result.size === 0) result.add(plain);
  return result;
}

/** Shingles in common divided by the shingles of either (Jaccard; Broder 1997). */
export function similarity(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const shingle of a.size < b.size ? a : b) if (a.has(shingle) && b.has(shingle)) common++;
  return common / (a.size + b.size - common);
}

export interface Pair {
  readonly text: string;
  /** The text that it resembles. */
  readonly like: string;
  readonly similarity: number;
}

export interface Overlap {
  /** Number of distinct texts that were looked up. */
  readonly count: number;
  /** Texts that occur in the second list, letter by letter after normalisation. */
  readonly exact: readonly string[];
  /** Of the rest, texts whose similarity with a text of the second list is at least `threshold`. */
  readonly near: readonly Pair[];
}

/**
 * Which of `texts` occur in `others`, exactly or nearly. Nearly means that the Jaccard similarity of their sets of five-character shingles is at
 * least `threshold`. Every such pair is found: it must share one of each text's rarest shingles (prefix filtering; Chaudhuri et al. 2006), and only
 * those are looked up.
 */
export function overlap(
  texts: readonly string[],
  others: readonly string[],
  { threshold = 0.8 }: { readonly threshold?: number } = {},
): Overlap {
  const known = [...new Set(others.map(normalised))];
  const knownSet = new Set(known);
  const wanted = [...new Map(texts.map((text) => [normalised(text), text]))];
  const exact = wanted.filter(([plain]) => knownSet.has(plain)).map(([, text]) => text);
  const rest = wanted.filter(([plain]) => !knownSet.has(plain));

  const sets = known.map(shingles);
  const counts = new Map<string, number>();
  for (const set of sets) for (const shingle of set) counts.set(shingle, (counts.get(shingle) ?? 0) + 1);
  const rarest = (set: ReadonlySet<string>) =>
    [...set]
      .sort((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0) || (a < b ? -1 : 1))
      .slice(0, set.size - Math.ceil(threshold * set.size) + 1);
  const index = new Map<string, number[]>();
  sets.forEach((set, i) => {
    for (const shingle of rarest(set)) {
      const list = index.get(shingle);
      if (list) list.push(i);
      else index.set(shingle, [i]);
    }
  });
  const near = rest.flatMap(([plain, text]): Pair[] => {
    const set = shingles(plain);
    const candidates = new Set(rarest(set).flatMap((shingle) => index.get(shingle) ?? []));
    let best: Pair | null = null;
    for (const i of candidates) {
      const found = similarity(set, sets[i]!);
      if (found >= threshold && found > (best?.similarity ?? 0)) best = { text, like: known[i]!, similarity: found };
    }
    return best === null ? [] : [best];
  });
  return { count: wanted.length, exact, near };
}
