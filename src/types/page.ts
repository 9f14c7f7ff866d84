/**
 * What the server answers the dashboard: one interface per answer, with its address in the docstring. No code.
 *
 * All answers are JSON. A number that is not finite is written as the word "NaN", "Infinity" or "-Infinity"; `Num` marks where that can
 * happen. A failed request is answered with `Problem` and a status of 400 or above.
 */
import type { IncidentRecord, Intervention, InterventionOutcome, Tier } from "./alerts.ts";
import type { Estimate, Evaluation } from "./evaluation.ts";
import type { CommandKind, CommandRecord, EventKind, RunState, SettingRecord, Stage } from "./records.ts";

/** A number that may be NaN or infinite. */
export type Num = number | "NaN" | "Infinity" | "-Infinity";

export interface Problem {
  /** What failed, in one sentence. */
  readonly error: string;
  /** What the user can do about it. */
  readonly hint?: string;
}

/** GET /api/workspace */
export interface WorkspaceAnswer {
  readonly version: string;
  /** The folder of the runs, as a user would write it. */
  readonly workspace: string;
  /** How to start the program: `./bin/ballast`, `npx ballast`. */
  readonly self: string;
  /** The option that makes a command use this workspace; empty for the default one. */
  readonly option: string;
  /** Whether requests of this page may change anything, that is, whether it sent the right token. */
  readonly mayChange: boolean;
  readonly now: number;
}

export type ShownState = RunState | "lost" | "created";

/** A row in the table of runs. GET /api/runs answers with all of them, newest first. */
export interface RunSummary {
  readonly id: string;
  readonly objective: string;
  readonly seed: number;
  readonly createdAt: number;
  readonly state: ShownState;
  readonly alive: boolean;
  readonly lastBeat: number | null;
  readonly attempt: number;
  /** The newest iteration with metrics, and the stage's planned number (null if the configuration does not say). */
  readonly position: { readonly stage: Stage; readonly iteration: number; readonly of: number | null } | null;
  /** The newest health score; null if there is none. */
  readonly health: Num | null;
  readonly reward: Num | null;
  readonly kl: Num | null;
  readonly openIncidents: number;
  readonly tags: readonly string[];
  readonly note: string;
  readonly archived: boolean;
  /** The name given with `ballast rename`; absent without one. */
  readonly name?: string;
}

export interface RunsAnswer {
  readonly runs: readonly RunSummary[];
}

/** Rows after a cursor. `more` says whether there is a next page after `cursor`. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly cursor: number;
  readonly more: boolean;
}

/** GET /api/runs/:run */
export interface RunAnswer {
  readonly run: RunSummary;
  /** The stages in the configuration, in order; `of` is the number of steps or iterations planned. */
  readonly stages: readonly { readonly stage: Stage; readonly done: number; readonly of: number | null }[];
  /** Seconds per iteration (step) recently, and seconds to the end of the stage at that pace; null if unknown. */
  readonly pace: { readonly seconds: number; readonly left: number | null } | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly folder: string;
  /** The run's name as a command-line argument. */
  readonly argument: string;
  /** The evaluation before and after online training, without transcripts, once the run is done. */
  readonly evaluation: Omit<Evaluation, "transcripts"> | null;
  readonly attempts: readonly {
    readonly attempt: number;
    readonly begins: { readonly stage: Stage; readonly iteration: number } | null;
    readonly startedAt: number;
    readonly host: string;
    readonly pid: number;
  }[];
  readonly keys: readonly { readonly stage: Stage; readonly key: string }[];
  /** Newest value of each metric, by stage. */
  readonly latest: Readonly<Partial<Record<Stage, Readonly<Record<string, Num>>>>>;
  /** Thresholds to draw on charts: those of rules in use whose condition tests the plain value. */
  readonly thresholds: readonly Threshold[];
  /** See `Version`. */
  readonly version: Version;
  /** Where the stream continues after this answer. */
  readonly cursor: StreamCursor;
}

export interface Threshold {
  readonly signal: string;
  readonly rule: string;
  readonly tier: Tier;
  readonly above: number | null;
  readonly below: number | null;
}

/**
 * Identifies the state of a run that a user saw before changing it: it differs as soon as the run's state, attempt, incidents, decisions or
 * commands do. A change with an older version is refused with 409.
 */
