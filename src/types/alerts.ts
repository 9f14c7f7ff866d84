/** The records of the stability controller: what it saw, what it said, what it did, and what people decided. No code. */
import type { LeverName } from "../steering/levers.ts";
import type { MetricValues, Stage } from "./records.ts";

/** 1: stop and call a person; 2: act; 3: record. */
export type Tier = 1 | 2 | 3;

/**
 * When the controller is consulted in an iteration: after scoring (nothing has reached the weights), before each step of the
 * update, after the update.
 */
export type ConsultationPoint = "scored" | "step" | "updated";

/** What the controller was shown at one consultation, or heard of an operator. Replay shows and tells it the same again. */
export type Consultation = Shown | Told;

/** What the controller was shown. */
export interface Shown {
  readonly stage: Stage;
  readonly iteration: number;
  readonly point: ConsultationPoint;
  /** Step within the iteration; null at the other points. */
  readonly step: number | null;
  /** Signals by the keys of docs/metrics.md, each where the iteration first shows it. The iteration's metrics hold them too, but a step's. */
  readonly signals: MetricValues;
  /** What config and schedule said of each lever's bounded value. Absent at a step, where the iteration's last one holds. */
  readonly base?: Readonly<Partial<Record<LeverName, number>>>;
}

/** What an operator did before an iteration. */
export interface Told {
  readonly stage: Stage;
  readonly iteration: number;
  readonly point: "operator";
  readonly word: OperatorWord;
}

/** Something that an operator did and the controller must know. */
export type OperatorWord =
  /** Set a setting that the lever moves. */
  | { readonly kind: "set"; readonly lever: LeverName }
  /** Took back what the rule did, by the number of the intervention. */
  | { readonly kind: "undone"; readonly rule: string; readonly intervention: number }
  /** Let the run go on after the rule had stopped it in `iteration`. */
  | { readonly kind: "acknowledged"; readonly rule: string; readonly iteration: number };

/** A rule whose condition held. */
export interface Alert {
  readonly rule: string;
  readonly tier: Tier;
  readonly iteration: number;
  readonly point: ConsultationPoint;
  readonly step: number | null;
  readonly signal: string;
  /** The signal over the rule's window, oldest first. */
  readonly values: readonly number[];
  /** In words: `> 0.05 for 3`. */
  readonly condition: string;
  /** `approx KL 0.071 > 0.05 for 3 iterations`. */
  readonly message: string;
}

/** What an intervention does: it moves a lever for some iterations and lets it return, or does something once. */
export type ActionKind = LeverName | OneTimeAction;

export type OneTimeAction = "mask" | "skip" | "endEpochs" | "rollback" | "pause" | "stop";

export interface Intervention {
  /** Counts from 1 in a run, over all of its attempts. */
  readonly id: number;
  readonly rule: string;
  readonly tier: Tier;
  readonly action: ActionKind;
  /** What the setting is multiplied by while it lasts; null for actions without a factor. */
  readonly factor: number | null;
  readonly signal: string;
  readonly condition: string;
  readonly values: readonly number[];
  /** First iteration in force. */
  readonly from: number;
  /** First iteration in which it is no longer in force; null for what happens once. */
  readonly until: number | null;
  /** One sentence. */
  readonly reason: string;
}

/** How an intervention ended. */
export interface InterventionOutcome {
  readonly intervention: number;
  readonly iteration: number;
  readonly result: "effective" | "no effect" | "replaced" | "undone";
  /** Iterations until its condition was false for its window; null where that did not happen. */
  readonly after: number | null;
  readonly message: string;
}

/** Something that a person must decide on. The run waits, or has ended with code 3. */
export interface IncidentRecord {
  /** Unique in the workspace. */
  readonly id: number;
  readonly runId: string;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
  readonly rule: string;
  /** One sentence: what stopped the run. */
  readonly summary: string;
  readonly evidence: IncidentEvidence;
  readonly openedAt: number;
  /** null while it is open. */
  readonly decision: IncidentDecision | null;
}

export type NewIncident = Omit<IncidentRecord, "id" | "runId" | "attempt" | "openedAt" | "decision">;

export interface IncidentEvidence {
  readonly alert: Alert;
  /** Signals of the last iterations, this one last, by key; NaN as `null` never: as the words NaN, Infinity, -Infinity. */
  readonly iterations: readonly { readonly iteration: number; readonly values: MetricValues }[];
  /** Lowest scores of this iteration. */
  readonly worstSamples: readonly { readonly prompt: string; readonly response: string; readonly score: number }[];
  /** Settings that changed lately, oldest first. */
  readonly changes: readonly {
    readonly iteration: number;
    readonly key: string;
    readonly before: number | string | boolean | null;
    readonly value: number | string | boolean | null;
    readonly cause: string;
  }[];
  /** Interventions in force. */
  readonly active: readonly Intervention[];
  /** Checkpoint folders: before the iteration, the present state where it differs, the last healthy one where there is one. */
  readonly checkpoints: {
    readonly before: string | null;
    readonly present: string | null;
    readonly lastHealthy: string | null;
  };
}

export interface IncidentDecision {
  readonly action: "resume" | "rollback" | "stop";
  /** For a rollback: iterations done at the checkpoint to go back to. */
  readonly to: number | null;
  /** Settings to change, by dotted key. */
  readonly changes: readonly { readonly key: string; readonly value: number | string | boolean | null }[];
  readonly reason: string;
  readonly decidedAt: number;
}
