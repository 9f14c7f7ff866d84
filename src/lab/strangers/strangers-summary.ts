/** Summarises the strangers: what was caught and how soon, which cause was named, what actions were worth, and false alarms. Pure. */
import { mean } from "../../rl/index.ts";
import type { Results } from "../cells.ts";
import { resultOf } from "../cells.ts";
import type { ActionKind, Judgement } from "../judge-work.ts";
import { type Comparison, holm, paired } from "../paired.ts";
import type { Trial } from "../trial-work.ts";
import type { StrangerCase } from "./case-file.ts";
import { cellNames, twinOf } from "./stranger-cells.ts";

/** Gold that counts as lost, and the number of measurements whose mean says so. */
const lostGold = 0.05;
const measurements = 3;

/** One fault on one seed. */
export interface FaultRun {
  readonly seed: number;
  /** Iterations from the fault's first to the first alert of tier 1 or 2, counting both; 0: found before anything trained on it; null: neither. */
  readonly after: number | null;
  /** The rule that spoke first, or the finding of the look at the reward. */
  readonly by: string | null;
  /** Iterations from the fault's first until gold had lost 5 points against the same seed healthy; null if it never had. */
  readonly lostAfter: number | null;
  /** Whether the alert came before that. */
  readonly inTime: boolean;
  /** The likeliest cause; null if the diagnosis names none. */
  readonly cause: string | null;
  readonly right: boolean;
  readonly healthy: number;
  readonly off: number;
  /** With all actions; null while that run is unfinished. */
  readonly on: number | null;
  /** What the run with actions did: levers and the like for a while, or at least once an end, a pause or a rollback. */
  readonly acted: "nothing" | "temporary" | "stopped";
  /** Gold with one kind of action only, for the kinds that acted. */
  readonly alone: Readonly<Partial<Record<ActionKind, number>>>;
}

export interface CaseRow {
  readonly name: string;
  readonly says: string;
  readonly onset: number;
  readonly recoverable: boolean;
  readonly runs: readonly FaultRun[];
  readonly caught: number;
  readonly right: number;
  /** With actions minus without, in shares; p is Holm's over the table. */
  readonly difference: Comparison & { readonly adjusted: number };
}

/** Runs of one healthy kind, without actions, and what actions would have cost. */
export interface HealthyRow {
  readonly name: string;
  readonly runs: number;
  readonly iterations: number;
  readonly tier1: number;
  readonly tier2: number;
  /** Runs that the controller stopped, and those in which it acted. */
  readonly stopped: number;
  readonly acted: number;
  readonly rules: Readonly<Record<string, number>>;
  /** Warnings and errors of the doctor and of the look at the reward, and in how many runs. */
  readonly findings: Readonly<Record<string, number>>;
  /** With actions minus without, in shares, for each finished pair. */
  readonly differences: readonly number[];
  /** Gold at the start and at the end without actions. */
  readonly first: number;
  readonly last: number;
  readonly difference: Comparison & { readonly adjusted: number };
}

/** A rule of tier 1 or 2 that spoke, over all runs without actions. */
export interface RuleRow {
  readonly rule: string;
  readonly tier: number;
  /** Its alerts in healthy runs, and the runs that had any. */
  readonly healthyAlerts: number;
  readonly healthyRuns: number;
  /** Runs with a fault in which it spoke from the fault's first iteration on, and those in which no rule spoke sooner. */
  readonly faultRuns: number;
  readonly first: number;
}

export interface Worth {
  readonly what: string;
  readonly comparison: Comparison & { readonly adjusted: number };
}

export interface StrangersSummary {
  readonly faults: readonly CaseRow[];
  readonly healthy: readonly HealthyRow[];
  /** Adaptive minus off over groups of pairs, then each action alone minus off. */
  readonly worth: readonly Worth[];
  /** Those of most false alarms first. */
  readonly rules: readonly RuleRow[];
  readonly seeds: readonly number[];
}