export type Version = string;

/** GET /api/runs/:run/series?stage=ppo&keys=a,b&from=50&to=100&points=600&lead=50. `lead` is the number of buckets to add before `from`. */
export interface SeriesAnswer {
  readonly stage: Stage;
  readonly series: Readonly<Record<string, SeriesColumns>>;
  /** The answer includes metric rows up to this cursor; the stream continues after it. */
  readonly cursor: number;
}

/** A `Series` of the store, in columns; entry i of each column belongs to one bucket [from, from + width). */
export interface SeriesColumns {
  readonly width: number;
  readonly from: readonly number[];
  /**
   * Mean over finite values; null if the bucket has none. With width 1, mean, min and max are the same value, and min and max are left out.
   */
  readonly mean: readonly (number | null)[];
  readonly min?: readonly (number | null)[];
  readonly max?: readonly (number | null)[];
  readonly last?: readonly Num[];
  /**
   * Buckets with values that are not finite: [index, count, kind], where the kind is "NaN" if a bucket with several values may hold an
   * infinity.
   */
  readonly nonFinite: readonly (readonly [number, number, Num])[];
}

/**
 * GET /api/runs/:run/events?after=0&limit=500: events of the newest attempt and superseded ones (marked), oldest first. `before` pages
 * backwards; `notes=0` leaves out notes, checkpoints and alerts of tier 3.
 */
export interface EventAnswer extends Page<PageEvent> {}

export interface PageEvent {
  readonly seq: number;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
  readonly kind: EventKind;
  readonly message: string;
  readonly at: number;
  readonly superseded: boolean;
  /** The tier of an alert or intervention. */
  readonly tier?: Tier;
  readonly rule?: string;
  readonly signal?: string;
  /** The number of the intervention, for an intervention or its outcome. */
  readonly intervention?: number;
  /** The result of an outcome. */
  readonly result?: InterventionOutcome["result"];
  /** The number of an incident. */
  readonly incident?: number;
  /** What to do about the error that ended an attempt. */
  readonly hint?: string;
}

/**
 * GET /api/runs/:run/settings?most=500: the history of every hyperparameter, oldest first, without changes that a newer attempt superseded.
 * If one was set more often than `most`, changes made by a schedule or a controller are thinned evenly; `of` is how often it was set.
 */
export interface SettingsAnswer {
  readonly rows: readonly (SettingRecord & {
    readonly seq: number;
    readonly attempt: number;
    readonly at: number;
    readonly of: number;
  })[];
}

/** GET /api/runs/:run/samples/iterations?stage=ppo */
export interface SampleIterationsAnswer {
  readonly iterations: readonly number[];
}

/**
 * GET /api/runs/:run/samples?stage=ppo&iteration=12: all samples of one iteration. With `q` (text to find in prompt or response), `filter`
 * (unsafe, truncated, lowest, highest, pinned) or `prompt` (the seq of a sample: the same prompt across iterations), in any combination,
 * instead of `iteration`: at most `limit`, newest first; `lowest` and `highest` sort by score.
 */
export interface SamplesAnswer {
  readonly samples: readonly PageSample[];
  /** Whether there are more samples than these. */
  readonly more: boolean;
}

export interface PageSample {
  readonly seq: number;
  readonly attempt: number;
  readonly iteration: number;
  readonly index: number;
  readonly reason: "chosen" | "worst";
  readonly prompt: string;
  readonly response: string;
  readonly score: Num;
  readonly components: Readonly<Record<string, Num>>;
  readonly kl: Num;
  readonly stopReason: "stop" | "length";
  readonly unsafe: boolean;
  /** One entry per response token, aligned in these five arrays; shortened if `cut` is set. */
  readonly tokens: readonly string[];
  readonly logprobs: readonly Num[];
  readonly refLogprobs: readonly Num[];
  readonly values: readonly Num[];
  readonly advantages: readonly Num[];
  /** Full length in characters if the prompt, response or tokens were longer than a page can hold; null otherwise. */
  readonly cut: number | null;
}

