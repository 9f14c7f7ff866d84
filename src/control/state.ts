/** The controller's state between consultations: plain data that a checkpoint holds. */
import { byLever, type LeverName } from "../levers/levers.ts";
import type { Intervention } from "../types/alerts.ts";
import type { History } from "./observed.ts";

export interface ActiveIntervention extends Intervention {
  readonly setting: LeverName;
  readonly factor: number;
  readonly until: number;
  /** Consecutive observations, since the intervention began, in which the rule's conditions did not hold. */
  readonly quiet: number;
  /** Iterations until the conditions were false for the rule's window; null if they have not been. */
  readonly effectiveAfter: number | null;
}

/** The middle time scale of the learning rate: how a rule's next breach is answered. */
export interface Observation {
  /** Length of the window in iterations. */
  readonly window: number;
  /** First iteration after the window. */
  readonly until: number;
  /** Lowest multiplier in force during the window. */
  readonly lowest: number;
  /** Lowest multiplier of the last window that no breach cut short; 1 before there was one. */
  readonly lowestHealthy: number;
}

export interface ControlState {
  readonly history: History;
  /** The history that health needs. */
  readonly watched: History;
  /** By rule: whether its conditions held at the last observations of its first signal, newest last. */
  readonly held: Readonly<Record<string, readonly boolean[]>>;
  /** By rule: the iteration in which it was last evaluated. */
  readonly evaluated: Readonly<Record<string, number>>;
  /** By rule: the first iteration in which it may fire again. */
  readonly silentUntil: Readonly<Record<string, number>>;
  readonly active: readonly ActiveIntervention[];
  readonly observations: Readonly<Record<string, Observation>>;
  /** By rule: how many of its latest interventions had no effect, and until when that counts. Absent before the first. */
  readonly failures?: Readonly<Record<string, { readonly count: number; readonly until: number }>>;
  /** The last iteration in which minibatches were masked, and how many in a row were. Absent before the first. */
  readonly masked?: { readonly iteration: number; readonly inARow: number };
  /** Number of interventions so far. */
  readonly interventions: number;
  /** The last iteration in which a rule of tier 1 or 2 held or an intervention was in force; -1 if there was none. */
  readonly troubled: number;
  /** Interventions that operators ended before this iteration: a run resumed here records them again. Absent if there are none. */
  readonly ended?: { readonly iteration: number; readonly interventions: readonly ActiveIntervention[] };
}

export const firstControlState: ControlState = {
  history: {},
  watched: {},
  held: {},
  evaluated: {},
  silentUntil: {},
  active: [],
  observations: {},
  interventions: 0,
  troubled: -1,
};

/** Whether the state after `iteration` is a target for rollbacks: no rule of tier 1 or 2 held, and no intervention was in force. The start is one. */
export function isHealthyAfter({ troubled, active }: ControlState, iteration: number): boolean {
  return iteration < 0 || (troubled < iteration && active.length === 0);
}

/** The factor on each lever's configured value in an iteration: 1 if no intervention is in force. */
export function multipliers({ active }: ControlState, iteration: number): Record<LeverName, number> {
  return byLever(
    (name) => active.find((one) => one.setting === name && one.from <= iteration && iteration < one.until)?.factor ?? 1,
  );
}
