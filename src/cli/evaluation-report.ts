/** The report of an evaluation: one table before and after PPO, paired differences, and transcripts. */
import { figureOrder, figureTitle } from "../signals/figure-titles.ts";
import type { Estimate, Evaluation, PairedDifference } from "../types/evaluation.ts";
import { printable } from "../util/sanitize.ts";
import { number, percent, points } from "./number-format.ts";
import { type Column, table } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { transcriptLines, transcriptTitles } from "./transcript.ts";
import { wrap } from "./width.ts";

export interface ReportOptions {
  readonly evaluation: Evaluation;
  /** Sentences below the table. */
  readonly notes?: readonly string[];
  /** Whether the reward consists only of a learned model. */
  readonly learned?: boolean;
}

/** Columns that the single wide table needs; on a narrower terminal, the differences get their own table. */
const WIDE = 96;

/** Lines of the report, fitted to the terminal's width. */
export function reportLines(
  { evaluation, notes = [], learned = false }: ReportOptions,
  { outColours: c, outWidth }: Pick<Terminal, "outColours" | "outWidth">,
): string[] {
  const width = outWidth();
  const { objective, before, after, differences, shares, transcripts } = evaluation;
  const figures = figureOrder(Object.keys({ ...before?.figures, ...after.figures })).filter(
    (name) => before?.figures[name] || after.figures[name],
  );
  const title = (name: string) => (learned && name === "reward" ? "learned reward" : figureTitle(name));
  const isShare = (name: string) => shares.includes(name);
  const cells = (name: string) => [
    title(name),
    ...(before ? sideCells(before.figures[name], isShare(name)) : []),
    ...sideCells(after.figures[name], isShare(name)),
  ];
  const side = (name: string): Column[] => [
    { title: name, align: "right" },
    { title: "greedy", align: "right" },
  ];
  const columns: Column[] = [{ title: "" }, ...(before ? side("before") : []), ...side(before ? "after" : "measured")];
  const difference: Column = { title: "difference", align: "right" };
  const heading = (line: string) => c.bold(line);
  const lines = objective === "" ? [] : [...wrap(printable(objective), width).map((line) => c.bold(line)), ""];
  const compared = figures.filter((name) => differences[name]);
  if (width >= WIDE && compared.length > 0) {
    const rows = figures.map((name) => [...cells(name), differenceCell(differences[name], isShare(name))]);
    lines.push(...table({ columns: [...columns, difference], rows, width, heading }));
  } else {
    lines.push(...table({ columns, rows: figures.map(cells), width, heading }));
    if (compared.length > 0) {
      const rows = compared.map((name) => [title(name), differenceCell(differences[name], isShare(name))]);
      lines.push("", ...table({ columns: [{ title: "" }, difference], rows, width, heading }));
    }
  }
  lines.push(
    "",
    ...[howMeasured(evaluation), ...notes].flatMap((note) => wrap(printable(note), width).map((line) => c.dim(line))),
  );
  if (transcripts.length > 0) {
    const options = { width, titles: before ? (["before", "after"] as const) : null, dim: c.dim, bold: c.bold };
    lines.push("", ...transcriptTitles(options));
    for (const transcript of transcripts) lines.push(...transcriptLines(transcript, options));
  }
  return lines;
}

function howMeasured({ samples, distinctPrompts = samples, temperature, seed, before }: Evaluation): string {
  const paired = before ? "; differences are paired: the same prompts and random streams on both sides" : "";
  const repeats = distinctPrompts < samples;
  const prompts = repeats ? ` over ${distinctPrompts} distinct ${distinctPrompts === 1 ? "prompt" : "prompts"}` : "";
  const intervals = `95% intervals${repeats ? ", which allow for answers to one prompt being alike" : ""}`;
  return `${samples} samples${prompts} at temperature ${temperature}, seed ${seed}; in brackets ${intervals}${paired}.`;
}

function sideCells(estimate: Estimate | undefined, share: boolean): [sampled: string, greedy: string] {
  if (!estimate) return ["–", ""];
  const { mean, low, high, greedy } = estimate;
  const bound = (value: number) => (share ? number(100 * value, 1) : number(value, 2));
  const value = (x: number) => (share ? percent(x) : number(x, 2));
  return [withInterval([mean, low, high], { value, bound }), greedy === undefined ? "" : value(greedy)];
}

function differenceCell(difference: PairedDifference | undefined, share: boolean): string {
  if (!difference) return "";
  const show = (value: number) => (share ? points(value) : signed(value));
  const { difference: mean, low, high } = difference;
  return withInterval([mean, low, high], { value: show, bound: show });
}

/** A mean with its interval; without one if too few prompts were asked for it. If the mean is not finite, the interval says so too. */
function withInterval(
  [mean, low, high]: readonly [mean: number, low: number, high: number],
  show: { readonly value: (x: number) => string; readonly bound: (x: number) => string },
): string {
  const hasNone = Number.isFinite(mean) && Number.isNaN(low) && Number.isNaN(high);
  return hasNone ? show.value(mean) : `${show.value(mean)} [${show.bound(low)}, ${show.bound(high)}]`;
}

function signed(value: number): string {
  const text = number(value, 2);
  return Number(text) > 0 ? `+${text}` : text;
}
