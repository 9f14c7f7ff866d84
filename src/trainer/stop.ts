/** Ends training, as done, when a target of `ppo.stop.when` is met. */
import type { PpoConfig } from "../settings/config-schema.ts";
import type { MetricValues } from "../types/records.ts";

type Target = PpoConfig["stop"]["when"][number];

/** A run's progress towards a target. */
export interface TargetProgress {
  /** Consecutive measurements in which the target held. */
  readonly inARow: number;
  /** The newest measurement; null before the first. */
  readonly value: number | null;
}

/**
 * One entry per target, after an iteration with these metrics. An iteration that does not measure the signal changes nothing; for a NaN the target
 * does not hold.
 */
export function observeTargets(
  targets: readonly Target[],
  progress: readonly TargetProgress[],
  values: MetricValues,
): TargetProgress[] {
  return targets.map((target, i) => {
    const before = progress[i] ?? { inARow: 0, value: null };
    const value = values[target.signal];
    if (value === undefined) return before;
    return { inARow: holds(target, value) ? before.inARow + 1 : 0, value };
  });
}

/** The target that is met, in a sentence; null if none is. */
export function targetMet(targets: readonly Target[], progress: readonly TargetProgress[]): string | null {
  const i = targets.findIndex((target, i) => (progress[i]?.inARow ?? 0) >= target.for);
  if (i < 0) return null;
  const { signal, above, below, for: times } = targets[i]!;
  const value = Number(progress[i]!.value!.toPrecision(3));
  const held = times === 1 ? "" : ` in ${times} measurements in a row`;
  return `target met: ${signal} ${value} ${above !== undefined ? `> ${above}` : `< ${below}`}${held} (ppo.stop.when)`;
}

function holds({ above, below }: Target, value: number): boolean {
  return above !== undefined ? value > above : value < below!;
}
