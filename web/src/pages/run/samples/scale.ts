/** The scale by which tokens are coloured: which number, its distance from zero, and the meaning of the ends. */
import type { PageSample } from "../../../../../src/types/page.ts";

export const colours = ["advantage", "kl", "value", "logprob"] as const;
export type Colour = (typeof colours)[number];

/** A level from -`steps` to `steps`, with 0 uncoloured; null is a number that is not finite. */
export type Level = number | null;
export const steps = 4;

export interface Scale {
  readonly colour: Colour;
  /** Distance of the ends from zero: nine in ten tokens are within; for log-probabilities it is at least that of one in ten. */
  readonly bound: number;
}

export const meaning: Readonly<
  Record<Colour, { readonly says: string; readonly unit: string; readonly low: string; readonly high: string | null }>
> = {
  advantage: { says: "Advantage", unit: "", low: "worse than expected", high: "better than expected" },
  kl: { says: "KL", unit: "log p − log p_ref, nats", low: "rarer than in the reference", high: "likelier than in it" },
  value: { says: "Value", unit: "", low: "little reward expected", high: "much reward expected" },
  logprob: { says: "Log-probability", unit: "nats", low: "improbable", high: null },
};

/** One number per token. */
export function numbersOf(
  { advantages, logprobs, refLogprobs, values }: Pick<PageSample, "advantages" | "logprobs" | "refLogprobs" | "values">,
  colour: Colour,
): readonly number[] {
  if (colour === "advantage") return advantages.map(Number);
  if (colour === "value") return values.map(Number);
  if (colour === "logprob") return logprobs.map(Number);
  return logprobs.map((logprob, i) => Number(logprob) - Number(refLogprobs[i] ?? "NaN"));
}

/** One scale for all samples that are shown together, so that their colours can be compared. */
export function scaleOf(samples: readonly PageSample[], colour: Colour): Scale {
  const sizes: number[] = [];
  for (const sample of samples)
    for (const number of numbersOf(sample, colour)) if (Number.isFinite(number)) sizes.push(Math.abs(number));
  sizes.sort((a, b) => a - b);
  const bound = sizes[Math.min(sizes.length - 1, Math.floor(0.9 * sizes.length))] ?? 0;
  // The largest if nine in ten are zero; any number if all are.
  const reach = bound || sizes.at(-1) || 1;
  // A token likelier than one in ten is not improbable, however sure the policy is of the others.
  return { colour, bound: colour === "logprob" ? Math.max(reach, Math.LN10) : reach };
}

export function levelOf(number: number, { bound }: Scale): Level {
  if (!Number.isFinite(number)) return null;
  const level = Math.round((number / bound) * steps);
  // Turns -0 into 0.
  return Math.max(-steps, Math.min(steps, level)) || 0;
}

/** The class that draws a level: colour, and the weight and kind of its underline. */
export function levelClass(level: Level): string {
  if (level === null) return "lv lv-bad";
  return level === 0 ? "lv" : `lv lv-${level < 0 ? "low" : "high"}-${Math.abs(level)}`;
}
