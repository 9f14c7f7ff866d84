/** Which hue and which letter a run has. */

/** As many as the style sheet has: `--run-1` to `--run-8`. */
const count = 8;

export interface RunInk {
  readonly id: string;
  /** Beside the hue, so that hue is not all: A, B, ... by the order of the address. */
  readonly letter: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  /** Lines beyond the eighth are dashed, since hues begin again. */
  readonly dashed: boolean;
}

/** From 0: the hue that a run has wherever it can. Names that differ in their number alone, up to eight of them, have hues that differ. */
export function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % count;
}

/** The name of a hue in the style sheet. */
export function colourOf(id: string): string {
  return `--run-${hueOf(id) + 1}`;
}

/** Each run has its own hue, or the next one that is free. */
export function inksOf(ids: readonly string[]): RunInk[] {
  const taken = new Set<number>();
  return ids.map((id, i) => {
    let hue = hueOf(id);
    if (taken.size < count) while (taken.has(hue)) hue = (hue + 1) % count;
    taken.add(hue);
    return { id, letter: letterOf(i), colour: `--run-${hue + 1}`, dashed: i >= count };
  });
}

function letterOf(i: number): string {
  const last = String.fromCharCode(65 + (i % 26));
  return i < 26 ? last : letterOf(Math.floor(i / 26) - 1) + last;
}
