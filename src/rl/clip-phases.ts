/** The clip range in three phases: wide, then narrowed by the KL and the reward's slope, then held for fine-tuning. */

export interface ClipRange {
  readonly low: number;
  readonly high: number;
}

/** The narrowest clip range that a phase may set. */
const narrowest = 0.05;
/** The factor applied to the range when the reward's slope is not positive. */
const ofNoSlope = 0.9;

/**
 * The clip range of one iteration. In the first quarter of the iterations both sides are `wide`. Until the last quarter each side of the
 * base is multiplied by min(1, target / KL), and by 0.9 if the reward's slope is not positive; in the last quarter the range stays what it
 * was. An unknown KL or slope, or one that is not a number, narrows nothing.
 */
export function clipRangeAt(options: {
  readonly base: ClipRange;
  readonly wide: number;
  readonly iteration: number;
  readonly iterations: number;
  /** The range in force in the previous iteration. */
  readonly before: ClipRange;
  /** From the previous iteration: the KL to the reference divided by its target, and the slope of the mean score. */
  readonly klToTarget?: number | undefined;
  readonly rewardSlope?: number | undefined;
}): ClipRange {
  const { base, wide, iteration, iterations, before, klToTarget, rewardSlope } = options;
  if (iteration < iterations / 4) return { low: wide, high: wide };
  if (iteration >= (3 * iterations) / 4) return before;
  const ofKl = klToTarget !== undefined && klToTarget > 1 ? 1 / klToTarget : 1;
  const factor = ofKl * (rewardSlope !== undefined && rewardSlope <= 0 ? ofNoSlope : 1);
  // A base that starts out narrower stays as it is.
  const side = (x: number) => Math.max(Math.min(x, narrowest), x * factor);
  return { low: side(base.low), high: side(base.high) };
}
