/** `ballast export`: the whole history of a run's metrics as CSV, JSON lines or Parquet; or its dashboard as one HTML file. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { findRun, type RunPlace } from "../../record/places.ts";
import { openStore, type Store } from "../../store/index.ts";
import { BallastError, messageOf, UsageError } from "../../util/errors.ts";
import { COLUMNS, csvLine, type ExportRow, jsonRow } from "../export-rows.ts";
import { jsonLine } from "../json.ts";
import { shortPath } from "../paths.ts";
import type { Terminal } from "../terminal.ts";

export interface ExportOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly format: "csv" | "jsonl" | "parquet" | "html";
  /** A file; standard output by default, but for Parquet. */
  readonly out?: string;
  /** `newest`: what resumes and rollbacks have taken over is left out. */
  readonly attempts: "all" | "newest";
  readonly workspace: string;
  readonly terminal: Terminal;
}

/** Rows read, and written, at a time. */
const batchSize = 20_000;

/** Characters. */
const longestWrite = 1 << 20;

export async function exportRun({ run, format, out, attempts, workspace, terminal }: ExportOptions): Promise<number> {
  const place = findRun(run, workspace);
  if (format === "parquet" && out === undefined)
    throw new UsageError("Parquet is written to a file only", `Name a file: --out ${place.id}.parquet`);
  const store = openStore(join(place.workspace, "ballast.db"), { readonly: true });
  try {
    if (format === "html") {
      const page = await pageOf(store, { place, terminal });
      if (out === undefined) terminal.out(page.trimEnd());
      else {
        await writeWhole(out, async (path) => writeFileSync(path, page));
        terminal.note(`${place.id} written to ${shortPath(out)}: open it in a browser, or send it to someone`);
      }
      return 0;
    }
    const batches = batchesOf(store, place.id, { current: attempts === "newest" });
    if (out === undefined) for (const line of lines(batches, format)) terminal.out(line);
    else {
      const count = await writeWhole(out, (path) => write(path, batches, format));
      terminal.note(`${count} rows written to ${shortPath(out)}`);
    }
  } finally {
    store.close();
  }
  return 0;
}

async function pageOf(store: Store, { place, terminal }: { place: RunPlace; terminal: Terminal }): Promise<string> {
  const { createApp, loadWeb, staticPage } = await import("../../server/index.ts");
  const web = await loadWeb({ onBuild: () => terminal.note(terminal.noteColours.dim("building the page, once")) });
  return staticPage({ app: createApp(store, { workspace: place.workspace }), run: place.id, web });
}

function* batchesOf(store: Store, runId: string, { current }: { current: boolean }): Generator<ExportRow[]> {
  for (let after = 0; ; ) {
    const { rows, cursor } = store.metrics(runId, { after, limit: batchSize, current });
    yield rows.map((row) => ({ run: runId, ...row }));
    if (rows.length < batchSize) return;
    after = cursor;
  }
}

type RowFormat = Exclude<ExportOptions["format"], "html">;

function* lines(batches: Iterable<readonly ExportRow[]>, format: RowFormat): Generator<string> {
  if (format === "csv") yield COLUMNS.join(",");
  for (const rows of batches) for (const row of rows) yield format === "csv" ? csvLine(row) : jsonLine(jsonRow(row));
}

/** Returns how many rows there were. */
async function write(path: string, batches: Iterable<readonly ExportRow[]>, format: RowFormat): Promise<number> {
  if (format === "parquet") return (await import("../export-parquet.ts")).writeParquet(path, batches);
  const file = openSync(path, "w");
  try {
    let text = "";
    let count = format === "csv" ? -1 : 0;
    for (const line of lines(batches, format)) {
      text += `${line}\n`;
      count++;
      if (text.length < longestWrite) continue;
      writeSync(file, text);
      text = "";
    }
    writeSync(file, text);
    fsyncSync(file);
    return count;
  } finally {
    closeSync(file);
  }
}

/** A file that is there is whole: it gets its name last. */
async function writeWhole<Result>(path: string, body: (path: string) => Promise<Result>): Promise<Result> {
  const temporary = `${path}.partial`;
  try {
    const result = await body(temporary);
    renameSync(temporary, path);
    return result;
  } catch (error) {
    rmSync(temporary, { force: true });
    if (error instanceof BallastError) throw error;
    throw new BallastError(
      `cannot write ${path}: ${messageOf(error)}`,
      (error as NodeJS.ErrnoException).code === "ENOENT"
        ? `There is no folder ${dirname(resolve(path))}: make it, or name another file.`
        : "Free some space or name another file.",
    );
  }
}
