/** What a study is: a published claim's experiment as data. docs/evidence.md has the claims and the definitions. */
import type { FigureName } from "./figures.ts";
import type { StudyName } from "./study-names.ts";

/** The tasks on which every study runs. */
export type TaskName = "desk" | "chains";

/** Overrides on one task. */
export type OnTask = Readonly<Partial<Record<TaskName, readonly string[]>>>;

/** One setting of an experiment, run once for each task and seed. */
export interface Arm {
  /** Letters, digits and dashes. */
  readonly name: string;
  /** The tasks on which it runs; by default all. */
  readonly tasks?: readonly TaskName[];
  /** Settings that differ from the study's base, as overrides `key=value`. */
  readonly set: readonly string[];
  /** Further ones on one task. */
  readonly on?: OnTask;
  /** Factor on the task's learning rates, the policy's and the critic's. */
  readonly rate?: number;
  /** The critic's rate over the policy's; the tasks have 2. */
  readonly criticRate?: number;
  /** Ids of the only rules that may act; without it no rule acts. */
  readonly rules?: readonly string[];
  /** Share of the task's SFT steps that the starting policy has had, 0 for a single step; by default all. */
  readonly policy?: number;
  /** The same of the model that the KL is measured to; by default it is the one that the policy starts from. */
  readonly reference?: number;
}

/** That a figure of one arm is higher or lower than that of a different one, or not higher or lower by a bound, on every task that both run on, paired by seed. */
export interface Prediction {
  readonly figure: FigureName;
  readonly of: string;
  readonly than: string;
  readonly is: "higher" | "lower" | "no higher" | "no lower";
  /** For the last two: the largest difference that counts as none, in the figure's unit. */
  readonly within?: number;
}

/** Whether an arm runs on a task. */
export const runsOn = (task: TaskName, { tasks }: Arm): boolean => tasks === undefined || tasks.includes(task);

/** A claim of a source, as what it predicts here. */
export interface Claim {
  readonly id: string;
  readonly says: string;
  readonly predictions: readonly Prediction[];
}

export interface Study {
  readonly name: StudyName;
  readonly title: string;
  /** It has seeds 1 to this one. */
  readonly seeds: number;
  /** Overrides in every arm, before the arm's own. */
  readonly set: readonly string[];
  /** Further ones on one task. */
  readonly on?: OnTask;
  /** Factors on each task's learning rates in every arm. */
  readonly rates?: Readonly<Record<TaskName, number>>;
  readonly arms: readonly Arm[];
  readonly figures: readonly FigureName[];
  readonly claims: readonly Claim[];
  /** States and continuations of each by which the critic's values are measured; without it they are not. */
  readonly values?: { readonly states: number; readonly continuations: number };
}
