/** `keep: best`: determines the best checkpoint of a run so far. */
import type { MetricValues } from "../types/records.ts";

/** The signals that rate a checkpoint, of which the first that the run has counts: the gold check on the monitoring set, else the score. */
const judges = ["monitor/gold", "reward/score_mean"] as const;

export interface Judged {
  readonly signal: (typeof judges)[number];
  readonly value: number;
}

export interface Best {
  /** The newest measurement of that signal. */
  readonly newest: Judged | null;
  /** The best checkpoint; null before the first that could be rated. */
  readonly checkpoint: (Judged & { readonly step: number }) | null;
}

export const noBest: Best = { newest: null, checkpoint: null };

/** Updates the state after a step with these metrics. NaN is ignored. */
export function measured(best: Best, values: MetricValues): Best {
  for (const signal of judges) {
    const value = values[signal];
    if (value !== undefined && !Number.isNaN(value)) return { ...best, newest: { signal, value } };
    // The gold check's last value says more than the present score.
    if (best.newest?.signal === signal) return best;
  }
  return best;
}

/** Updates the state after a checkpoint at this step: whether it is now the best. Of two equal ones the newer wins. */
export function judged(best: Best, step: number): Best {
  const { newest, checkpoint } = best;
  if (newest === null) return best;
  const comparable = checkpoint !== null && checkpoint.signal === newest.signal;
  return comparable && checkpoint.value > newest.value ? best : { newest, checkpoint: { ...newest, step } };
}
