/** The hue and the letter of each run. */

/** The number of hues in the style sheet: `--run-1` to `--run-8`. */
const count = 8;

export interface RunInk {
  readonly id: string;
  /** A letter, so that runs do not differ only by hue: A, B, ... in the order of the address. */
  readonly letter: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  /** Whether the line is dashed: those beyond the eighth are, since hues repeat. */
  readonly dashed: boolean;
}

/** The hue, from 0, that a run has unless it is taken. Up to eight names that differ only in their number have different hues. */
export function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % count;
}

/** The name of a hue in the style sheet. */
export function colourOf(id: string): string {
  return `--run-${hueOf(id) + 1}`;
}

/** The colours of runs: each has its own hue, or the next free one. */
export function inksOf(ids: readonly string[]): RunInk[] {
  const taken = new Set<number>();
  return ids.map((id, i) => {
    let hue = hueOf(id);
    if (taken.size < count) while (taken.has(hue)) hue = (hue + 1) % count;
    taken.add(hue);
    return { id, letter: letterOf(i), colour: `--run-${hue + 1}`, dashed: i >= count };
  });
}

/** The letter of the place i, from 0: A to Z, then AA. */
export function letterOf(i: number): string {
  const last = String.fromCharCode(65 + (i % 26));
  return i < 26 ? last : letterOf(Math.floor(i / 26) - 1) + last;
}
