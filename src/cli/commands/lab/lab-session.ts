/** What every experiment of the laboratory shares on the command line: the lock, progress with the time left, Ctrl-C, and tables as text and JSON. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Cell, Results } from "../../../lab/cells.ts";
import { type LabOutcome, runCells } from "../../../lab/run-cells.ts";
import { lockRun } from "../../../run/lock.ts";
import { counted } from "../../../util/counted.ts";
import { writeDurably } from "../../../util/durable.ts";
import { Interrupted, UsageError } from "../../../util/errors.ts";
import { defaultThreads } from "../../../util/threads.ts";
import { watchSignals } from "../../interrupt.ts";
import { jsonLine } from "../../json-line.ts";
import { clock } from "../../number-format.ts";
import { ProgressDisplay } from "../../progress.ts";
import type { Column } from "../../table.ts";
import { table } from "../../table.ts";
import type { Terminal } from "../../terminal.ts";
import { wrap } from "../../width.ts";

/** A table with its notes. */
export interface Section {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
  /** How the page draws the columns that have intervals: `apart`, each on a scale of its own, or not at all; by default on one scale. */
  readonly picture?: "apart" | "none";
}

export interface Experiment {
  /** The experiment's name, its folder in the laboratory, and the file that the page reads. */
  readonly name: string;
  readonly title: string;
  readonly plan: (results: Results) => readonly Cell[];
  /** A line about a finished cell; null says nothing. */
  readonly line: (cell: Cell, result: unknown) => string | null;
  readonly sections: (results: Results) => readonly Section[];
  /** What `--json` prints besides what is unfinished. */
  readonly json: (results: Results) => object;
  /** Ids of the runs, for the page. */
  readonly runs: (results: Results) => readonly string[];
}

export interface SessionOptions {
  readonly workspace: string;
  readonly processes?: number;
  readonly json?: boolean;
  /** Train nothing: the tables of what is done. */
  readonly report?: boolean;
  /** A Markdown file whose table of this experiment is replaced by the new one. */
  readonly doc?: string;
  readonly terminal: Terminal;
}

/** Runs an experiment as far as it can be run, and prints its tables. Returns the exit code: 1 if cells failed. Throws Interrupted. */
export async function runExperiment(experiment: Experiment, options: SessionOptions): Promise<number> {
  const { terminal, workspace, processes = defaultThreads(), json = false, report = false, doc } = options;
  const put = doc === undefined ? null : openDoc(doc, experiment.name);
  const folder = resolve(workspace, "lab", experiment.name);
  mkdirSync(folder, { recursive: true });
  // Reading disturbs nobody who trains there.
  const lock = report ? null : lockRun(folder);
  const display = new ProgressDisplay({ terminal, pick: () => [] });
  const c = terminal.noteColours;
  const signals = watchSignals({
    onInterrupt: () => display.note(c.yellow("finishing these steps; Ctrl-C again leaves at once")),
    onLeave: () => display.close(),
  });
  let outcome: LabOutcome;
  try {
    display.note(c.dim(`${processes === 1 ? "one process" : `${processes} processes`} of one thread, in ${folder}`));
    let left = "";
    outcome = await runCells({
      folder,
      plan: experiment.plan,
      processes,
      report,
      interrupted: signals.interrupted,
      onNote: (text) => display.note(c.dim(text)),
      onProgress: ({ done, of, left: seconds, doing }) => {
        left = Number.isFinite(seconds) ? `  ${done} of ${of}, ${clock(seconds)} left` : "";
        const message = doing.join(", ");
        display.update({ stage: "lab", step: done, steps: of, unit: "cell", left: seconds, values: {}, message });
      },
      onCell: (cell, result, kept) => {
        const line = kept ? null : experiment.line(cell, result);
        if (line !== null) display.note(`${line}${c.dim(left)}`);
      },
    });
  } finally {
    display.close();
    signals.dispose();
    lock?.release();
  }
  const { results, unfinished, outdated } = outcome;
  const sections = experiment.sections(results);
  const missing = unfinished.slice(0, 10).map(({ cell, why }) => `${cell}: ${why}`);
  const notes = [
    ...(outdated.length > 0
      ? [
          `OUTDATED: ${counted(outdated.length, "result")} of earlier settings, rules or rows, done again without --report`,
        ]
      : []),
    ...(unfinished.length > 0
      ? [
          `UNFINISHED: ${counted(unfinished.length, "cell")} without a result: ${missing.join("; ")}${unfinished.length > 10 ? "; …" : ""}`,
        ]
      : []),
  ];
  if (json) terminal.out(jsonLine({ ...experiment.json(results), unfinished, outdated }));
  else {
    const style = { width: terminal.outWidth(), heading: (line: string) => terminal.outColours.dim(line) };
    for (const line of textOf([...sections, noteSection(notes)], style)) terminal.out(line);
  }
  put?.(textOf([...sections, noteSection(notes)], { width: docWidth, heading: (line) => line }));
  const { title } = experiment;
  const page = { title, at: Date.now(), ...pageOf(sections, notes), runs: experiment.runs(results) };
  writeDurably(join(resolve(workspace, "lab"), `${experiment.name}.json`), JSON.stringify(page));
  if (outcome.interrupted)
    throw new Interrupted(
      `interrupted with ${counted(results.size, "cell")} done and ${unfinished.length} to go; what is done is kept`,
      "Run the same command again to continue.",
    );
  return unfinished.length === 0 || report ? 0 : 1;
}

