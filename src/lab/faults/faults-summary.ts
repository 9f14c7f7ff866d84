/** Summarises the laboratory's runs: a row per fault, the false alarms, the value of health. Pure. */
import type { FaultName } from "../../config/fault-names.ts";
import { collapsed } from "../../control/health/index.ts";
import { mean } from "../../rl/index.ts";
import type { Gold } from "../gold.ts";
import { type FaultTrial, iterationsDone } from "./fault-cells.ts";
import { isListed, plans } from "./fault-plans.ts";

/** The first alert of tier 1 or 2 on a listed signal, in one run. */
export interface Detection {
  readonly seed: number;
  /** Iterations from the fault's first to the alert, counting both; null if there was no alert. */
  readonly after: number | null;
  readonly rule: string | null;
  /** Whether the alert was on a listed signal; false if only rules on other signals fired. */
  readonly listed: boolean;
}

export interface FaultRow {
  readonly fault: FaultName;
  readonly limit: number;
  /** The signals that must catch it, in words. */
  readonly by: string;
  readonly detections: readonly Detection[];
  /** Runs in which it was caught within the limit, and the number of runs. */
  readonly caught: number;
  readonly of: number;
  /** Means over the seeds; the interval is as wide as one run's, because the prompts are the same. */
  readonly healthy: Gold;
  readonly withController: Gold;
  readonly withoutController: Gold;
  /** Number of runs that the controller stopped. */
  readonly stopped: number;
}

export interface FalseAlarms {
  readonly iterations: number;
  readonly runs: number;
  readonly tier1: number;
  readonly tier2: number;
  /** How often each rule fired. */
  readonly rules: Readonly<Record<string, number>>;
}

/** Health in a run with a fault and without interventions, or in a healthy run. */
export interface HealthRow {
  readonly fault: FaultName | null;
  readonly seed: number;
  /** Lowest total from the fault's beginning on, and before the collapse if there was one. */
  readonly lowest: number;
  /** Iteration in which the run collapsed; null if it did not. */
  readonly collapsedAt: number | null;
  /** First iteration from the fault on whose total is below the threshold; null if there is none. */
  readonly fellAt: number | null;
}

export interface Summary {
  readonly rows: readonly FaultRow[];
  readonly falseAlarms: FalseAlarms;
  /** Totals below this count as fallen. */
  readonly healthThreshold: number;
  readonly health: readonly HealthRow[];
}

/** Health below this is a warning (docs/health.md). */
const healthThreshold = 60;

export function summarise(cells: readonly FaultTrial[]): Summary {
  const healthyRuns = (interventions: FaultTrial["interventions"]) =>
    cells.filter((cell) => cell.fault === null && cell.interventions === interventions);
  const rows = plans.flatMap((plan): FaultRow[] => {
    const of = (interventions: FaultTrial["interventions"]) =>
      cells.filter((cell) => cell.fault === plan.fault && cell.interventions === interventions);
    const off = of("off");
    // A row needs both runs of a seed, and its healthy one.
    const pairs = of("on").flatMap((on) => {
      const without = off.find(({ seed }) => seed === on.seed);
      const well = healthyRuns("off").find(({ seed }) => seed === on.seed);
      return without && well ? [{ on, without, well }] : [];
    });
    if (pairs.length === 0) return [];
    // Without interventions each signal shows what it can: no other rule stops the run earlier.
    const detections = pairs.map(({ without }) => detect(without));
    return [
      {
        fault: plan.fault,
        limit: plan.limit,
        by: plan.says,
        detections,
        caught: detections.filter(({ after, listed }) => listed && after! <= plan.limit).length,
        of: pairs.length,
        healthy: average(pairs.map(({ well }) => well.gold)),
        withController: average(pairs.map(({ on }) => on.gold)),
        withoutController: average(pairs.map(({ without }) => without.gold)),
        stopped: pairs.filter(({ on }) => on.stopped !== null).length,
      },
    ];
  });
  return {
    rows,
    falseAlarms: falseAlarmsOf(healthyRuns("on")),
    healthThreshold,
    health: [
      ...healthyRuns("on"),
      ...cells.filter((cell) => cell.fault !== null && cell.interventions === "off"),
    ].flatMap(healthOf),
  };
}

/** The first alert on a listed signal; if the run had none, the first alert of any kind. */
export function detect({ fault, seed, from, alerts }: FaultTrial): Detection {
  const plan = plans.find((one) => one.fault === fault)!;
  const since = alerts.filter(({ iteration }) => iteration >= from!);
  const listed = since.find(({ signal }) => isListed(plan, signal));
  const found = listed ?? since[0];
  if (found === undefined) return { seed, after: null, rule: null, listed: false };
  return { seed, after: found.iteration - from! + 1, rule: found.rule, listed: listed !== undefined };
}

function average(golds: readonly Gold[]): Gold {
  const centre = mean(golds.map((gold) => gold.mean));
  const half = mean(golds.map(({ low, high }) => (high - low) / 2));
  return { mean: centre, low: centre - half, high: centre + half, samples: golds[0]!.samples };
}

function falseAlarmsOf(healthy: readonly FaultTrial[]): FalseAlarms {
  const alerts = healthy.flatMap((cell) => cell.alerts);
  const rules: Record<string, number> = {};
  for (const { rule } of alerts) rules[rule] = (rules[rule] ?? 0) + 1;
  return {
    iterations: healthy.reduce((sum, cell) => sum + iterationsDone(cell), 0),
    runs: healthy.length,
    tier1: alerts.filter(({ tier }) => tier === 1).length,
    tier2: alerts.filter(({ tier }) => tier === 2).length,
    rules,
  };
}

function healthOf({ fault, seed, from, health, goldCurve }: FaultTrial): HealthRow[] {
  if (health.length === 0) return [];
  const collapsedAt = collapsed(goldCurve);
  const seen = health.filter(
    ({ iteration, value }) =>
      iteration >= (from ?? 0) && iteration < (collapsedAt ?? Number.POSITIVE_INFINITY) && !Number.isNaN(value),
  );
  const fellAt = seen.find(({ value }) => value < healthThreshold)?.iteration ?? null;
  return [{ fault, seed, lowest: Math.min(...seen.map(({ value }) => value)), collapsedAt, fellAt }];
}
