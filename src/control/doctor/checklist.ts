/** The checklist of a run by phase: before it, its first eighth, up to the half, the rest. */
import {
  largestJump,
  type RunHistory,
  scoreUnit,
  short,
  swing,
  trend,
  valuesOf,
} from "../diagnosis/diagnosis-history.ts";
import { inWords } from "./finding.ts";

export type CheckState = "ok" | "not ok" | "unknown";

export interface Check {
  readonly check: string;
  readonly state: CheckState;
  /** What was seen, in numbers. */
  readonly seen: string;
}

export interface Phase {
  readonly name: "before" | "first eighth" | "until half-way" | "the rest";
  /** The phase covers iterations [from, to). */
  readonly from: number;
  readonly to: number;
  /** Whether the run is in this phase. */
  readonly current: boolean;
  readonly checks: readonly Check[];
}

export interface ChecklistOptions {
  readonly history: RunHistory;
  /** Iterations done, and planned. */
  readonly done: number;
  readonly iterations: number;
  readonly settings: {
    readonly sequences: number;
    readonly minibatches: number;
    readonly maxGradNorm: number | null;
    readonly temperature: number;
  };
  readonly entropyScale: "absolute" | "relative";
}

/** Healthy entropy in nats per token, from docs/doctor.md. */
const entropyBands = { "first eighth": [1.5, 2.0], "until half-way": [1.0, 1.5], "the rest": [0.8, 1.2] } as const;
/** The entropy from which those bands start: relative bands are divided by this. */
const entropyAtStart = 2;
/** Relative to iteration 0's entropy: noise, and a rise at the start, are acceptable. */
const entropyCeiling = 1.1;
/** KL to the reference in nats per token, by k3. */
const klLimit = 0.1;
/** In units of the reference's score: a larger change between iterations is a jump; a smaller one over a phase is level. */
const jump = 0.3;
const smallSwing = 0.1;
const level = 0.3;
const fewest = 3;

