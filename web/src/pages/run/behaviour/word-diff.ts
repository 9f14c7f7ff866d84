/** The difference of two texts, word by word: the longest common subsequence of their words (Wagner and Fischer, 1974). */

export interface Span {
  readonly text: string;
  readonly changed: boolean;
}

export interface WordDiff {
  readonly a: readonly Span[];
  readonly b: readonly Span[];
  /** True if too many words differ to compare: everything between the common ends counts as changed. */
  readonly whole: boolean;
}

/** Most cells of the table, which take a millisecond or two. */
const mostCells = 1_000_000;

export function wordDiff(a: string, b: string): WordDiff {
  const [left, right] = [wordsOf(a), wordsOf(b)];
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let end = 0;
  const most = Math.min(left.length, right.length) - start;
  while (end < most && left.at(-1 - end) === right.at(-1 - end)) end++;
  const [m, n] = [left.length - start - end, right.length - start - end];
  const whole = m * n > mostCells;
  const kept = whole
    ? { a: new Set<number>(), b: new Set<number>() }
    : common(left.slice(start, start + m), right.slice(start, start + n));
  const spans = (words: readonly string[], middle: number, keeps: ReadonlySet<number>) =>
    joined(words, (i) => i >= start && i < start + middle && !keeps.has(i - start));
  return { a: spans(left, m, kept.a), b: spans(right, n, kept.b), whole };
}

/** Words with their trailing white space, so that joining them restores the text. */
export function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}_'’]+\s*|[^\p{L}\p{N}\p{M}_'’\s]\s*|\s+/gu) ?? [];
}

/** Positions, in each text, of the words that both have, in order. */
function common(a: readonly string[], b: readonly string[]): { a: Set<number>; b: Set<number> } {
  const width = b.length + 1;
  // length[i, j]: the longest common subsequence of a from i on and b from j on.
  const length_A_B = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      length_A_B[i * width + j] = same(a[i]!, b[j]!)
        ? length_A_B[(i + 1) * width + j + 1]! + 1
        : Math.max(length_A_B[(i + 1) * width + j]!, length_A_B[i * width + j + 1]!);
  const kept = { a: new Set<number>(), b: new Set<number>() };
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (same(a[i]!, b[j]!)) {
      kept.a.add(i++);
      kept.b.add(j++);
    } else if (length_A_B[(i + 1) * width + j]! >= length_A_B[i * width + j + 1]!) i++;
    else j++;
  }
  return kept;
}

/** Whether two words are equal; white space after the last word of a text does not count as a change. */
function same(a: string, b: string): boolean {
  return a === b || (a.trimEnd() !== "" && a.trimEnd() === b.trimEnd() && !/\n/.test(a + b));
}

function joined(words: readonly string[], changed: (index: number) => boolean): Span[] {
  const spans: { text: string; changed: boolean }[] = [];
  words.forEach((text, i) => {
    const last = spans.at(-1);
    if (last !== undefined && last.changed === changed(i)) last.text += text;
    else spans.push({ text, changed: changed(i) });
  });
  return spans;
}
