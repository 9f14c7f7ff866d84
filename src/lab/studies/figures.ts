/** The figures of a run in a study, as docs/evidence.md defines them. Pure. */
import { collapsed, type GoldPoint } from "../../control/health/index.ts";
import { mean, quantile } from "../../rl/index.ts";
import type { WholeRun } from "../run-work.ts";
import { type JudgedState, valueError } from "./value-error.ts";

/** Everything that is measured of one run. */
export interface MeasuredRun {
  readonly whole: WholeRun;
  /** Recorded series by key, in the order of the iterations. */
  readonly series: Readonly<Record<string, readonly GoldPoint[]>>;
  /** States with the critic's value and what continuations earned; null if the study does not measure them. */
  readonly states: readonly JudgedState[] | null;
}

export interface Figure {
  readonly title: string;
  /** Multiplies the figure for tables: 100 shows a share in percent. */
  readonly shown: number;
  /** Decimals in tables. */
  readonly digits: number;
  /** `share`: 0 or 1 of a run, compared by the exact test of McNemar; `log`: compared by ratios; `mean`: by differences. */
  readonly kind: "mean" | "share" | "log";
  /** The figure of one run, given all runs of its arm and task; NaN if it is not measured, or not defined. */
  readonly of: (run: MeasuredRun, arm: readonly MeasuredRun[]) => number;
}

/** Keys of the recorded series that figures are made from. */
export const seriesKeys = [
  "monitor/gold",
  "gold/mean",
  "gradient/variance_of_mean",
  "value/explained_variance_with_bias",
  "value/clip_fraction",
] as const;

export const figures = {
  gold: { title: "gold", shown: 100, digits: 1, kind: "mean", of: finalGold },
  reward: { title: "reward", shown: 1, digits: 2, kind: "mean", of: ({ whole }) => whole.figures.reward ?? Number.NaN },
  spread: {
    ...{ title: "gold's spread", shown: 100, digits: 1, kind: "mean" },
    of: (run, arm) => Math.abs(finalGold(run) - quantile(arm.map(finalGold), 0.5)),
  },
  collapse: {
    ...{ title: "collapsed", shown: 100, digits: 0, kind: "share" },
    of: ({ series }) => collapse(series["monitor/gold"] ?? []),
  },
  swing: {
    ...{ title: "swing, %", shown: 1, digits: 1, kind: "mean" },
    of: ({ series }) => swing(series["gold/mean"] ?? []),
  },
  policySwing: {
    ...{ title: "policy's swing, %", shown: 1, digits: 1, kind: "mean" },
    of: ({ series }) => swing(series["monitor/gold"] ?? []),
  },
  speed: {
    ...{ title: "speed", shown: 100, digits: 1, kind: "mean" },
    of: ({ series }) => mean((series["monitor/gold"] ?? []).map(({ value }) => value)),
  },
  gradientVariance: {
    ...{ title: "gradient variance", shown: 1, digits: 0, kind: "log" },
    of: ({ series }) => series["gradient/variance_of_mean"]?.[0]?.value ?? Number.NaN,
  },
  valueError: {
    ...{ title: "values' RMSE", shown: 1, digits: 3, kind: "mean" },
    of: ({ states }) => (states === null ? Number.NaN : valueError(states)),
  },
  explained: {
    ...{ title: "explained variance", shown: 1, digits: 2, kind: "mean" },
    of: ({ series }) => lastQuarter(series["value/explained_variance_with_bias"] ?? []),
  },
  valuesClipped: {
    ...{ title: "values clipped, %", shown: 100, digits: 2, kind: "mean" },
    of: ({ series }) => mean((series["value/clip_fraction"] ?? []).map(({ value }) => value)),
  },
  kl: {
    ...{ title: "KL", shown: 1, digits: 3, kind: "mean" },
    of: ({ whole }) => whole.figures.klK3Token ?? Number.NaN,
  },
  gap: {
    ...{ title: "held-out less trained", shown: 100, digits: 1, kind: "mean" },
    of: (run) => finalGold(run) - lastQuarter(run.series["gold/mean"] ?? []),
  },
} as const satisfies Readonly<Record<string, Figure>>;

export type FigureName = keyof typeof figures;

/** The share of held-out samples that pass, the mean over the task's checks, each from 0 to 1. */
export function finalGold({ whole }: Pick<MeasuredRun, "whole">): number {
  return mean(whole.shares.flatMap((name) => whole.figures[name] ?? []));
}

/**
 * 1 if three measurements in a row of the monitoring set's gold are under half of the best before them, else 0: health's collapse, counted in
 * measurements, of which every arm has as many, whatever its iterations are.
 */
export function collapse(monitored: readonly GoldPoint[]): number {
  if (monitored.length === 0) return Number.NaN;
  // Two apart, so that the five iterations that a collapse lasts are three measurements.
  return collapsed(monitored.map(({ value }, i) => ({ iteration: 2 * i, value }))) === null ? 0 : 1;
}

/** Mean absolute change from one measurement to the next over the second half of a run, in percent of that half's mean. */
export function swing(points: readonly GoldPoint[]): number {
  const half = points.slice(Math.floor(points.length / 2)).map(({ value }) => value);
  const changes = half.slice(1).map((value, i) => Math.abs(value - half[i]!));
  return (100 * mean(changes)) / mean(half);
}

function lastQuarter(points: readonly GoldPoint[]): number {
  return mean(points.slice(Math.floor((3 * points.length) / 4)).map(({ value }) => value));
}
