/**
 * What the server answers the dashboard with: one interface an answer, the address it stands at in its comment. No code.
 *
 * All answers are JSON. A number that is not finite stands as the word "NaN", "Infinity" or "-Infinity"; `Num` says where that may
 * be. A request that fails is answered with `Problem` and a status of 400 and above.
 */
import type { IncidentRecord, Intervention, InterventionOutcome, Tier } from "./alerts.ts";
import type { Estimate, Evaluation } from "./evaluation.ts";
import type { CommandKind, EventKind, RunState, SettingRecord, Stage } from "./records.ts";

/** A number that may be NaN or infinite. */
export type Num = number | "NaN" | "Infinity" | "-Infinity";

export interface Problem {
  /** One sentence. */
  readonly error: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** GET /api/workspace */
export interface WorkspaceAnswer {
  readonly version: string;
  /** The folder of the runs, as a person would name it. */
  readonly workspace: string;
  /** How to call the program: `./bin/ballast`, `npx ballast`. */
  readonly self: string;
  /** What to add to a command so that it means this workspace; empty for the default one. */
  readonly option: string;
  /** Whether requests of this page may change anything: it has sent the right token. */
  readonly mayChange: boolean;
  readonly now: number;
}

export type ShownState = RunState | "lost" | "created";

/** A run in a table. GET /api/runs answers with all of them, newest first. */
export interface RunSummary {
  readonly id: string;
  readonly objective: string;
  readonly seed: number;
  readonly createdAt: number;
  readonly state: ShownState;
  readonly alive: boolean;
  readonly lastBeat: number | null;
  readonly attempt: number;
  /** Newest iteration with metrics; of how many the stage has (null where the config does not say). */
  readonly position: { readonly stage: Stage; readonly iteration: number; readonly of: number | null } | null;
  /** Newest of PPO; null where there is none. */
  readonly health: Num | null;
  readonly reward: Num | null;
  readonly kl: Num | null;
  readonly openIncidents: number;
  readonly tags: readonly string[];
  readonly note: string;
  readonly archived: boolean;
}

export interface RunsAnswer {
  readonly runs: readonly RunSummary[];
}

/** Rows since a cursor. `more`: there is another page after `cursor`. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly cursor: number;
  readonly more: boolean;
}

/** GET /api/runs/:run */
export interface RunAnswer {
  readonly run: RunSummary;
  /** The stages that the configuration has, in order; `of`: steps or iterations planned. */
  readonly stages: readonly { readonly stage: Stage; readonly done: number; readonly of: number | null }[];
  /** Seconds an iteration (step) took lately, and seconds to the end of the stage at that pace; null where unknown. */
  readonly pace: { readonly seconds: number; readonly left: number | null } | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly folder: string;
  /** As a command line names the run. */
  readonly argument: string;
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
  /** Thresholds to draw on a chart: of the rules in use whose condition is on the plain value. */
  readonly thresholds: readonly Threshold[];
  /** See `Version`. */
  readonly version: Version;
  /** Where the stream goes on from what this answer holds. */
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
 * What a person saw of a run before they change it: it differs as soon as the run's state, attempt, incidents, decisions or commands
 * do. A change that names an older one is refused with 409.
 */
export type Version = string;

/** GET /api/runs/:run/series?stage=ppo&keys=a,b&from=50&to=100&points=600&lead=50: `lead` buckets more before `from`. */
export interface SeriesAnswer {
  readonly stage: Stage;
  readonly series: Readonly<Record<string, SeriesColumns>>;
  /** Rows of metrics up to here are in; the stream's come after. */
  readonly cursor: number;
}

/** A `Series` of the store, in columns; entry i of each belongs to one bucket [from, from + width). */
export interface SeriesColumns {
  readonly width: number;
  readonly from: readonly number[];
  /** Over finite values; null where the bucket has none. With width 1 all three are the value, and min and max are left out. */
  readonly mean: readonly (number | null)[];
  readonly min?: readonly (number | null)[];
  readonly max?: readonly (number | null)[];
  readonly last?: readonly Num[];
  /** Buckets with values that are not finite: [index, how many, which: "NaN" where a bucket of several may hold an infinity]. */
  readonly nonFinite: readonly (readonly [number, number, Num])[];
}

/**
 * GET /api/runs/:run/events?after=0&limit=500: newest attempts' and superseded ones, marked, oldest first; `before` pages backwards, and
 * with `notes=0` leaves out notes, checkpoints and alerts of tier 3.
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
  /** Of an alert or intervention. */
  readonly tier?: Tier;
  readonly rule?: string;
  readonly signal?: string;
  /** Of an intervention and of its outcome: its number. */
  readonly intervention?: number;
  /** Of an outcome. */
  readonly result?: InterventionOutcome["result"];
  /** Of an incident. */
  readonly incident?: number;
}

/**
 * GET /api/runs/:run/settings?most=500: every hyperparameter as it was set, oldest first, without what a newer attempt took back. Of one
 * that was set more often than `most`, what a schedule or a controller did is thinned evenly; `of`: how often it was set.
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
 * GET /api/runs/:run/samples?stage=ppo&iteration=12: all of one iteration. With `q` (text to find in prompt or response), `filter` (unsafe,
 * truncated, lowest, highest, pinned) or `prompt` (the seq of a sample: the same prompt across iterations), alone or together, in place of
 * `iteration`: at most `limit`, newest first; `lowest` and `highest` by score.
 */
export interface SamplesAnswer {
  readonly samples: readonly PageSample[];
  /** There are more than these. */
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
  /** One entry a token of the response, these five alike; cut where `cut` says so. */
  readonly tokens: readonly string[];
  readonly logprobs: readonly Num[];
  readonly refLogprobs: readonly Num[];
  readonly values: readonly Num[];
  readonly advantages: readonly Num[];
  /** Prompt, response or tokens were longer than a page can hold: characters there were. */
  readonly cut: number | null;
}

/** GET /api/runs/:run/behaviour */
export interface BehaviourAnswer {
  /** Iterations at which the evaluation set was answered, oldest first; where there are many, some, evenly spread. */
  readonly points: readonly BehaviourPoint[];
  /** How many there are. */
  readonly of: number;
  /** Names of the gold checks. */
  readonly checks: readonly string[];
  /** Before and after PPO, once the run is done. */
  readonly evaluation: Evaluation | null;
}

export interface BehaviourPoint {
  readonly iteration: number;
  /** A share by check, with a 95% interval that counts answers to one prompt as a cluster. */
  readonly checks: Readonly<Record<string, Estimate>>;
  readonly gold: Estimate | null;
  readonly score: Num | null;
  /** To the reference, nats a token, k3, of the iteration's rollout. */
  readonly kl: Num | null;
  /** Share of answers that differ from those before, be that a point or one left out; null at the first. */
  readonly changed: number | null;
  /** Share of pairs of answers to one prompt that are the same text, over prompts with two or more; null without. */
  readonly consistency: number | null;
}

/** GET /api/runs/:run/behaviour/answers?a=0&b=40: answer by answer. `a` may be `reference`. */
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
  readonly commands: readonly PageCommand[];
  /** What `set` takes, with the value in force. */
  readonly settable: readonly { readonly key: string; readonly value: number | string | boolean | null }[];
  readonly checkpoints: readonly { readonly iteration: number; readonly healthy: boolean }[];
  readonly version: Version;
}

