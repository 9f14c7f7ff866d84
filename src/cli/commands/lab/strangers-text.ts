/** The results of `ballast lab strangers` as text: one line per run, and the tables of docs/strangers.md. */
import type { Comparison } from "../../../lab/paired.ts";
import type {
  CaseRow,
  FaultRun,
  HealthyRow,
  RuleRow,
  StrangersSummary,
  Worth,
} from "../../../lab/strangers/strangers-summary.ts";
import type { Trial } from "../../../lab/trial-work.ts";
import type { Section } from "./lab-session.ts";

/** One line: `two-at-once-3-on: gold 71.3%; 2 actions; stopped at 11, scored at 10`. */
export function strangerLine(name: string, { gold, acted, stopped, scoredAt }: Trial): string {
  const actions = acted.length === 0 ? "" : `; ${acted.length} ${acted.length === 1 ? "action" : "actions"}`;
  const end = stopped === null ? "" : `; stopped at ${stopped.iteration} by ${stopped.rule}, scored at ${scoredAt}`;
  return `${name}: gold ${points(gold.mean)}%${actions}${end}`;
}

export function strangerSections({ faults, healthy, worth, rules, seeds }: StrangersSummary): Section[] {
  return [
    ...(faults.length > 0 ? [detection(faults), gold(faults), confusion(faults)] : []),
    ...(worth.length > 0 ? [worthSection(worth)] : []),
    ...(healthy.length > 0 ? [falseAlarms(healthy)] : []),
    ...(rules.length > 0 ? [ruleSection(rules, healthy)] : []),
    { title: "Seeds", columns: [], rows: [], notes: [`seeds ${seeds.join(", ")}`] },
  ];
}

const right = { align: "right" } as const;

function detection(faults: readonly CaseRow[]): Section {
  const of = (all: readonly CaseRow[], count: (row: CaseRow) => boolean) =>
    `${all.filter(count).length} of ${all.length}`;
  const most = (row: CaseRow, n: number) => 2 * n > row.runs.length;
  return {
    title: "What was caught",
    columns: [
      { title: "fault" },
      { title: "from", ...right },
      { title: "in time", ...right },
      { title: "after", ...right },
      { title: "gold lost after", ...right },
      { title: "by", shrinksTo: 20 },
      { title: "right cause", ...right },
    ],
    rows: faults.map((row) => [
      row.name,
      String(row.onset),
      `${row.caught}/${row.runs.length}`,
      listed(row.runs.map(({ after }) => after)),
      listed(row.runs.map(({ lostAfter }) => lostAfter)),
      tally(row.runs.map(({ by }) => by ?? "-")),
      `${row.right}/${row.runs.length}`,
    ]),
    notes: [
      `in time: runs in which a rule of tier 1 or 2 spoke, or the doctor at the start or the first look at the reward warned of it (after 0), before gold had lost 5 points against the same seed healthy, by the mean of three measurements; after: iterations until then, counted from the fault's first as 1, for each run; measured without actions.`,
      `caught in time in most runs: ${of(faults, (row) => most(row, row.caught))} faults, ${of(faults, (row) => most(row, row.runs.filter(({ inTime, after }) => inTime && after === 0).length))} of them before anything trained; the right cause named first in most runs: ${of(faults, (row) => most(row, row.right))}.`,
    ],
  };
}

function gold(faults: readonly CaseRow[]): Section {
  return {
    title: "Gold, with actions and without",
    columns: [
      { title: "fault" },
      { title: "recoverable" },
      { title: "healthy", ...right },
      { title: "off", ...right },
      { title: "on", ...right },
      { title: "on - off", ...right },
      { title: "p", ...right },
      { title: "stopped", ...right },
    ],
    rows: faults.map(({ name, recoverable, runs, difference }) => {
      const done = runs.filter(({ on }) => on !== null);
      const stopped = done.filter(({ acted }) => acted === "stopped").length;
      return [
        name,
        recoverable ? "yes" : "no",
        average(runs, ({ healthy }) => healthy),
        average(runs, ({ off }) => off),
        average(done, ({ on }) => on!),
        interval(difference),
        pValue(difference.adjusted),
        `${stopped}/${done.length}`,
      ];
    }),
    notes: [
      "Final gold in percent, means over the seeds; on - off: paired by seed, with Student's 95% interval; p by Holm's correction over the table. A run that the controller stopped is scored at the checkpoint to which an operator would go back: the last healthy one, or the one before the incident if the run's gold check rose in between.",
    ],
  };
}

function confusion(faults: readonly CaseRow[]): Section {
  return {
    title: "Causes named first",
    columns: [{ title: "fault" }, { title: "right", ...right }, { title: "named first", shrinksTo: 30 }],
    rows: faults.map(({ name, runs, right: count }) => [
      name,
      `${count}/${runs.length}`,
      tally(runs.map(({ cause }) => cause ?? "none")),
    ]),
    notes: [],
  };
}

