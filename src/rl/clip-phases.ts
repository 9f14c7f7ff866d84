/** The clip range in three phases (CONTROL.md, section 3): wide, then by KL and the reward's slope, then fine. */

export interface ClipRange {
  readonly low: number;
  readonly high: number;
}

/** Phases never go below it. */
const narrowest = 0.05;
/** What is left of the range where the reward's slope is not positive. */
const ofNoSlope = 0.9;

/**
 * The range of one iteration. In the first quarter both sides are `wide`. To the last quarter each side of the base is
 * multiplied by min(1, target / KL), and by 0.9 where the reward's slope is not positive; in the last quarter the range stays
 * where it is. A KL or slope that is not known, or not a number, narrows nothing.
 */
export function clipRangeAt(options: {
  readonly base: ClipRange;
  readonly wide: number;
  readonly iteration: number;
  readonly iterations: number;
  /** In force in the iteration before. */
  readonly before: ClipRange;
  /** Of the iteration before: KL to the reference over its target, and the slope of the mean score. */
  readonly klToTarget?: number | undefined;
  readonly rewardSlope?: number | undefined;
}): ClipRange {
  const { base, wide, iteration, iterations, before, klToTarget, rewardSlope } = options;
  if (iteration < iterations / 4) return { low: wide, high: wide };
  if (iteration >= (3 * iterations) / 4) return before;
  const ofKl = klToTarget !== undefined && klToTarget > 1 ? 1 / klToTarget : 1;
  const factor = ofKl * (rewardSlope !== undefined && rewardSlope <= 0 ? ofNoSlope : 1);
  // A base that is narrower to begin with stays what it is.
  const side = (x: number) => Math.max(Math.min(x, narrowest), x * factor);
  return { low: side(base.low), high: side(base.high) };
}
