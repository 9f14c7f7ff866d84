/** `ballast export`: the whole history of a run's metrics as CSV, JSON lines or Parquet; its dashboard as one HTML file; or its model. */
import { findRun, type RunPlace } from "../../../inspect/places.ts";
import type { DtypeName } from "../../../models/number-formats.ts";
import { databaseOf, openStore, type Store } from "../../../store/index.ts";
import { UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { writeExport } from "../../export-file.ts";
import { jsonLine } from "../../json-line.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";
import { COLUMNS, csvLine, type ExportRow, jsonRow } from "./export-rows.ts";

export interface ExportOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly format: "csv" | "jsonl" | "parquet" | "html" | "model";
  /** The output file, or a model's new folder; by default standard output, except for Parquet and models. */
  readonly out?: string;
  /** `newest`: leaves out what resumes and rollbacks have superseded. */
  readonly attempts: "all" | "newest";
  /** A model's format of numbers; fp32 by default. */
  readonly dtype?: DtypeName;
  readonly workspace: string;
  readonly terminal: Terminal;
}

/** Rows read and written at a time. */
const batchSize = 20_000;

/** Most characters per write. */
const longestWrite = 1 << 20;

export async function exportRun(options: ExportOptions): Promise<number> {
  const { run, format, out, attempts, dtype, workspace, terminal } = options;
  if (format === "model") {
    await (await import("./export-model.ts")).exportModel({ ...options, dtype: dtype ?? "fp32" });
    return 0;
  }
  if (dtype !== undefined)
    throw new UsageError(`--dtype ${dtype} is for models only`, "Add --format model, or leave --dtype out.");
  const place = findRun(run, workspace);
  if (format === "parquet" && out === undefined)
    throw new UsageError("Parquet is written to a file only", `Name a file: --out ${place.id}.parquet`);
  const store = openStore(databaseOf(place.workspace), { readonly: true });
  try {
    if (format === "html") {
      const page = await pageOf(store, { place, terminal });
      if (out === undefined) terminal.out(page.trimEnd());
      else {
        writeExport(out, page);
        terminal.note(
          `${place.id} written to ${printableLine(shortPath(out))}: open it in a browser, or send it to someone`,
        );
      }
      return 0;
    }
    const batches = batchesOf(store, place.id, { current: attempts === "newest" });
    if (out === undefined) for (const line of lines(batches, format)) terminal.out(line);
    else {
      let count = 0;
      const seen = function* () {
        for (const rows of batches) {
          count += rows.length;
          yield rows;
        }
      };
      writeExport(out, await content(seen(), format));
      terminal.note(`${count} rows written to ${printableLine(shortPath(out))}`);
    }
  } finally {
    store.close();
  }
  return 0;
}

async function pageOf(store: Store, { place, terminal }: { place: RunPlace; terminal: Terminal }): Promise<string> {
  const { createApp, loadWeb, staticPage } = await import("../../../server/index.ts");
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

type RowFormat = Exclude<ExportOptions["format"], "html" | "model">;

function* lines(batches: Iterable<readonly ExportRow[]>, format: RowFormat): Generator<string> {
  if (format === "csv") yield COLUMNS.join(",");
  for (const rows of batches) for (const row of rows) yield format === "csv" ? csvLine(row) : jsonLine(jsonRow(row));
}

async function content(
  batches: Iterable<readonly ExportRow[]>,
  format: RowFormat,
): Promise<Iterable<string | Uint8Array>> {
  if (format !== "parquet") return pieces(lines(batches, format));
  return (await import("./export-parquet.ts")).parquetBytes(batches);
}

/** Lines in pieces large enough for an efficient write. */
function* pieces(lines: Iterable<string>): Generator<string> {
  let text = "";
  for (const line of lines) {
    text += `${line}\n`;
    if (text.length < longestWrite) continue;
    yield text;
    text = "";
  }
  yield text;
}