/** GET /api/runs/:run/behaviour */
export interface BehaviourAnswer {
  /** Iterations at which the monitoring set was answered, oldest first; if there are many, an evenly spread selection. */
  readonly points: readonly BehaviourPoint[];
  /** The number of such iterations in all. */
  readonly of: number;
  /** Names of the gold checks. */
  readonly checks: readonly string[];
  /** The evaluation before and after online training, once the run is done. */
  readonly evaluation: Evaluation | null;
}

export interface BehaviourPoint {
  readonly iteration: number;
  /** Each check's share of passes, with a 95% interval that counts answers to one prompt as a cluster. */
  readonly checks: Readonly<Record<string, Estimate>>;
  readonly gold: Estimate | null;
  readonly score: Num | null;
  /** KL to the reference of the iteration's rollout, in nats per token, estimated by k3. */
  readonly kl: Num | null;
  /** Share of answers that differ from those at the previous measurement, even if that point is left out; null at the first. */
  readonly changed: number | null;
  /** Share of pairs of answers to the same prompt with the same text, over prompts with at least two; null if there are none. */
  readonly consistency: number | null;
}

/** GET /api/runs/:run/behaviour/answers?a=0&b=40: two iterations compared answer by answer. `a` may be `reference`. */
export interface AnswersAnswer {
  readonly a: number | "reference";
  readonly b: number;
  readonly rows: readonly AnswerPair[];
}

export interface AnswerPair {
  readonly index: number;
  readonly kind: string | null;
  readonly prompt: string;
  readonly a: PageSaid | null;
  readonly b: PageSaid | null;
}

export interface PageSaid {
  readonly response: string;
  readonly score: Num | null;
  readonly verdicts: Readonly<Record<string, boolean>>;
}

/** GET /api/runs/:run/control */
export interface ControlAnswer {
  readonly profile: "fixed" | "adaptive";
  readonly interventions: "on" | "off";
  readonly rules: readonly PageRule[];
  readonly active: readonly Intervention[];
  readonly incidents: readonly IncidentRecord[];
  readonly health: {
    readonly total: Num | null;
    readonly parts: Readonly<Record<string, Num>>;
    readonly lowered: readonly string[];
  } | null;
  readonly commands: readonly CommandRecord[];
  /** The settings that `set` accepts, with the values in force. */
  readonly settable: readonly { readonly key: string; readonly value: number | string | boolean | null }[];
  readonly checkpoints: readonly { readonly iteration: number; readonly healthy: boolean }[];
  readonly version: Version;
}

export interface PageRule {
  readonly id: string;
  readonly tier: Tier;
  /** The signal and condition in words: `approx KL`, and `> 0.05 for 3`. */
  readonly says: string;
  readonly condition: string;
  /** The action in words: `learning rate x0.7 for 10 iterations`. */
  readonly action: string;
  readonly signal: string;
  readonly above: number | null;
  readonly below: number | null;
  /** What the thresholds are compared with: `value`, or a different statistic of the signal. */
  readonly statistic: string;
  readonly source: string;
  readonly spoke: number;
  readonly acted: number;
  readonly lastSpoke: number | null;
}

/** GET /api/runs/:run/diagnosis: results that need the run's whole history and so are computed on request. */
export interface DiagnosisAnswer {
  readonly iterations: number;
  readonly diagnoses: readonly {
    readonly symptom: string;
    readonly seen: string;
    /** The cause's id (docs/diagnosis.md), and the cause in words. */
    readonly id: string;
    readonly cause: string;
    readonly likelihood: number;
    readonly evidence: string;
    readonly remedy: string;
  }[];
  readonly phases: readonly {
    readonly name: string;
    readonly from: number;
    readonly to: number;
    readonly current: boolean;
    readonly checks: readonly {
      readonly check: string;
      readonly state: "ok" | "not ok" | "unknown";
      readonly seen: string;
    }[];
  }[];
  /** The doctor's findings about the configuration when the run began; null if it was not checked. */
  readonly findings:
    | readonly {
        readonly id: string;
        readonly severity: "error" | "warning" | "note";
        readonly what: string;
        readonly why: string;
        readonly remedy: string;
        readonly explained: string | null;
      }[]
    | null;
}

/** POST /api/runs/:run/replay {rules: YAML text}: changes nothing, but needs the token because it takes work. */
export interface ReplayAnswer {
  readonly same: boolean;
  readonly recorded: readonly Said[];
  readonly replayed: readonly Said[];
}

