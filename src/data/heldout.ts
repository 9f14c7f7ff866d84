/** A held-out split by prompt, and the number of held-out rows whose prompt is also trained on. */
import type { Message } from "../text/index.ts";
import { random } from "../util/random.ts";

interface Prompted {
  readonly prompt: readonly Message[];
  /** Of a plain text, which has no prompt and is a group of its own. */
  readonly plain?: true;
  readonly completion?: string;
}

/**
 * Holds out about `share` of the rows, at least one if the share is above 0 and there are two; each side keeps the rows' order. Rows with
 * the same prompt stay together (so fewer rows may be held out, or more if one prompt has many). Only if all rows have the same prompt are
 * they split individually.
 */
export function splitHeldOut<Row extends Prompted>(
  rows: readonly Row[],
  share: number,
  seed: number,
): { train: Row[]; heldOut: Row[] } {
  const wanted =
    share > 0 && rows.length > 1 ? Math.min(rows.length - 1, Math.max(1, Math.round(rows.length * share))) : 0;
  let groups = new Map<string, number[]>();
  for (const [index, row] of rows.entries()) {
    const key = row.plain ? `text ${row.completion}` : JSON.stringify(row.prompt);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  }
  if (groups.size === 1) groups = new Map(rows.map((_, index) => [String(index), [index]]));

  const shuffled = random(seed, "held-out").shuffle([...groups.values()]);
  const heldOut = new Set<number>();
  for (const group of shuffled) {
    if (heldOut.size + group.length <= wanted) for (const index of group) heldOut.add(index);
  }
  if (heldOut.size === 0 && wanted > 0) {
    for (const index of shuffled.reduce((a, b) => (b.length < a.length ? b : a))) heldOut.add(index);
  }
  return {
    train: rows.filter((_, index) => !heldOut.has(index)),
    heldOut: rows.filter((_, index) => heldOut.has(index)),
  };
}

/** The number of held-out rows whose prompt, ignoring surrounding space, training rows have too. */
export function alsoTrainedOn({ train, heldOut }: Readonly<Record<"train" | "heldOut", readonly Prompted[]>>): number {
  const held = new Set(heldOut.map(promptKey));
  // Only these are kept: the training rows may be millions.
  const shared = new Set<string>();
  if (held.size > 0)
    for (const row of train) {
      const key = promptKey(row);
      if (held.has(key)) shared.add(key);
    }
  return shared.size === 0 ? 0 : heldOut.filter((row) => shared.has(promptKey(row))).length;
}

function promptKey({ prompt, plain, completion }: Prompted): string {
  if (plain) return `text ${completion!.trim()}`;
  return JSON.stringify(prompt.map(({ role, content }) => [role, content.trim()]));
}
