/** The tier of what the stability controller reports, read from its events. */
import type { Alert, Intervention, InterventionOutcome, Tier } from "../types/alerts.ts";
import type { EventRecord } from "../types/records.ts";

/** The data of a controller's event. */
export interface ControlData {
  readonly alert?: Alert;
  readonly intervention?: Intervention;
  readonly outcome?: InterventionOutcome;
  /** Number of the incident; null if it waits for a full disk. */
  readonly incident?: number | null;
}

/** A reader that remembers interventions, because an outcome has the tier of its intervention. It returns null for other events. */
export function tierReader(): (event: EventRecord) => Tier | null {
  const tiers = new Map<number, Tier>();
  return ({ kind, data = {} }) => {
    const { alert, intervention, outcome } = data as ControlData;
    switch (kind) {
      case "incident":
      case "rollback":
        return 1;
      case "alert":
        return alert?.tier ?? 3;
      case "intervention":
        if (intervention) tiers.set(intervention.id, intervention.tier);
        return intervention?.tier ?? 2;
      case "outcome":
        // An intervention from before a resume is of tier 2: those of tier 1 do not last.
        return tiers.get(outcome?.intervention ?? 0) ?? 2;
      default:
        return null;
    }
  };
}
