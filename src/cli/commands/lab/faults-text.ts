/** The results of `ballast lab faults` as text: one line per run, and the tables of docs/faults.md and docs/health.md. */
import type { FalseAlarms, FaultRow, HealthRow, Summary } from "../../../lab/faults/faults-summary.ts";
import type { Gold } from "../../../lab/gold.ts";
import type { Trial } from "../../../lab/trial-work.ts";
import type { Section } from "./lab-session.ts";

/** One line: `lr-spike-11-on: 2 alerts of tier 1 or 2, first kl_hard at 25; gold 86.2%`. */
export function faultLine(name: string, { alerts, gold, stopped, scoredAt }: Trial): string {
  const [first] = alerts;
  const said = `${alerts.length} ${alerts.length === 1 ? "alert" : "alerts"} of tier 1 or 2`;
  const which = first === undefined ? "" : `, first ${first.rule} at ${first.iteration}`;
  const end = stopped === null ? "" : `; stopped at ${stopped.iteration}, scored at ${scoredAt}`;
  return `${name}: ${said}${which}; gold ${percent(gold.mean)}${end}`;
}

export function faultSections({ rows, falseAlarms, health, healthThreshold }: Summary): Section[] {
  return [
    ...(rows.length > 0 ? [faultSection(rows)] : []),
    ...(falseAlarms.runs > 0
      ? [{ title: "False alarms", columns: [], rows: [], notes: falseAlarmLines(falseAlarms) }]
      : []),
    ...(health.length > 0 ? [healthSection(health, healthThreshold)] : []),
  ];
}

function faultSection(rows: readonly FaultRow[]): Section {
  const [first] = rows;
  const starred = rows.some(({ detections }) => detections.some((one) => one.rule !== null && !one.listed));
  return {
    title: "Faults",
    columns: faultColumns,
    rows: rows.map(cellsOf),
    notes: [
      `caught: runs in which a rule of tier 1 or 2 on a signal meant for the fault fired within the limit; after: iterations until then, for each run, counted from the fault's first as 1 and measured on the run without interventions. The last three columns: final gold score in percent, ${first!.healthy.samples} samples a run, mean over ${first!.of} ${first!.of === 1 ? "seed" : "seeds"} with its 95% interval. A run that the controller stopped is scored at its last healthy checkpoint.`,
      ...(starred ? ["*: by a rule on a signal that is not meant for the fault, which does not count as caught."] : []),
    ],
  };
}

const right = { align: "right" } as const;
const faultColumns = [
  { title: "fault" },
  { title: "limit", ...right },
  { title: "caught", ...right },
  { title: "after", ...right },
  { title: "by", shrinksTo: 14 },
  { title: "healthy", ...right },
  { title: "controller", ...right },
  { title: "without", ...right },
];

function cellsOf({ fault, limit, caught, of, detections, ...gold }: FaultRow): string[] {
  const rules = new Map<string, number>();
  for (const { rule, listed } of detections) {
    const name = rule === null ? "-" : `${rule}${listed ? "" : "*"}`;
    rules.set(name, (rules.get(name) ?? 0) + 1);
  }
  const named = [...rules].map(([name, n]) => (rules.size === 1 ? name : `${name} ${n}`));
  return [
    fault,
    String(limit),
    `${caught}/${of}`,
    detections.map(({ after }) => after ?? "-").join(" "),
    named.join(", "),
    points(gold.healthy),
    points(gold.withController),
    points(gold.withoutController),
  ];
}

function falseAlarmLines({ iterations, runs, tier1, tier2, rules }: FalseAlarms): string[] {
  const named = Object.entries(rules).map(([rule, n]) => `${rule} ${n}`);
  return [
    `false alarms in ${iterations} healthy iterations (${runs} runs): tier 1 ${tier1}, tier 2 ${tier2}${named.length > 0 ? ` (${named.join(", ")})` : ""}`,
    `in 200 healthy iterations: tier 1 ${((200 * tier1) / iterations).toFixed(2)}, tier 2 ${((200 * tier2) / iterations).toFixed(2)}`,
  ];
}

function healthSection(health: readonly HealthRow[], threshold: number): Section {
  const columns = [
    { title: "health of" },
    { title: "runs", ...right },
    { title: "lowest", ...right },
    { title: `fell below ${threshold}`, ...right },
    { title: "collapsed", ...right },
    { title: "fell before", ...right },
  ];
  const names = [...new Set(health.map(({ fault }) => fault))];
  const rows = names.map((name) => {
    const runs = health.filter(({ fault }) => fault === name);
    const collapsed = runs.filter(({ collapsedAt }) => collapsedAt !== null);
    return [
      name ?? "healthy",
      String(runs.length),
      Math.min(...runs.map(({ lowest }) => lowest)).toFixed(0),
      String(runs.filter(({ fellAt }) => fellAt !== null).length),
      String(collapsed.length),
      collapsed.length === 0 ? "-" : `${collapsed.filter(({ fellAt }) => fellAt !== null).length}/${collapsed.length}`,
    ];
  });
  const notes = [
    "Runs with faults are those without interventions. lowest: lowest health/total from the fault on, before the collapse if there was one.",
  ];
  return { title: "Health", columns, rows, notes };
}

function points({ mean, low, high }: Gold): string {
  return `${(100 * mean).toFixed(1)}±${((100 * (high - low)) / 2).toFixed(1)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
