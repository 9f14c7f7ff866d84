/** Summarises a study: each arm's figures with intervals, each prediction's comparison, and a word for each claim, by the rules of docs/evidence.md. Pure. */
import { mean, wilson95 } from "../../rl/index.ts";
import type { Results } from "../cells.ts";
import { type Comparison, holm, paired } from "../paired.ts";
import { type Figure, type FigureName, figures } from "./figures.ts";
import { type Claim, type Prediction, runsOn, type Study, type TaskName } from "./study.ts";
import { measuredRuns, type StudyPlan } from "./study-cells.ts";
import { tasks } from "./tasks.ts";

/** A figure over the seeds with its 95% interval; the interval is NaN with one seed. */
export interface Estimate {
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface ArmRow {
  readonly task: TaskName;
  readonly arm: string;
  readonly runs: number;
  readonly figures: Readonly<Partial<Record<FigureName, Estimate>>>;
  /** Each run by its seed and id, with its own figures; NaN where one has none. */
  readonly each: readonly {
    readonly seed: number;
    readonly run: string;
    readonly figures: Readonly<Partial<Record<FigureName, number>>>;
  }[];
}

/** How a prediction came out on one task; `missing`: not every seed is done. */
export type Outcome = "holds" | "reversed" | "open" | "missing";

export interface Tested {
  readonly claim: string;
  readonly task: TaskName;
  readonly prediction: Prediction;
  /** Of a `log` figure: of its logarithms. Of a share: without an interval. */
  readonly comparison: Comparison & { readonly adjusted: number };
  readonly outcome: Outcome;
}

export type Word = "confirmed" | "not here" | "refuted" | "not run yet";

export interface StudySummary {
  readonly rows: readonly ArmRow[];
  readonly tested: readonly Tested[];
  readonly claims: readonly { readonly id: string; readonly says: string; readonly word: Word }[];
}

export function summariseStudy(plan: StudyPlan, results: Results): StudySummary {
  const { study, arms, tasks: wanted, seeds } = plan;
  const values = (task: TaskName, arm: string, name: FigureName): ReadonlyMap<number, number> => {
    const runs = measuredRuns(plan, { task, arm, results });
    const all = [...runs.values()];
    const figure: Figure = figures[name];
    return new Map([...runs].map(([seed, run]) => [seed, figure.of(run, all)]));
  };
  const rows = wanted.flatMap((task) =>
    arms
      .filter((arm) => runsOn(task, arm))
      .map(({ name: arm }): ArmRow => {
        const runs = [...measuredRuns(plan, { task, arm, results })];
        const measured = study.figures.map((name) => [name, values(task, arm, name)] as const);
        const estimates = measured.map(([name, bySeed]) => [name, estimate(figures[name], [...bySeed.values()])]);
        const each = runs.map(([seed, { whole }]) => ({
          ...{ seed, run: whole.run },
          figures: Object.fromEntries(measured.map(([name, bySeed]) => [name, bySeed.get(seed)!])),
        }));
        return { task, arm, runs: runs.length, figures: Object.fromEntries(estimates), each };
      }),
  );
  const asked = study.claims.flatMap(({ id, predictions }) =>
    predictions.flatMap((prediction) =>
      wanted.filter((task) => compares(study, task, prediction)).map((task) => ({ claim: id, task, prediction })),
    ),
  );
  const compared = asked.map(({ task, prediction: { figure, of, than } }) =>
    compare(figures[figure], { of: values(task, of, figure), than: values(task, than, figure) }),
  );
  const adjusted = holm(
    compared.map(({ p }) => p),
    { of: compared.length },
  );
  const whole = isWhole(plan);
  const tested = asked.map((one, i): Tested => {
    const comparison = { ...compared[i]!, adjusted: adjusted[i]! };
    const outcome = !whole || comparison.n < seeds.length ? "missing" : outcomeOf(one.prediction, comparison);
    return { ...one, comparison, outcome };
  });
  const claims = study.claims.map((claim) => ({ id: claim.id, says: claim.says, word: wordOf(claim, tested) }));
  return { rows, tested, claims };
}

/** Whether both arms of a prediction run on a task. */
function compares({ arms }: Study, task: TaskName, { of, than }: Prediction): boolean {
  return arms.filter(({ name }) => name === of || name === than).every((arm) => runsOn(task, arm));
}

/** Whether a plan is the study as it was written down: words are given for nothing less. */
export function isWhole({ study, arms, tasks: wanted, seeds, set = [] }: StudyPlan): boolean {
  return (
    arms.length === study.arms.length &&
    wanted.length === Object.keys(tasks).length &&
    Array.from({ length: study.seeds }, (_, i) => i + 1).every((seed) => seeds.includes(seed)) &&
    set.length === 0
  );
}

/** A figure over runs: Student's interval, of logarithms for a `log` figure; Wilson's for a share. Runs without the figure are left out, and not counted in n. */
export function estimate({ kind }: Pick<Figure, "kind">, given: readonly number[]): Estimate {
  const values = given.filter((value) => !Number.isNaN(value));
  if (kind === "share") {
    const [low, high] = wilson95(values.filter((value) => value === 1).length, values.length);
    return { n: values.length, mean: mean(values), low, high };
  }
  const { n, mean: centre, low, high } = paired(kind === "log" ? values.map(Math.log) : values);
  if (kind === "mean") return { n, mean: centre, low, high };
  return { n, mean: Math.exp(centre), low: Math.exp(low), high: Math.exp(high) };
}

/** Compares a figure of two arms on the seeds that both have. */
export function compare(
  { kind }: Pick<Figure, "kind">,
  { of, than }: { readonly of: ReadonlyMap<number, number>; readonly than: ReadonlyMap<number, number> },
): Comparison {
  const differences = [...of].flatMap(([seed, value]) => {
    const other = than.get(seed) ?? Number.NaN;
    const difference = kind === "log" ? Math.log(value) - Math.log(other) : value - other;
    return Number.isNaN(difference) ? [] : [difference];
  });
  if (kind !== "share") return paired(differences);
  const [more, fewer] = [1, -1].map((sign) => differences.filter((difference) => difference === sign).length);
  const n = differences.length;
  const p = n === 0 ? Number.NaN : mcnemar(more!, fewer!);
  return { n, mean: mean(differences), low: Number.NaN, high: Number.NaN, p };
}

/**
 * The exact test of McNemar (1947) for paired shares: with a pairs that differ one way and b the other, the two-sided p value of a fair coin, the
 * smaller tail twice, at most 1.
 */
export function mcnemar(a: number, b: number): number {
  const n = a + b;
  let term = 0.5 ** n;
  let tail = 0;
  for (let k = 0; k <= Math.min(a, b); k++) {
    tail += term;
    term *= (n - k) / (k + 1);
  }
  return Math.min(1, 2 * tail);
}

/** Below this adjusted p value a difference is taken to be there. */
const significance = 0.05;

/** Whether a prediction holds: the difference is there in its direction, or its interval ends before the bound on the side that is ruled out. */
export function outcomeOf(
  { is, within = 0 }: Pick<Prediction, "is" | "within">,
  { mean: difference, low, high, adjusted }: Comparison & { readonly adjusted: number },
): Exclude<Outcome, "missing"> {
  const found = adjusted < significance;
  if (is === "no higher" && high <= within) return "holds";
  if (is === "no lower" && -within <= low) return "holds";
  if (!found) return "open";
  const up = difference > 0;
  if (is === "no higher" || is === "no lower") return up === (is === "no higher") ? "reversed" : "open";
  return up === (is === "higher") ? "holds" : "reversed";
}

/** Confirmed: every prediction holds on every task that it compares. Refuted: one is reversed, and none holds. Not here: everything else. */
export function wordOf({ id }: Pick<Claim, "id">, tested: readonly Pick<Tested, "claim" | "outcome">[]): Word {
  const outcomes = tested.filter(({ claim }) => claim === id).map(({ outcome }) => outcome);
  if (outcomes.length === 0 || outcomes.includes("missing")) return "not run yet";
  if (outcomes.every((outcome) => outcome === "holds")) return "confirmed";
  return outcomes.includes("reversed") && !outcomes.includes("holds") ? "refuted" : "not here";
}