export function summariseStrangers(
  { suite, cases, seeds }: { suite: readonly StrangerCase[]; cases: readonly StrangerCase[]; seeds: readonly number[] },
  results: Results,
): StrangersSummary {
  const rows = cases
    .filter(({ kind }) => kind === "fault")
    .map((one) => ({ one, runs: seeds.flatMap((seed) => faultRun(one, { suite, seed, results }) ?? []) }))
    .filter(({ runs }) => runs.length > 0);
  const differences = rows.map(({ runs }) => paired(differencesOf(runs)));
  const adjusted = holm(differences.map(({ p }) => p));
  const faults = rows.map(
    ({ one, runs }, i): CaseRow => ({
      name: one.name,
      says: one.says,
      onset: one.onset,
      recoverable: one.recoverable,
      runs,
      caught: runs.filter(({ inTime }) => inTime).length,
      right: runs.filter(({ right }) => right).length,
      difference: { ...differences[i]!, adjusted: adjusted[i]! },
    }),
  );
  const healthy = healthyRows(cases, { seeds, results });
  return { faults, healthy, worth: worthOf(faults, healthy), rules: ruleRows(cases, { seeds, results }), seeds };
}

interface Finished {
  readonly off: Trial;
  readonly judged: Judgement;
  /** The run with actions: the one without if no rule would act; null while it is unfinished. */
  readonly on: Trial | null;
}

function finished(one: Pick<StrangerCase, "name">, seed: number, results: Results): Finished | null {
  const names = cellNames(one, seed);
  const off = resultOf(results, "trial", names.off);
  const judged = resultOf(results, "judge", names.judge);
  if (off === undefined || judged === undefined) return null;
  return { off, judged, on: judged.acts === null ? off : (resultOf(results, "trial", names.on) ?? null) };
}

function faultRun(
  one: StrangerCase,
  { suite, seed, results }: { suite: readonly StrangerCase[]; seed: number; results: Results },
): FaultRun | null {
  const own = finished(one, seed, results);
  const twinNames = cellNames(twinOf(suite, one.base), seed);
  const twin = resultOf(results, "trial", twinNames.off);
  const twinJudged = resultOf(results, "judge", twinNames.judge);
  if (own === null || twin === undefined || twinJudged === undefined) return null;
  const { off, judged, on } = own;
  const alert = judged.alerts.find(({ iteration }) => iteration >= one.onset);
  // What is found in the healthy twin too is not the fault.
  const found = judged.findings.filter(
    ({ id, iteration }) => iteration === one.onset && !twinJudged.findings.some((other) => other.id === id),
  );
  const warned = found.length > 0;
  const after = warned ? 0 : alert === undefined ? null : alert.iteration - one.onset + 1;
  const lostAt = lostFrom(twin.curve, off.curve);
  const lostAfter = lostAt === null ? null : Math.max(1, lostAt - one.onset);
  const names = cellNames(one, seed);
  const kinds = [...new Set((on?.acted ?? []).map(({ action }) => action))];
  const alone = kinds.flatMap((kind) => {
    const gold = kinds.length === 1 ? on!.gold : resultOf(results, "trial", names.alone(kind))?.gold;
    return gold === undefined ? [] : [[kind, gold.mean] as const];
  });
  const [cause = null] = judged.causes;
  return {
    seed,
    after,
    by: found[0]?.id ?? alert?.rule ?? null,
    lostAfter,
    inTime: after !== null && (lostAfter === null || after <= lostAfter),
    cause,
    right: cause !== null && one.causes.includes(cause),
    healthy: twin.gold.mean,
    off: off.gold.mean,
    on: on === null ? null : on.gold.mean,
    acted:
      on === null || kinds.length === 0
        ? "nothing"
        : on.stopped !== null || kinds.includes("rollback")
          ? "stopped"
          : "temporary",
    alone: Object.fromEntries(alone),
  };
}

/** Iterations done when the mean of three measurements in a row had lost 5 points against the same ones of the healthy run; null if never. */
export function lostFrom(
  healthy: readonly { readonly iteration: number; readonly value: number }[],
  fault: readonly { readonly iteration: number; readonly value: number }[],
): number | null {
  const lost = fault.flatMap(({ iteration, value }) => {
    const well = healthy.find((point) => point.iteration === iteration);
    return well === undefined ? [] : [{ iteration, by: well.value - value }];
  });
  for (let i = measurements - 1; i < lost.length; i++) {
    const window = lost.slice(i - measurements + 1, i + 1);
    if (mean(window.map(({ by }) => by)) > lostGold) return window.at(-1)!.iteration;
  }
  return null;
}

function differencesOf(runs: readonly Pick<FaultRun, "on" | "off">[]): number[] {
  return runs.flatMap(({ on, off }) => (on === null ? [] : [on - off]));
}

