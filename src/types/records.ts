/** The records that the trainer writes, the store keeps and pages read; and the `Recorder` through which they pass. No code. */

/** A stage of RLHF. */
export type Stage = "sft" | "reward" | "ppo";

/** `paused` waits for a person; `lost` is never written: a reader derives it from a heartbeat that stopped. */
export type RunState = "running" | "paused" | "done" | "interrupted" | "failed" | "stopped";

export interface RunRecord {
  readonly id: string;
  readonly objective: string;
  readonly seed: number;
  readonly folder: string;
  /** The resolved configuration, as JSON. */
  readonly config: string;
  /** CPU, threads, package versions: what a repetition to the bit needs, as JSON. */
  readonly machine: string;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** Values of one iteration (PPO) or step (SFT, reward model) by key. NaN and infinities are values. */
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
  /** One sentence for a person. */
  readonly message: string;
  /** Anything a program may want, as plain JSON. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** One change of one hyperparameter: PPO's settings have a history. */
export interface SettingRecord {
  readonly stage: Stage;
  readonly iteration: number;
  readonly key: string;
  readonly before: number | string | boolean | null;
  readonly value: number | string | boolean | null;
  /** `controller`: one that steers a coefficient to a target; `intervention`: of the stability controller. */
  readonly cause: "config" | "schedule" | "controller" | "intervention" | "person";
  /** Which intervention, where one is the cause. */
  readonly intervention?: number;
}

export interface SampleRecord {
  readonly index: number;
  readonly prompt: string;
  readonly response: string;
  /** Score that entered the reward. */
  readonly score: number;
  /** Raw score of each component by name. */
  readonly components: Readonly<Record<string, number>>;
  /** KL to the reference in nats, k1 summed over the response. */
  readonly kl: number;
  readonly stopReason: "stop" | "length";
  /** Response tokens as text, one entry a token; the arrays below are aligned with it. */
  readonly tokens: readonly string[];
  readonly logprobs: readonly number[];
  readonly refLogprobs: readonly number[];
  readonly values: readonly number[];
  readonly advantages: readonly number[];
  /** Why it was kept: one of the fixed number an iteration, or the lowest score. */
  readonly reason: "chosen" | "worst";
}

/** Who answered the monitoring set. */
export type AnsweringModel = "policy" | "reference";

/** One answer to a prompt of the monitoring set. */
export interface AnswerRecord {
  /** In the monitoring set, from 0: the same prompt and the same random numbers each time. */
  readonly index: number;
  /** What the task calls prompts of this sort; null where it has no sorts. */
  readonly kind: string | null;
  readonly prompt: string;
  readonly response: string;
  /** As a rollout's; null where the reward cannot judge it. */
  readonly score: number | null;
  readonly stopReason: "stop" | "length";
  /** Of the gold check, by name; empty where there is none. */
  readonly verdicts: Readonly<Record<string, boolean>>;
}

export type CommandKind = "pause" | "resume" | "save" | "stop" | "set" | "undo";

export interface CommandRecord {
  readonly id: number;
  readonly kind: CommandKind;
  /** For `set`: {key, value}; for `undo`: {intervention}, its number. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly reason: string;
  readonly createdAt: number;
  /** The stage and iteration before which it was applied; null while it waits. */
  readonly appliedStage: Stage | null;
  readonly appliedIteration: number | null;
}

export interface RecentRecord {
  readonly iterations: readonly { readonly iteration: number; readonly values: MetricValues }[];
  readonly changes: readonly SettingRecord[];
}
