/** The controller's decisions as records, which a run keeps among its events. */
import type { Alert, Intervention, InterventionOutcome } from "../types/alerts.ts";
import type { EventKind } from "../types/records.ts";

export interface Decision {
  readonly kind: Extract<EventKind, "alert" | "outcome" | "intervention">;
  readonly iteration: number;
  /** The decision in one sentence. */
  readonly message: string;
  readonly data: DecisionData;
}

export type DecisionData =
  /** Without the start of its window, which earlier versions did not record: their runs replay to the same decisions. */
  | { readonly alert: Omit<Alert, "since"> }
  | { readonly outcome: InterventionOutcome }
  | { readonly intervention: Intervention };

/** The decisions in the order in which they are recorded. */
export function decisionsOf(
  iteration: number,
  {
    alerts = [],
    outcomes = [],
    interventions = [],
  }: {
    readonly alerts?: readonly Alert[];
    readonly outcomes?: readonly InterventionOutcome[];
    readonly interventions?: readonly Intervention[];
  },
): Decision[] {
  return [
    ...alerts.map(
      ({ since: _, ...alert }): Decision => ({ kind: "alert", iteration, message: alert.message, data: { alert } }),
    ),
    ...outcomes.map(
      (outcome): Decision => ({ kind: "outcome", iteration, message: outcome.message, data: { outcome } }),
    ),
    ...interventions.map(
      (intervention): Decision => ({
        kind: "intervention",
        iteration,
        message: intervention.reason,
        data: { intervention },
      }),
    ),
  ];
}

/** The decision in a recorded event. Outcomes recorded before version 0.4 call the operator a person. */
export function recordedDecision({
  kind,
  iteration,
  message,
  data,
}: {
  readonly kind: EventKind;
  readonly iteration: number;
  readonly message: string;
  readonly data?: unknown;
}): Decision {
  const decision = { kind, iteration, message, data } as Decision;
  if (!("outcome" in decision.data)) return decision;
  const { outcome } = decision.data;
  const words = message.replace(/\bby a person\b/, "by an operator");
  return { ...decision, message: words, data: { outcome: { ...outcome, message: words } } };
}