/** Every phase that the run has reached, oldest first. */
export function checklist(options: ChecklistOptions): Phase[] {
  const { done, iterations } = options;
  const eighth = Math.max(1, Math.ceil(iterations / 8));
  const half = Math.max(eighth + 1, Math.ceil(iterations / 2));
  const phases = [
    { name: "first eighth", from: 0, to: eighth, checks: firstEighth },
    { name: "until half-way", from: eighth, to: half, checks: toTheHalf },
    { name: "the rest", from: half, to: Math.max(half + 1, iterations), checks: theRest },
  ] as const;
  const reached = phases.filter(({ from }) => done > from);
  return [
    { name: "before", from: 0, to: 0, current: done === 0, checks: before(options.settings) },
    ...reached.map(({ name, from, to, checks }, i) => ({
      name,
      from,
      to,
      current: i === reached.length - 1,
      checks: checks(options, { from, to }),
    })),
  ];
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function before({ sequences, minibatches, maxGradNorm, temperature }: ChecklistOptions["settings"]): Check[] {
  const step = sequences / minibatches;
  return [
    one("at least 256 sequences a step", step >= 256, `${inWords(step)} a step`),
    one(
      "accumulation divides evenly",
      Number.isInteger(step),
      `${sequences} sequences in ${minibatches} ${minibatches === 1 ? "minibatch" : "minibatches"}; sums over micro-batches are exact`,
    ),
    one("gradients are clipped at 1.0", maxGradNorm === 1, maxGradNorm === null ? "not clipped" : `at ${maxGradNorm}`),
    one("temperature above 0", temperature > 0, `${temperature}`),
  ];
}

function firstEighth(options: ChecklistOptions, range: Range): Check[] {
  return [
    entropyIn("first eighth", options, range),
    klBelow(options, range),
    falling(options, range),
    rewardRises("the reward goes up", options, range),
    smallSwings(options, range),
  ];
}

function toTheHalf(options: ChecklistOptions, range: Range): Check[] {
  return [
    entropyIn("until half-way", options, range),
    rewardRises("the reward's slope is positive", options, range),
    noJumps(options, range),
    evaluationRises(options, range),
  ];
}

function theRest(options: ChecklistOptions, range: Range): Check[] {
  return [entropyIn("the rest", options, range), klBelow(options, range), curvesLevel(options, range), goOn(options)];
}

function entropyIn(phase: keyof typeof entropyBands, { history, entropyScale }: ChecklistOptions, range: Range): Check {
  const [low, high] = entropyBands[phase];
  if (entropyScale === "absolute") {
    const values = valuesOf(history, "entropy/mean", range);
    const newest = values.at(-1);
    return measured(
      `entropy ${short(low)} to ${short(high)} nats a token`,
      newest,
      (x) => x >= low && x <= high,
      (x) => `${short(x)} nats`,
    );
  }
  const bounds = [low / entropyAtStart, phase === "first eighth" ? entropyCeiling : high / entropyAtStart] as const;
  const newest = valuesOf(history, "entropy/ratio_to_first", range).at(-1);
  return measured(
    `entropy ${short(bounds[0])} to ${short(bounds[1])} of iteration 0's`,
    newest,
    (x) => x >= bounds[0] && x <= bounds[1],
    (x) => `${short(x)} of it`,
  );
}

function klBelow({ history }: ChecklistOptions, range: Range): Check {
  const values = valuesOf(history, "kl/ref_k3_token", range);
  const largest = values.length === 0 ? undefined : Math.max(...values);
  return measured(
    `KL to the reference < ${klLimit} nats a token`,
    largest,
    (x) => x < klLimit,
    (x) => `at most ${short(x)}`,
  );
}

function falling({ history }: ChecklistOptions, range: Range): Check {
  const values = valuesOf(history, "value/loss", range);
  return measured(
    "the value loss falls",
    riseOf(values),
    (x) => x < 0,
    (x) => `${signed(x)} over ${values.length} iterations`,
  );
}

function rewardRises(check: string, { history }: ChecklistOptions, range: Range): Check {
  const values = valuesOf(history, "reward/score_mean", range);
  return measured(
    check,
    riseOf(values),
    (x) => x > 0,
    (x) => `${signed(x)} over ${values.length} iterations`,
  );
}

function smallSwings({ history }: ChecklistOptions, range: Range): Check {
  const values = valuesOf(history, "reward/score_mean", range);
  const size = values.length < fewest ? undefined : swing(values) / scoreUnit(history);
  return measured(
    "its swings are small",
    size,
    (x) => x <= smallSwing,
    (x) => `${short(x)} of the reference's spread from one iteration to the next`,
  );
}

function noJumps({ history }: ChecklistOptions, range: Range): Check {
  const values = valuesOf(history, "reward/score_mean", range);
  const size = values.length < 2 ? undefined : largestJump(values) / scoreUnit(history);
  return measured(
    "no jumps",
    size,
    (x) => x <= jump,
    (x) => `at most ${short(x)} of the reference's spread at once`,
  );
}

function evaluationRises({ history }: ChecklistOptions, range: Range): Check {
  const gold = valuesOf(history, "monitor/gold", { to: range.to });
  const seen = (x: number) => `gold ${signed(x)} over ${gold.length} measurements`;
  return measured(
    "the evaluation rises with the reward",
    gold.length < 2 ? undefined : gold.at(-1)! - gold[0]!,
    (x) => x > 0,
    seen,
  );
}

function curvesLevel({ history }: ChecklistOptions, range: Range): Check {
  const rise = riseOf(valuesOf(history, "reward/score_mean", range));
  const size = rise === undefined ? undefined : rise / scoreUnit(history);
  return measured(
    "the curves are level",
    size,
    (x) => Math.abs(x) <= level,
    (x) => `the reward moved by ${signed(x)} of the reference's spread`,
  );
}

function goOn({ history }: ChecklistOptions): Check {
  const gold = valuesOf(history, "monitor/gold");
  const best = Math.max(...gold);
  const since = gold.length - 1 - gold.indexOf(best);
  return measured(
    "stop when the evaluation stops rising",
    gold.length < fewest ? undefined : since,
    (x) => x < fewest,
    (x) =>
      x === 0
        ? `it rises: ${short(best)} is its best`
        : `its best, ${short(best)}, is ${x} ${x === 1 ? "measurement" : "measurements"} old${x < fewest ? "" : ": stop"}`,
  );
}

function riseOf(values: readonly number[]): number | undefined {
  return values.length < fewest ? undefined : trend(values).rise;
}

function signed(value: number): string {
  return value > 0 ? `+${short(value)}` : short(value);
}

function one(check: string, ok: boolean, seen: string): Check {
  return { check, state: ok ? "ok" : "not ok", seen };
}

function measured(
  check: string,
  value: number | undefined,
  holds: (value: number) => boolean,
  seen: (value: number) => string,
): Check {
  if (value === undefined) return { check, state: "unknown", seen: "not enough was recorded" };
  return one(check, holds(value), seen(value));
}
