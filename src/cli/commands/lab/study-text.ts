/** The results of a study as text: one line per run, and the tables of docs/evidence.md. */
import type { WholeRun } from "../../../lab/run-work.ts";
import { type Figure, figures, finalGold } from "../../../lab/studies/figures.ts";
import type { Study } from "../../../lab/studies/study.ts";
import type { ArmRow, Estimate, StudySummary, Tested } from "../../../lab/studies/study-summary.ts";
import { tasks } from "../../../lab/studies/tasks.ts";
import type { Section } from "./lab-session.ts";

/** One line: `desk-s64-3: gold 71.3%`. */
export function studyLine(name: string, whole: WholeRun): string {
  return `${name}: gold ${(100 * finalGold({ whole })).toFixed(1)}%`;
}

export function studySections(study: Study, { rows, tested, claims }: StudySummary): Section[] {
  const done = rows.filter(({ runs }) => runs > 0);
  const seen = tested.filter(({ comparison }) => comparison.n > 0);
  const words = claims.map(({ id, says, word }) => `${word.toUpperCase()}: ${id}: ${says}.`);
  return [
    ...(done.length > 0 ? [armSection(study, done)] : []),
    ...(seen.length > 0 ? [comparisonSection(seen)] : []),
    { title: "Claims, at this scale", columns: [], rows: [], notes: words },
  ];
}

const right = { align: "right" } as const;

function armSection({ title, figures: names }: Study, rows: readonly ArmRow[]): Section {
  return {
    title,
    picture: "apart",
    columns: [
      { title: "arm" },
      { title: "seeds", ...right },
      ...names.map((name) => ({ title: figures[name].title, ...right })),
    ],
    rows: rows.map(({ task, arm, runs, figures: estimates }) => [
      `${task}-${arm}`,
      String(runs),
      ...names.map((name) => shown(figures[name], estimates[name]!)),
    ]),
    notes: [
      `Means over seeds with 95% intervals (Student's; collapsed: Wilson's); shares in percent. ${Object.entries(tasks)
        .map(([task, { says }]) => `${task}: ${says}`)
        .join("; ")}. docs/evidence.md defines every column.`,
    ],
  };
}

function comparisonSection(tested: readonly Tested[]): Section {
  return {
    title: "What the claims predict",
    picture: "none",
    columns: [
      { title: "of - than" },
      { title: "figure" },
      { title: "predicted" },
      { title: "n", ...right },
      { title: "difference", ...right },
      { title: "p", ...right },
      { title: "so it" },
    ],
    rows: tested.map(({ task, prediction: { of, than, figure, is, within }, comparison, outcome }) => [
      `${task}: ${of} - ${than}`,
      figures[figure].title,
      within === undefined ? is : `${is} within ${number(figures[figure], within)}`,
      String(comparison.n),
      difference(figures[figure], comparison),
      pValue(comparison.adjusted),
      outcome === "holds" ? "holds" : outcome === "missing" ? "-" : `is ${outcome}`,
    ]),
    notes: [
      "Paired by seed: differences with Student's 95% interval, collapses by McNemar's exact test, gradient variances as ratios; p by Holm's correction over the table.",
    ],
  };
}

function shown(figure: Figure, { n, mean, low, high }: Estimate): string {
  if (n === 0) return "-";
  if (Number.isNaN(low)) return number(figure, mean);
  if (figure.kind === "mean") return `${number(figure, mean)}±${number(figure, (high - low) / 2)}`;
  return `${number(figure, mean)} [${number(figure, low)}, ${number(figure, high)}]`;
}

function difference(figure: Figure, { mean, low, high }: Tested["comparison"]): string {
  if (figure.kind === "log") {
    const [centre, from, to] = [mean, low, high].map((value) => Math.exp(value).toPrecision(2));
    return Number.isNaN(low) ? `x ${centre}` : `x ${centre} [${from}, ${to}]`;
  }
  const centre = `${mean >= 0 ? "+" : ""}${number(figure, mean)}`;
  return Number.isNaN(low) ? centre : `${centre}±${number(figure, (high - low) / 2)}`;
}

function number({ shown: factor, digits, kind }: Figure, value: number): string {
  return kind === "log" ? value.toExponential(1) : (factor * value).toFixed(digits);
}

function pValue(p: number): string {
  return Number.isNaN(p) ? "-" : p < 0.001 ? "<0.001" : p.toFixed(3);
}