function noteSection(notes: readonly string[]): Section {
  return { title: "", columns: [], rows: [], notes };
}

/** Columns of a table in a document. */
const docWidth = 100;

/** Finds the table's place in a document before anything runs, and returns what replaces it. Throws UsageError if there is none. */
function openDoc(file: string, name: string): (lines: readonly string[]) => void {
  const [begins, ends] = [`<!-- ballast lab ${name} -->`, "<!-- end -->"];
  const split = () => {
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const from = text.indexOf(begins);
    const to = text.indexOf(ends, from);
    if (from < 0 || to < 0)
      throw new UsageError(`--doc ${file}: no line ${begins} with ${ends} after it`, "The table goes between the two.");
    return [text.slice(0, from + begins.length), text.slice(to)];
  };
  split();
  return (lines) => {
    const [before, after] = split();
    writeDurably(file, `${before}\n\`\`\`\n${lines.join("\n")}\n\`\`\`\n${after}`);
  };
}

function textOf(
  sections: readonly Section[],
  { width, heading }: { readonly width: number; readonly heading: (line: string) => string },
): string[] {
  return sections
    .filter(({ rows, notes }) => rows.length + notes.length > 0)
    .flatMap(({ columns, rows, notes }) => [
      ...(rows.length === 0 ? [] : [...table({ columns, rows, width, heading }), ""]),
      ...(notes.length === 0 ? [] : [...notes.flatMap((note) => wrap(note, width)), ""]),
    ])
    .slice(0, -1);
}

/** The tables as the dashboard shows them. */
function pageOf(sections: readonly Section[], notes: readonly string[]) {
  return {
    notes: [...notes, ...sections.flatMap((section) => section.notes)],
    tables: sections
      .filter(({ rows }) => rows.length > 0)
      .map(({ title, columns, rows, picture }) => ({
        ...{ title, columns: columns.map((column) => column.title), rows },
        ...(picture !== undefined && { picture }),
      })),
  };
}

/** Seeds as `11,12,13`, `1-8`, or both. Throws UsageError. */
export function seedsFrom(text: string): number[] {
  const seeds = text.split(",").flatMap((part) => {
    const range = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(part);
    if (range === null) return [/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN];
    const [first, last] = [Number(range[1]), Number(range[2])];
    return last - first > 1000
      ? [Number.NaN]
      : Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
  const wrong = seeds.length === 0 || seeds.some((seed) => !Number.isSafeInteger(seed));
  if (wrong || new Set(seeds).size < seeds.length)
    throw new UsageError(`--seeds ${text}: expected distinct whole numbers`, "Such as 11,12,13, or 1-8.");
  return seeds;
}