/** An alert that a rule raised in an iteration, and what was done about it. */
export interface Said {
  readonly iteration: number;
  readonly rule: string;
  readonly kind: "said" | "outcome";
  /** The reason of the intervention, if there was one; else the alert. */
  readonly text: string;
  readonly acted: boolean;
  readonly step: number | null;
}

/** GET /api/compare?runs=a,b */
export interface CompareAnswer {
  readonly runs: readonly RunSummary[];
  /** Settings in which any run differs from the first; `values` are in the order of `runs`. */
  readonly settings: readonly { readonly key: string; readonly values: readonly unknown[] }[];
  readonly results: readonly {
    readonly run: string;
    readonly evaluation: Evaluation | null;
    readonly latest: Readonly<Partial<Record<Stage, Readonly<Record<string, Num>>>>>;
  }[];
  readonly keys: readonly { readonly stage: Stage; readonly key: string }[];
}

/** GET /api/lab: experiments whose tables are in the workspace, newest first. */
export interface LabAnswer {
  readonly experiments: readonly {
    readonly id: string;
    readonly title: string;
    readonly at: number;
    /** Sentences shown under the title. */
    readonly notes: readonly string[];
    readonly tables: readonly {
      readonly title: string;
      readonly columns: readonly string[];
      readonly rows: readonly (readonly string[])[];
      /** How columns with intervals are drawn: each on a scale of its own, or not at all; by default on one scale. */
      readonly picture?: "apart" | "none" | undefined;
    }[];
    /** Runs that can be opened because they are in this workspace. */
    readonly runs: readonly string[];
  }[];
}

/**
 * Requests that change something are POSTs with the headers `Authorization: Bearer <token>`, `Idempotency-Key` (any new text; repeating a
 * key gets the same answer and does nothing) and, if a run's state matters, `If-Match: "<version>"`.
 *
 * POST /api/runs/:run/commands
 */
export interface NewPageCommand {
  readonly kind: CommandKind;
  /** The payload: {key, value} for `set`; {intervention} for `undo`. */
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
}

/** POST /api/incidents/:incident/decision */
export interface NewPageDecision {
  readonly action: "resume" | "rollback" | "stop";
  /** For a rollback: `last-healthy`, `before`, or the number of iterations done at a checkpoint. */
  readonly to?: string;
  /** Settings to change, each as `key=value`. */
  readonly set?: readonly string[];
  readonly reason: string;
}

/** POST /api/runs/:run/marks: how users organise runs and samples. No `If-Match`. */
export interface NewMark {
  readonly kind: MarkKind;
  /** The word of a tag, the text of a note, a shown name, the seq of a pinned sample; empty for `archived`. */
  readonly value: string;
  /** Whether to set the mark; false removes it. */
  readonly present: boolean;
}

export type MarkKind = "tag" | "note" | "archived" | "pin" | "name";

/** The answer to a POST that changed something. */
export interface Changed {
  /** Number of the command or decision. */
  readonly id: number;
  /** What will happen next, in a sentence. */
  readonly message: string;
  readonly version: Version | null;
}

/** Cursors of the stream: the newest `seq` sent from each table. */
export interface StreamCursor {
  readonly metrics: number;
  readonly events: number;
}

/**
 * GET /api/stream?runs=a,b&after=<metrics>.<events>: server-sent events named `batch`, whose id is the cursor after it, and an empty `beat`
 * every few seconds. With `runs` empty, it only reports run states.
 */
export interface StreamBatch {
  readonly cursor: StreamCursor;
  readonly runs: Readonly<Record<string, StreamedRun>>;
  /** Every run whose summary changed, watched or not. */
  readonly summaries: readonly RunSummary[];
  /** Runs that were deleted. */
  readonly gone?: readonly string[];
}

export interface StreamedRun {
  /** Too much changed to send row by row: the page must fetch what it shows again. */
  readonly reset: boolean;
  /** Whole iterations, oldest first. */
  readonly iterations: readonly {
    readonly stage: Stage;
    readonly iteration: number;
    readonly values: Readonly<Record<string, Num>>;
  }[];
  readonly events: readonly PageEvent[];
  /** The run's version, present if it changed. */
  readonly version?: Version;
}