export interface PageRule {
  readonly id: string;
  readonly tier: Tier;
  /** `approx KL`, and `> 0.05 for 3`. */
  readonly says: string;
  readonly condition: string;
  /** In words: `learning rate x0.7 for 10 iterations`. */
  readonly action: string;
  readonly signal: string;
  readonly above: number | null;
  readonly below: number | null;
  /** What the thresholds are compared with: `value`, or another statistic of the signal. */
  readonly statistic: string;
  readonly source: string;
  readonly spoke: number;
  readonly acted: number;
  readonly lastSpoke: number | null;
}

export interface PageCommand {
  readonly id: number;
  readonly kind: CommandKind;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly reason: string;
  readonly createdAt: number;
  readonly appliedStage: Stage | null;
  readonly appliedIteration: number | null;
}

/** GET /api/runs/:run/diagnosis: what reads a run's whole history, so on demand. */
export interface DiagnosisAnswer {
  readonly iterations: number;
  readonly diagnoses: readonly {
    readonly symptom: string;
    readonly seen: string;
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
  /** The doctor's, of the configuration, written when the run began; null where it was not looked at. */
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

/** POST /api/runs/:run/replay {rules: YAML text}; changes nothing, and needs the token all the same: it is work. */
export interface ReplayAnswer {
  readonly same: boolean;
  readonly recorded: readonly Said[];
  readonly replayed: readonly Said[];
}

/** One thing that a rule said in an iteration, and what was done about it. */
export interface Said {
  readonly iteration: number;
  readonly rule: string;
  readonly kind: "said" | "outcome";
  readonly text: string;
  readonly acted: boolean;
  readonly step: number | null;
}

/** GET /api/compare?runs=a,b */
export interface CompareAnswer {
  readonly runs: readonly RunSummary[];
  /** Settings in which any run differs from the first; `values` in the order of `runs`. */
  readonly settings: readonly { readonly key: string; readonly values: readonly unknown[] }[];
  readonly results: readonly {
    readonly run: string;
    readonly evaluation: Evaluation | null;
    readonly latest: Readonly<Partial<Record<Stage, Readonly<Record<string, Num>>>>>;
  }[];
  readonly keys: readonly { readonly stage: Stage; readonly key: string }[];
}

/** GET /api/lab: experiments whose tables lie in the workspace, newest first. */
export interface LabAnswer {
  readonly experiments: readonly {
    readonly id: string;
    readonly title: string;
    readonly at: number;
    /** Sentences under the title. */
    readonly notes: readonly string[];
    readonly tables: readonly {
      readonly title: string;
      readonly columns: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }[];
    /** Runs that can be opened, where they lie in this workspace. */
    readonly runs: readonly string[];
  }[];
}

/**
 * What changes something is a POST with the headers `Authorization: Bearer <token>`, `Idempotency-Key` (any new text; the same one again
 * is answered the same and does nothing) and, where a run's state matters, `If-Match: "<version>"`.
 *
 * POST /api/runs/:run/commands
 */
export interface NewPageCommand {
  readonly kind: CommandKind;
  /** set: {key, value}; undo: {intervention}. */
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
}

/** POST /api/incidents/:incident/decision */
export interface NewPageDecision {
  readonly action: "resume" | "rollback" | "stop";
  /** For a rollback: `last-healthy`, `before`, or iterations done at a checkpoint. */
  readonly to?: string;
  /** `key=value`, each. */
  readonly set?: readonly string[];
  readonly reason: string;
}

/** POST /api/runs/:run/marks: how people keep order among runs and samples. No `If-Match`. */
export interface NewMark {
  readonly kind: MarkKind;
  /** Of a tag its word, of a note its text, of a pin the sample's seq; empty for `archived`. */
  readonly value: string;
  /** False takes it away. */
  readonly present: boolean;
}

export type MarkKind = "tag" | "note" | "archived" | "pin";

/** Answer to a POST that changed something. */
export interface Changed {
  /** Number of the command or decision. */
  readonly id: number;
  /** What will happen now, in a sentence. */
  readonly message: string;
  readonly version: Version | null;
}

/** Cursors of the stream: the newest `seq` that was sent, of each table. */
export interface StreamCursor {
  readonly metrics: number;
  readonly events: number;
}

/**
 * GET /api/stream?runs=a,b&after=<metrics>.<events>: server-sent events named `batch`, whose id is the cursor after it; and `beat`, every
 * few seconds, with nothing in it. With `runs` empty it tells of states alone.
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
  /** Too much happened to be told row by row: fetch what is shown again. */
  readonly reset: boolean;
  /** Whole iterations, oldest first. */
  readonly iterations: readonly {
    readonly stage: Stage;
    readonly iteration: number;
    readonly values: Readonly<Record<string, Num>>;
  }[];
  readonly events: readonly PageEvent[];
  /** Present where it changed. */
  readonly version?: Version;
}