function healthyRows(
  cases: readonly StrangerCase[],
  { seeds, results }: { readonly seeds: readonly number[]; readonly results: Results },
): HealthyRow[] {
  const rows = cases
    .filter(({ kind }) => kind === "healthy")
    .map((one) => ({ one, runs: seeds.flatMap((seed) => finished(one, seed, results) ?? []) }))
    .filter(({ runs }) => runs.length > 0);
  const differences = rows.map(({ runs }) =>
    runs.flatMap(({ on, off }) => (on === null ? [] : [on.gold.mean - off.gold.mean])),
  );
  const compared = differences.map(paired);
  const adjusted = holm(compared.map(({ p }) => p));
  return rows.map(({ one, runs }, i) => {
    const alerts = runs.flatMap(({ judged }) => judged.alerts);
    const rules: Record<string, number> = {};
    for (const { rule } of alerts) rules[rule] = (rules[rule] ?? 0) + 1;
    const findings: Record<string, number> = {};
    for (const { judged } of runs)
      for (const id of new Set(judged.findings.map((one) => one.id))) findings[id] = (findings[id] ?? 0) + 1;
    return {
      name: one.name,
      runs: runs.length,
      iterations: runs.reduce((sum, { off }) => sum + off.iterations, 0),
      tier1: alerts.filter(({ tier }) => tier === 1).length,
      tier2: alerts.filter(({ tier }) => tier === 2).length,
      stopped: runs.filter(({ on }) => on !== null && on.stopped !== null).length,
      acted: runs.filter(({ judged }) => judged.acts !== null).length,
      rules,
      findings,
      differences: differences[i]!,
      first: mean(runs.map(({ off }) => off.curve[0]?.value ?? Number.NaN)),
      last: mean(runs.map(({ off }) => off.gold.mean)),
      difference: { ...compared[i]!, adjusted: adjusted[i]! },
    };
  });
}

function worthOf(faults: readonly CaseRow[], healthy: readonly HealthyRow[]): Worth[] {
  const all = faults.flatMap(({ runs, recoverable }) => runs.map((run) => ({ ...run, recoverable })));
  const recoverable = all.filter((run) => run.recoverable);
  const kinds = [...new Set(all.flatMap(({ alone }) => Object.keys(alone) as ActionKind[]))].sort();
  const groups: [string, number[]][] = [
    ["all faults", differencesOf(all)],
    ["recoverable faults", differencesOf(recoverable)],
    ["recoverable, only temporary actions", differencesOf(recoverable.filter(({ acted }) => acted === "temporary"))],
    ["recoverable, stopped or rolled back", differencesOf(recoverable.filter(({ acted }) => acted === "stopped"))],
    ["not recoverable", differencesOf(all.filter((run) => !run.recoverable))],
    ["healthy runs", healthy.flatMap(({ differences }) => differences)],
    ...kinds.map((kind): [string, number[]] => [
      `${kind} alone`,
      all.flatMap(({ alone, off }) => (alone[kind] === undefined ? [] : [alone[kind] - off])),
    ]),
  ];
  const compared = groups.filter(([, list]) => list.length > 0).map(([what, list]) => ({ what, of: paired(list) }));
  const adjusted = holm(compared.map(({ of }) => of.p));
  return compared.map(({ what, of }, i) => ({ what, comparison: { ...of, adjusted: adjusted[i]! } }));
}

function ruleRows(
  cases: readonly StrangerCase[],
  { seeds, results }: { readonly seeds: readonly number[]; readonly results: Results },
): RuleRow[] {
  const rows = new Map<string, { -readonly [Key in keyof RuleRow]: RuleRow[Key] }>();
  for (const one of cases)
    for (const seed of seeds) {
      const judged = finished(one, seed, results)?.judged;
      if (judged === undefined) continue;
      const alerts = judged.alerts.filter(({ iteration }) => iteration >= one.onset);
      const spoke = new Set<string>();
      for (const { rule, tier, iteration } of alerts) {
        const row = rows.get(rule) ?? { rule, tier, healthyAlerts: 0, healthyRuns: 0, faultRuns: 0, first: 0 };
        rows.set(rule, row);
        if (one.kind === "healthy") row.healthyAlerts++;
        if (spoke.has(rule)) continue;
        spoke.add(rule);
        if (one.kind === "healthy") row.healthyRuns++;
        else {
          row.faultRuns++;
          if (iteration === alerts[0]!.iteration) row.first++;
        }
      }
    }
  return [...rows.values()].sort(
    (a, b) => b.healthyAlerts - a.healthyAlerts || b.faultRuns - a.faultRuns || (a.rule < b.rule ? -1 : 1),
  );
}
