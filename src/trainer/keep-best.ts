/** `keep: best`: which checkpoint of a run is its best so far. */
import type { MetricValues } from "../types/records.ts";

/** What a checkpoint is judged by, the first that the run has: the gold check of the monitoring set, else the score. */
const judges = ["monitor/gold", "reward/score_mean"] as const;

export interface Judged {
  readonly signal: (typeof judges)[number];
  readonly value: number;
}

export interface Best {
  /** The newest measurement of what judges. */
  readonly newest: Judged | null;
  /** The best checkpoint; null before the first that could be judged. */
  readonly checkpoint: (Judged & { readonly step: number }) | null;
}

export const noBest: Best = { newest: null, checkpoint: null };

/** After a step with these metrics. A NaN judges nothing. */
export function measured(best: Best, values: MetricValues): Best {
  for (const signal of judges) {
    const value = values[signal];
    if (value !== undefined && !Number.isNaN(value)) return { ...best, newest: { signal, value } };
    // What the gold check said last says more than what the score says now.
    if (best.newest?.signal === signal) return best;
  }
  return best;
}

/** After a checkpoint of so many steps: whether it is the best now. Of two that are equal the newer is. */
export function judged(best: Best, step: number): Best {
  const { newest, checkpoint } = best;
  if (newest === null) return best;
  const comparable = checkpoint !== null && checkpoint.signal === newest.signal;
  return comparable && checkpoint.value > newest.value ? best : { newest, checkpoint: { ...newest, step } };
}
