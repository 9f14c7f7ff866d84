/** "Did you mean": the word nearest to a misspelt one, and the multiples nearest to a number that does not divide. */

/**
 * The candidate within an edit distance of a third of the word's length (at least 2 for words of 4 letters or more), else the only one that begins
 * with a word of 3 letters or more, or undefined. Case is ignored; the first of equally near candidates wins.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(word.length >= 4 ? 2 : 1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  if (best !== undefined || word.length < 3) return best;
  const longer = candidates.filter((candidate) => candidate.toLowerCase().startsWith(word.toLowerCase()));
  return new Set(longer).size === 1 ? longer[0] : undefined;
}

/** `; did you mean diff?`, or nothing if no candidate is near. */
export function meant(word: string, candidates: readonly string[]): string {
  const near = nearest(word, candidates);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** Insertions, deletions, substitutions and swaps of neighbours between two words (Damerau's optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const above = rows[i - 1]!;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The nearest multiples of `step` below and above n, without 0. */
export function multiplesNear(n: number, step: number): number[] {
  const below = Math.floor(n / step) * step;
  return below === 0 ? [step] : [below, below + step];
}
