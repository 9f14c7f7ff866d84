/** The records of the stability controller: what it saw, what it said, what it did, and what operators decided. No code. */
import type { LeverName } from "../levers/levers.ts";
import type { MetricValues, Stage } from "./records.ts";

/** Tier of a rule. 1: stop and call the operator; 2: intervene; 3: only record. */
export type Tier = 1 | 2 | 3;

/**
 * When the controller is consulted in an iteration: after scoring (nothing has reached the weights), before each step of the
 * update, after the update.
 */
export type ConsultationPoint = "scored" | "step" | "updated";

/** What the controller was shown at one consultation, or what an operator did. Replay feeds it the same again. */
export type Consultation = Shown | Told;

/** What the controller was shown at one consultation. */
export interface Shown {
  readonly stage: Stage;
  readonly iteration: number;
  readonly point: ConsultationPoint;
  /** The step within the iteration; null at the other points. */
  readonly step: number | null;
  /**
   * Signals by the keys of docs/metrics.md, each at the point where the iteration first shows it. The iteration's metrics hold them too,
   * except those of a step.
   */
  readonly signals: MetricValues;
  /** Each lever's bounded value as given by the configuration and schedule. Absent at a step: the iteration's last one then holds. */
  readonly base?: Readonly<Partial<Record<LeverName, number>>>;
}

/** What an operator did before an iteration. */
export interface Told {
  readonly stage: Stage;
  readonly iteration: number;
  readonly point: "operator";
  readonly word: OperatorWord;
}

/** An operator's action that the controller must know about. */
export type OperatorWord =
  /** The operator set a setting that the lever moves. */
  | { readonly kind: "set"; readonly lever: LeverName }
  /** The operator undid the rule's intervention with this number. */
  | { readonly kind: "undone"; readonly rule: string; readonly intervention: number }
  /** The operator let the run continue after the rule had stopped it in `iteration`. */
  | { readonly kind: "acknowledged"; readonly rule: string; readonly iteration: number };

/** A rule whose condition held. */
export interface Alert {
  readonly rule: string;
  readonly tier: Tier;
  readonly iteration: number;
  /** The first iteration that the rule's window covers. */
  readonly since: number;
  readonly point: ConsultationPoint;
  readonly step: number | null;
  readonly signal: string;
  /** The signal over the rule's window, oldest first. */
  readonly values: readonly number[];
  /** The condition in words: `> 0.05 for 3`. */
  readonly condition: string;
  /** The message, for example `approx KL 0.071 > 0.05 for 3 iterations`. */
  readonly message: string;
}

/** What an intervention does: it moves a lever for some iterations and lets it return, or acts once. */
export type ActionKind = LeverName | OneTimeAction;

export type OneTimeAction = "mask" | "skip" | "endEpochs" | "rollback" | "pause" | "stop";

export interface Intervention {
  /** The intervention's number, counted from 1 over all attempts of a run. */
  readonly id: number;
  readonly rule: string;
  readonly tier: Tier;
  readonly action: ActionKind;
  /** The factor applied to the setting while the intervention lasts; null for actions without a factor. */
  readonly factor: number | null;
  readonly signal: string;
  readonly condition: string;
  readonly values: readonly number[];
  /** First iteration in which the intervention is in force. */
  readonly from: number;
  /** First iteration in which the intervention is no longer in force; null for one-time actions. */
  readonly until: number | null;
  /** The reason, in one sentence. */
  readonly reason: string;
}

/** How an intervention ended. */
export interface InterventionOutcome {
  readonly intervention: number;
  readonly iteration: number;
  readonly result: "effective" | "no effect" | "replaced" | "undone";
  /** Iterations until the condition was false for its whole window; null if that did not happen. */
  readonly after: number | null;
  readonly message: string;
}

/** An incident that an operator must decide on. The run waits, or has ended with code 3. */
export interface IncidentRecord {
  /** The incident's number, unique in the workspace. */
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
  /** The operator's decision; null while the incident is open. */
  readonly decision: IncidentDecision | null;
}

export type NewIncident = Omit<IncidentRecord, "id" | "runId" | "attempt" | "openedAt" | "decision">;

export interface IncidentEvidence {
  readonly alert: Alert;
  /**
   * Signals of the last iterations by key, ending with this iteration. Values that are not finite are the words NaN, Infinity and
   * -Infinity, never `null`.
   */
  readonly iterations: readonly { readonly iteration: number; readonly values: MetricValues }[];
  /** The lowest-scoring samples of this iteration. */
  readonly worstSamples: readonly { readonly prompt: string; readonly response: string; readonly score: number }[];
  /** Settings that changed recently, oldest first. */
  readonly changes: readonly {
    readonly iteration: number;
    readonly key: string;
    readonly before: number | string | boolean | null;
    readonly value: number | string | boolean | null;
    readonly cause: string;
  }[];
  /** Interventions in force at the incident. */
  readonly active: readonly Intervention[];
  /** Checkpoint folders: before the iteration, the present state if it differs, and the last healthy one if there is one. */
  readonly checkpoints: {
    readonly before: string | null;
    readonly present: string | null;
    readonly lastHealthy: string | null;
  };
}

export interface IncidentDecision {
  readonly action: "resume" | "rollback" | "stop";
  /** For a rollback: the number of iterations done at the target checkpoint. */
  readonly to: number | null;
  /** Settings to change, by dotted key. */
  readonly changes: readonly { readonly key: string; readonly value: number | string | boolean | null }[];
  readonly reason: string;
  readonly decidedAt: number;
  /** Who decided; null in records of earlier versions. */
  readonly operator: string | null;
}
