/** Health from 0 to 100, in six parts, each iteration. Pure, and only a few dozen comparisons. */
import { quantile } from "../../rl/statistics.ts";
import type { MetricValues } from "../../types/records.ts";
import type { History, Series } from "../observed.ts";
import { type Gauge, gauges, type Part, parts } from "./parts.ts";
import { scoreUnitOf } from "./score-unit.ts";

export interface Health {
  /** The total; null if no part could be judged. */
  readonly total: number | null;
  /** The parts that could be judged. */
  readonly parts: Partial<Record<Part, number>>;
  /** One sentence for each signal that lowers the score, the worst first; last, what the run cannot see at all. */
  readonly lowered: readonly string[];
}

/** Whether the run has a gold check: 0 none, 1 the reward itself, 2 one of its own. */
const goldSignal = "settings/gold";
const unseen: Readonly<Record<number, string>> = {
  0: "reward hacking cannot be seen in this run: it has no gold check (ppo.gold)",
  1: "reward hacking cannot be seen in this run: its gold check is the reward itself (ppo.gold)",
};

const scoreUnitSignals = ["reward/score_std", "reward/score_p5", "reward/score_p95"] as const;

/** How many values of each signal `health` needs, for `observed`; a component's name is only known once it is seen. */
export const healthLengths: ReadonlyMap<string, number> = lengths();

function lengths(): Map<string, number> {
  const result = new Map<string, number>(scoreUnitSignals.map((signal) => [signal, 1]));
  for (const { signal, reading, over = 1 } of gauges) {
    if (signal.includes("*")) continue;
    result.set(signal, Math.max(result.get(signal) ?? 1, reading === "ratio_to_median" ? over + 1 : over));
  }
  return result;
}

/**
 * Health of the iteration with these `signals`. `history` includes them: `observed` with at least `healthLengths`.
 *
 * A signal's score is 100 at its gauge's `good` and beyond, 0 at `bad` and beyond, and interpolated in between. A part's score is the lowest of its
 * signals. The total is a weighted mean of the parts: the lowest has weight 1/2, the next 1/4 and so on, divided by the sum of the weights. Absent or
 * NaN signals are left out, and so are parts without signals; the reward's integrity is too, unless something lowers it, if the run has no gold check of
 * its own.
 */
export function health({ signals, history }: { readonly signals: MetricValues; readonly history: History }): Health {
  const now = Math.max(-1, ...Object.values(history).map(({ iteration }) => iteration));
  const scored = gauges.flatMap((gauge) => {
    const value = read(gauge, { signals, history, now });
    return value === null || Number.isNaN(value) ? [] : [{ gauge, value, score: scoreOf(gauge, value) }];
  });
  const found: Partial<Record<Part, number>> = {};
  for (const { gauge, score } of scored) found[gauge.part] = Math.min(found[gauge.part] ?? 100, score);
  const blind = unseen[signals[goldSignal] ?? Number.NaN];
  // Nothing spoke against the reward, and nothing could: that is not a good mark.
  if (blind !== undefined && found.reward_integrity === 100) delete found.reward_integrity;
  const lowered = scored.filter(({ score }) => score < 100).sort((a, b) => a.score - b.score);
  return {
    total: combined(Object.values(found)),
    parts: found,
    lowered: [
      ...lowered.map(({ gauge, value, score }) => sentence(gauge, value, score)),
      ...(blind === undefined ? [] : [blind]),
    ],
  };
}

/** What an iteration records: `health/total`, and `health/<part>` for each part that could be judged. */
export function healthMetrics({ total, parts: found }: Health): MetricValues {
  const named = Object.entries(found).map(([part, score]) => [`health/${part}`, score]);
  return { ...(total !== null && { "health/total": total }), ...Object.fromEntries(named) };
}

/** Weighted mean with weights 1/2, 1/4, 1/8 and so on from the lowest up, divided by their sum; null for an empty list. */
export function combined(scores: readonly number[]): number | null {
  if (scores.length === 0) return null;
  const sorted = [...scores].sort((a, b) => a - b);
  let total = 0;
  let weights = 0;
  sorted.forEach((score, i) => {
    const weight = 0.5 ** (i + 1);
    total += weight * score;
    weights += weight;
  });
  return total / weights;
}

/** A gauge's score for a value, from 0 to 100. */
export function scoreOf({ good, bad, scale }: Pick<Gauge, "good" | "bad" | "scale">, value: number): number {
  const on = (x: number) => (scale === "log" ? Math.log(Math.max(x, 0)) : x);
  const way = (on(value) - on(good)) / (on(bad) - on(good));
  return 100 * (1 - Math.min(1, Math.max(0, way)));
}

/** The gauge's reading; null if its signal has no current value, or its history is too short. */
function read(
  gauge: Gauge,
  { signals, history, now }: { signals: MetricValues; history: History; now: number },
): number | null {
  const { signal, reading, over = 1, from = 1, holds = 0, unit } = gauge;
  if (signal.includes("*")) return largestOf(signal, signals);
  const series = history[signal];
  const value = signals[signal] ?? (series && now - series.iteration <= holds ? series.values.at(-1) : undefined);
  if (value === undefined) return null;
  if (reading === "value" && from === 1) return value;
  if (series === undefined || series.count < from) return null;
  const read = statistic(reading, over, { value, series });
  return unit === "reference_std" && read !== null ? read / scoreUnit(history) : read;
}

function statistic(
  reading: Gauge["reading"],
  over: number,
  { value, series }: { value: number; series: Series },
): number | null {
  const { first } = series;
  const values = series.values.filter((x) => !Number.isNaN(x));
  switch (reading) {
    case "value":
      return value;
    case "rise":
      return value - first;
    case "ratio_to_first":
      return value / first;
    case "ratio_to_max":
      return value / Math.max(...values.slice(-over));
    case "fall_from_max":
      return Math.max(...values.slice(-over)) - value;
    case "ratio_to_median": {
      const before = values.slice(-over - 1, -1);
      return before.length === 0 ? null : value / quantile(before, 0.5);
    }
    case "changed":
      return Number(!Object.is(value, first));
  }
}

function largestOf(pattern: string, signals: MetricValues): number | null {
  const [start, end] = pattern.split("*") as [string, string];
  const values = Object.keys(signals)
    .filter((key) => key.startsWith(start) && key.endsWith(end))
    .map((key) => signals[key]!)
    .filter((value) => !Number.isNaN(value));
  return values.length === 0 ? null : Math.max(...values);
}

function scoreUnit(history: History): number {
  const first = (statistic: string) => history[`reward/score_${statistic}`]?.first ?? Number.NaN;
  return scoreUnitOf({ std: first("std"), p5: first("p5"), p95: first("p95") });
}

function sentence(gauge: Gauge, value: number, score: number): string {
  const { part, says, good, bad, unit } = gauge;
  const scale = unit === "reference_std" ? " of the reference's spread" : "";
  const side = bad > good ? "from" : "to";
  return `${parts[part]} ${score.toFixed(0)}: ${says} ${short(value)}${scale} (100 ${bad > good ? "up to" : "from"} ${good}, 0 ${side} ${bad})`;
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : String(value);
}
