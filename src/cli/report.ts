/** The report before and after PPO: one table, its paired differences, what the reward model is worth, and transcripts. */
import { number, percent, points } from "./format.ts";
import { printable } from "./sanitize.ts";
import { type Column, table } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { type Transcript, transcriptLines, transcriptTitles } from "./transcript.ts";
import { wrap } from "./width.ts";

/** A value with its 95% interval, and the same under greedy decoding. */
export interface Estimate {
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly greedy?: number;
}

export interface ReportRow {
  readonly title: string;
  /** Shares are shown as percentages, differences of shares as points. */
  readonly kind: "share" | "number";
  readonly before: Estimate | null;
  readonly after: Estimate | null;
  /** Paired where both sides answered the same prompts. */
  readonly difference?: { readonly value: number; readonly low: number; readonly high: number };
}

export interface Report {
  readonly objective: string;
  readonly rows: readonly ReportRow[];
  readonly transcripts: readonly Transcript[];
  /** Sentences under the table. */
  readonly notes: readonly string[];
}

/** Room that the one wide table needs; narrower, the differences stand in a table of their own. */
const WIDE = 96;

/** Lines of the report, fitted to the terminal's width. */
export function reportLines(
  report: Report,
  { outColours: c, outWidth }: Pick<Terminal, "outColours" | "outWidth">,
): string[] {
  const width = outWidth();
  const heading = (line: string) => c.bold(line);
  const sides: Column[] = [
    { title: "", shrinksTo: 8 },
    { title: "before", align: "right" },
    { title: "greedy", align: "right" },
    { title: "after", align: "right" },
    { title: "greedy", align: "right" },
  ];
  const difference: Column = { title: "difference", align: "right" };
  const cells = (row: ReportRow) => [row.title, ...sideCells(row, row.before), ...sideCells(row, row.after)];
  const lines = [...wrap(printable(report.objective), width).map((line) => c.bold(line)), ""];
  if (width >= WIDE) {
    const rows = report.rows.map((row) => [...cells(row), differenceCell(row)]);
    lines.push(...table({ columns: [...sides, difference], rows, width, heading }));
  } else {
    lines.push(...table({ columns: sides, rows: report.rows.map(cells), width, heading }), "");
    const rows = report.rows.filter((row) => row.difference).map((row) => [row.title, differenceCell(row)]);
    lines.push(
      ...table({ columns: [{ title: "" }, { ...difference, title: "after - before" }], rows, width, heading }),
    );
  }
  lines.push("", ...report.notes.flatMap((note) => wrap(printable(note), width)));
  if (report.transcripts.length > 0) {
    const options = { width, titles: ["before", "after"] as const, dim: c.dim, bold: c.bold };
    lines.push("", ...transcriptTitles(options));
    for (const transcript of report.transcripts) lines.push(...transcriptLines(transcript, options));
  }
  return lines;
}

function sideCells({ kind }: ReportRow, side: Estimate | null): [sampled: string, greedy: string] {
  if (side === null) return ["–", ""];
  const show = (value: number) => (kind === "share" ? number(100 * value, 1) : number(value, 2));
  const interval = side.low === undefined || side.high === undefined ? "" : ` [${show(side.low)}, ${show(side.high)}]`;
  const value = kind === "share" ? percent(side.value) : number(side.value, 2);
  return [
    value + interval,
    side.greedy === undefined ? "" : kind === "share" ? percent(side.greedy) : show(side.greedy),
  ];
}

function differenceCell({ kind, difference }: ReportRow): string {
  if (!difference) return "";
  const show = (value: number) => (kind === "share" ? points(value) : signed(value));
  return `${show(difference.value)} [${show(difference.low)}, ${show(difference.high)}]`;
}

function signed(value: number): string {
  const text = number(value, 2);
  return Number(text) > 0 ? `+${text}` : text;
}
