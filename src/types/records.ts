/** The records that the trainer writes, the store keeps and pages read, and the `Recorder` that they pass through. Its only code is the list of stages. */

/** The stages of RLHF, in the order in which they run. */
export const stages = ["sft", "reward", "ppo"] as const;

export type Stage = (typeof stages)[number];

/** State of a run. `paused` waits for an operator; `lost` is never written: readers derive it from a heartbeat that stopped. */
export type RunState = "running" | "paused" | "done" | "interrupted" | "failed" | "stopped";

export interface RunRecord {
  readonly id: string;
  readonly objective: string;
  readonly seed: number;
  readonly folder: string;
  /** The resolved configuration, as JSON. */
  readonly config: string;
  /** CPU, threads and package versions, as JSON: what it takes to repeat the run bit for bit. */
  readonly machine: string;
  /** Time of creation, in Unix milliseconds. */
  readonly createdAt: number;
}

/** Values of one iteration (online training) or step (SFT, reward model) by key. NaN and infinities are values. */
export type MetricValues = Readonly<Record<string, number>>;

export type EventKind =
  | "stage_started"
  | "stage_finished"
  | "checkpoint"
  | "resumed"
  | "interrupted"
  | "setting"
  | "command"
  | "warning"
  | "error"
  | "invariant"
  | "evaluation"
  | "alert"
  | "intervention"
  | "outcome"
  | "incident"
  | "rollback"
  | "fault"
  | "note";

export interface EventRecord {
  readonly kind: EventKind;
  readonly stage: Stage;
  readonly iteration: number;
  /** One sentence for readers. */
  readonly message: string;
  /** Details for programs, as plain JSON. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** One change of one hyperparameter. Each hyperparameter of online training has a history. */
export interface SettingRecord {
  readonly stage: Stage;
  readonly iteration: number;
  readonly key: string;
  readonly before: number | string | boolean | null;
  readonly value: number | string | boolean | null;
  /** What changed it. `controller` steers a coefficient towards a target; `intervention` belongs to the stability controller. */
  readonly cause: "config" | "schedule" | "controller" | "intervention" | "operator";
  /** The number of the intervention, if one is the cause. */
  readonly intervention?: number;
}

export interface SampleRecord {
  readonly index: number;
  readonly prompt: string;
  readonly response: string;
  /** The score that entered the reward. */
  readonly score: number;
  /** Raw score of each reward component by name. */
  readonly components: Readonly<Record<string, number>>;
  /** KL to the reference in nats: k1 summed over the response. */
  readonly kl: number;
  readonly stopReason: "stop" | "length";
  /** Response tokens as text, one entry per token; the arrays below are aligned with it. */
  readonly tokens: readonly string[];
  readonly logprobs: readonly number[];
  readonly refLogprobs: readonly number[];
  readonly values: readonly number[];
  readonly advantages: readonly number[];
  /** Why it was kept: as one of the iteration's fixed selection, or for its low score. */
  readonly reason: "chosen" | "worst";
}

/** The model that answered the monitoring set. */
export type AnsweringModel = "policy" | "reference";

/** One answer to a prompt of the monitoring set. */
export interface AnswerRecord {
  /** Position in the monitoring set, from 0: it fixes the prompt and the random numbers. */
  readonly index: number;
  /** The task's name for this kind of prompt; null if the task has no kinds. */
  readonly kind: string | null;
  readonly prompt: string;
  readonly response: string;
  /** The composed score, as in a rollout; null if the reward cannot judge it. */
  readonly score: number | null;
  readonly stopReason: "stop" | "length";
  /** Verdicts of the gold check by name; empty if there are none. */
  readonly verdicts: Readonly<Record<string, boolean>>;
}

export type CommandKind = "pause" | "resume" | "save" | "stop" | "set" | "undo";

export interface CommandRecord {
  readonly id: number;
  readonly kind: CommandKind;
  /** {key, value} for `set`; {intervention}, its number, for `undo`. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly reason: string;
  readonly createdAt: number;
  /** Who gave it; null in records of earlier versions. */
  readonly operator: string | null;
  /** The stage and iteration before which the command was applied; null while it waits. */
  readonly appliedStage: Stage | null;
  readonly appliedIteration: number | null;
}

export interface RecentRecord {
  readonly iterations: readonly { readonly iteration: number; readonly values: MetricValues }[];
  readonly changes: readonly SettingRecord[];
}
