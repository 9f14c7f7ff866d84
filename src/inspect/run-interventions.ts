/** A run's interventions as its events record them: what each was, and how it ended. */
import type { RunRow, Store } from "../store/index.ts";
import type { Intervention, InterventionOutcome } from "../types/alerts.ts";

export interface RecordedIntervention extends Intervention {
  /** The outcome; null while the intervention lasts, and for one-time actions. */
  readonly outcome: InterventionOutcome | null;
}

/** The interventions of current iterations, oldest first. */
export function interventionsOf(store: Store, runId: string): RecordedIntervention[] {
  const all = { current: true, limit: Number.MAX_SAFE_INTEGER };
  const outcomes = new Map(
    store.events(runId, { ...all, kind: "outcome" }).rows.flatMap(({ data }) => {
      const { outcome } = (data ?? {}) as { outcome?: InterventionOutcome };
      return outcome === undefined ? [] : [[outcome.intervention, outcome] as const];
    }),
  );
  return store.events(runId, { ...all, kind: "intervention" }).rows.flatMap(({ data }) => {
    const { intervention } = (data ?? {}) as { intervention?: Intervention };
    return intervention === undefined ? [] : [{ ...intervention, outcome: outcomes.get(intervention.id) ?? null }];
  });
}

/** Whether an intervention is in force in the coming iteration. */
export function isInForce({ until, outcome }: RecordedIntervention, { position }: Pick<RunRow, "position">): boolean {
  const next = position?.stage === "ppo" ? position.iteration + 1 : 0;
  return outcome === null && until !== null && until > next;
}