function worthSection(worth: readonly Worth[]): Section {
  return {
    title: "What actions are worth",
    columns: [
      { title: "pairs of runs" },
      { title: "pairs", ...right },
      { title: "on - off", ...right },
      { title: "p", ...right },
    ],
    rows: worth.map(({ what, comparison }) => [
      what,
      String(comparison.n),
      interval(comparison),
      pValue(comparison.adjusted),
    ]),
    notes: [
      "Percentage points of gold; a pair is one case on one seed, with actions against without. Alone: only that kind of action, in the pairs in which it was taken.",
    ],
  };
}

function falseAlarms(healthy: readonly HealthyRow[]): Section {
  const sum = (value: (row: HealthyRow) => number) => healthy.reduce((total, row) => total + value(row), 0);
  const iterations = sum((row) => row.iterations);
  const per200 = (n: number) => ((200 * n) / iterations).toFixed(2);
  const [tier1, tier2] = [sum((row) => row.tier1), sum((row) => row.tier2)];
  return {
    title: "False alarms in healthy runs",
    columns: [
      { title: "healthy" },
      { title: "runs", ...right },
      { title: "iterations", ...right },
      { title: "tier 1", ...right },
      { title: "tier 2", ...right },
      { title: "stopped", ...right },
      { title: "by", shrinksTo: 20 },
      { title: "gold", ...right },
      { title: "on - off", ...right },
    ],
    rows: healthy.map((row) => [
      row.name,
      String(row.runs),
      String(row.iterations),
      String(row.tier1),
      String(row.tier2),
      String(row.stopped),
      Object.entries(row.rules)
        .map(([rule, n]) => `${rule} ${n}`)
        .join(", ") || "-",
      `${points(row.first)} to ${points(row.last)}`,
      interval(row.difference),
    ]),
    notes: [
      `${iterations} healthy iterations: tier 1 ${tier1}, tier 2 ${tier2}; in 200: tier 1 ${per200(tier1)}, tier 2 ${per200(tier2)}; ${sum((row) => row.stopped)} of ${sum((row) => row.runs)} runs stopped. gold: at the first measurement and at the end, without actions.`,
      `Warned of before anything trained, in healthy runs: ${found(healthy)}.`,
    ],
  };
}

function ruleSection(rules: readonly RuleRow[], healthy: readonly HealthyRow[]): Section {
  const iterations = healthy.reduce((sum, row) => sum + row.iterations, 0);
  return {
    title: "Rules that spoke",
    columns: [
      { title: "rule" },
      { title: "tier", ...right },
      { title: "false alarms", ...right },
      { title: "in 200 iterations", ...right },
      { title: "healthy runs", ...right },
      { title: "faulty runs", ...right },
      { title: "first there", ...right },
    ],
    rows: rules.map(({ rule, tier, healthyAlerts, healthyRuns, faultRuns, first }) => [
      rule,
      String(tier),
      String(healthyAlerts),
      iterations === 0 ? "-" : ((200 * healthyAlerts) / iterations).toFixed(2),
      String(healthyRuns),
      String(faultRuns),
      String(first),
    ]),
    notes: [
      `Rules of tier 1 and 2 in runs without actions: false alarms in ${iterations} healthy iterations, then the runs in which the rule spoke, and those with a fault in which no rule spoke sooner. The other rules of these tiers spoke in none.`,
    ],
  };
}

function found(healthy: readonly HealthyRow[]): string {
  const runs = new Map<string, number>();
  for (const { findings } of healthy)
    for (const [id, n] of Object.entries(findings)) runs.set(id, (runs.get(id) ?? 0) + n);
  const sorted = [...runs].sort(([, a], [, b]) => b - a);
  return sorted.map(([id, n]) => `${id} in ${n}`).join(", ") || "nothing";
}

function listed(values: readonly (number | null)[]): string {
  return values.map((value) => value ?? "-").join(" ");
}

function tally(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([name, n]) => (sorted.length === 1 ? name : `${name} ${n}`)).join(", ");
}

function average(runs: readonly FaultRun[], value: (run: FaultRun) => number): string {
  return runs.length === 0 ? "-" : points(runs.reduce((sum, run) => sum + value(run), 0) / runs.length);
}

function interval({ n, mean, low, high }: Comparison): string {
  if (n === 0) return "-";
  const centre = `${mean >= 0 ? "+" : ""}${points(mean)}`;
  return Number.isNaN(low) ? centre : `${centre}±${points((high - low) / 2)}`;
}

function pValue(p: number): string {
  return Number.isNaN(p) ? "-" : p < 0.001 ? "<0.001" : p.toFixed(3);
}

function points(share: number): string {
  return (100 * share).toFixed(1);
}
