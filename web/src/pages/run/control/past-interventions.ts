/** The controller's past interventions in a run with their outcomes, from the run's events. */
import type { InterventionOutcome } from "../../../../../src/types/alerts.ts";
import type { PageEvent } from "../../../../../src/types/page.ts";
import type { Tone } from "../../../format.ts";

export interface PastIntervention {
  readonly event: PageEvent;
  readonly outcome: PageEvent | null;
}

/** Past interventions, newest first, without those in force. */
export function pastOf(events: readonly PageEvent[], active: readonly { readonly id: number }[]): PastIntervention[] {
  const outcomes = new Map(
    events.flatMap((event) =>
      event.kind === "outcome" && event.intervention !== undefined ? [[event.intervention, event] as const] : [],
    ),
  );
  const inForce = new Set(active.map(({ id }) => id));
  return events
    .filter(({ kind, intervention }) => kind === "intervention" && !inForce.has(intervention ?? -1))
    .map((event) => ({ event, outcome: outcomes.get(event.intervention ?? -1) ?? null }))
    .reverse();
}

/** How an intervention ended, as a shape and a word. */
export const results: Readonly<
  Record<InterventionOutcome["result"], { readonly shape: string; readonly word: string; readonly tone: Tone }>
> = {
  effective: { shape: "✓", word: "effective", tone: "good" },
  "no effect": { shape: "✗", word: "no effect", tone: "warn" },
  replaced: { shape: "⇄", word: "replaced", tone: "quiet" },
  undone: { shape: "↶", word: "undone", tone: "quiet" },
};
