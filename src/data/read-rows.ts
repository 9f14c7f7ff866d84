/** The three kinds of rows from files of any format and any known shape. */
import type { Fail } from "./conversation.ts";
import { type Paths, pathsText } from "./data-files.ts";
import { missingHint } from "./field-names.ts";
import { labelledAnswers } from "./labelled-answers.ts";
import { missingColumn } from "./named-fields.ts";
import { type Columns, type FieldNames, type RowUse, shapeOf } from "./published-shapes.ts";
import { readFiles } from "./read-file.ts";
import { count, createReport, type ReadReport } from "./read-report.ts";
import { RowsError } from "./row-faults.ts";
import { checkFieldNames, createFieldReader, type FieldReader } from "./row-fields.ts";
import { demonstrations, preferences, prompts, type RowKind } from "./row-kinds.ts";
import { type PreferenceRow, type PromptRow, placed, type SftRow } from "./row-types.ts";
import type { SourceRow } from "./source-row.ts";

export interface DataSource {
  /** A file, several, or a pattern such as `data/*.parquet`. */
  readonly path: Paths;
  /** The file's field names by Ballast's names, if they differ: `{prompt: question, completion: answer}`. */
  readonly fields?: FieldNames;
  /** Use only the first rows; 0 means all. */
  readonly limit?: number;
  /** What to do with rows that cannot be used: stop and name all of them, or leave them out and name all of them. */
  readonly badRows?: "error" | "skip";
  /** Is filled with what reading finds besides the rows. */
  readonly report?: ReadReport;
}

/** `error`: a row with an empty answer is a fault. `skip`: it is read, and left out when rows are encoded. */
export type EmptyAnswers = "error" | "skip";

export interface PreferenceSource extends DataSource {
  /** The column whose values rank the answers to one prompt: rows with one answer each become pairs. */
  readonly pairsFrom?: string | undefined;
}

/**
 * Reads rows of `prompt` and `completion`, of `messages` that end with the assistant's, of `text`, or of a published shape.
 * @throws RowsError with file and line of each row that cannot be used; UsageError if `fields` has an unknown name
 */
export function readSftRows(source: DataSource, emptyAnswers: EmptyAnswers = "error"): SftRow[] {
  return readRows(source, { kind: demonstrations, emptyAnswers, leftOut: labelledBad });
}

/**
 * Reads rows of `prompt`, `chosen` and `rejected`, or of a published shape. Without a prompt it is what both answers share before they differ:
 * the history of conversations, the turns of HH-RLHF's strings, or the first words of two texts.
 * @throws RowsError with file and line of each row that cannot be used; UsageError if `fields` has an unknown name
 */
export function readPreferenceRows(source: PreferenceSource, emptyAnswers: EmptyAnswers = "error"): PreferenceRow[] {
  const { pairsFrom } = source;
  if (pairsFrom === undefined) return readRows(source, { kind: preferences, emptyAnswers, check: checkPair });
  const answers = labelledAnswers(pairsFrom);
  readRows(source, { kind: demonstrations, emptyAnswers, each: answers.add });
  return answers.pairs(source.report ?? createReport());
}

/**
 * Reads rows of `prompt`, or of `messages` (a final answer is dropped), with an optional `reference` (a text, a number, true or false; a
 * list or an object is passed to the user's functions) and `kind`; or the prompts of a published shape.
 * @throws RowsError with file and line of each row that cannot be used; UsageError if `fields` has an unknown name
 */
export function readPromptRows(source: DataSource): PromptRow[] {
  return readRows(source, { kind: prompts });
}

/**
 * Passes each row to `visit` with its source, without keeping any: for data of any size. Rows that cannot be used, and those that their labels
 * leave out, are in the source's report.
 * @throws DataError if a file cannot be read; UsageError if `fields` has an unknown name
 */
export function eachRow(
  source: PreferenceSource,
  use: RowUse,
  visit: (row: SftRow | PreferenceRow | PromptRow, from: Pick<SourceRow, "value">) => void,
): void {
  if (use === "preferences" && source.pairsFrom !== undefined) {
    for (const pair of readPreferenceRows(source)) visit(pair, { value: {} });
    return;
  }
  const each = { each: visit, keep: false };
  if (use === "demonstrations") readRows(source, { kind: demonstrations, leftOut: labelledBad, ...each });
  else if (use === "preferences") readRows(source, { kind: preferences, check: checkPair, ...each });
  else readRows(source, { kind: prompts, ...each });
}

interface Way<Row> {
  readonly kind: RowKind<Row>;
  readonly emptyAnswers?: EmptyAnswers;
  /** Why a row is left out by its label; null if it is not. */
  readonly leftOut?: (columns: Columns) => string | null;
  /** Rejects a row that contradicts itself. */
  readonly check?: (columns: Columns, fail: Fail) => void;
  /** Is given each row with its source. */
  readonly each?: (row: Row, source: SourceRow) => void;
  /** Whether to keep the rows; true by default. */
  readonly keep?: boolean;
}

function readRows<Row extends object>(
  { path, fields = {}, limit = 0, badRows = "error", report = createReport() }: DataSource,
  { kind, emptyAnswers = "error", leftOut, check, each, keep = true }: Way<Row>,
): Row[] {
  const { known, shapes } = kind;
  checkFieldNames(fields, known);
  const skipped = badRows === "skip" ? { skipped: report } : {};
  // A name that occurs in at least one row is only missing from the others; a name that occurs in none is mistyped.
  const unseen = new Map(Object.entries(fields));
  let columns: readonly string[] = [];
  const hints = new Map<string, string>();
  const use = (row: SourceRow): Row | null => {
    for (const [field, column] of unseen) if (Object.hasOwn(row.value, column)) unseen.delete(field);
    columns = Object.keys(row.value).filter((column) => row.value[column] !== null);
    const fail: Fail = (problem, hint, value) => {
      throw new RowsError([{ place: row.place, problem, hint, value }]);
    };
    const why = leftOut?.(row.value) ?? null;
    if (why !== null) {
      count(report.leftOut, why);
      return null;
    }
    const reader = (names: FieldNames, hint: () => string, made?: Columns) =>
      createFieldReader(row, {
        ...{ fields: names, known, emptyAnswers: emptyAnswers === "skip", missingHint: hint },
        ...(made && { made }),
      });
    const attempt = (names: FieldNames) => kind.toRow(reader(names, () => ""));
    const hint = () => {
      // The proposal is the same for all rows with these columns, and takes trying them out.
      const key = JSON.stringify(columns);
      const found = hints.get(key) ?? missingHint({ row: row.value, fields, shapes, read: attempt });
      hints.set(key, found);
      return found;
    };
    const own = reader(fields, hint);
    const shape = Object.keys(fields).length > 0 || kind.isOwn(own) ? undefined : shapeOf(row.value, kind.use);
    const reading =
      shape &&
      (kind.use === "prompts" && shape.prompt ? { fields: { prompt: shape.prompt } } : shape.read(row.value, fail));
    if (reading && "leftOut" in reading) {
      count(report.leftOut, reading.leftOut);
      return null;
    }
    check?.(row.value, fail);
    const found = reading ? reader(reading.fields, hint, reading.made) : own;
    const read = withTools(kind.toRow(found), row.value);
    count(report.shapes, shape?.name ?? ownName(found, kind));
    placed(read, { ...row.place, ...skipped });
    each?.(read, row);
    return keep ? read : null;
  };
  const rows = readFiles(path, { limit, use, ...skipped });
  for (const [field, column] of unseen) throw missingColumn({ field, column, columns, which: pathsText(path) });
  if (keep && rows.length === 0 && report.faults.length > 0) throw new RowsError(report.faults);
  return rows;
}

/** Ballast's own fields that a row has, which name its shape. */
function ownName<Row>(row: FieldReader, { known }: RowKind<Row>): string {
  return known.filter(row.has).join(", ");
}

/** KTO's rows say of each answer whether it is good; a bad one is not imitated. */
function labelledBad(columns: Columns): string | null {
  const { label, completion } = columns;
  const bad = label === false || (typeof label === "string" && /^false$/i.test(label));
  return bad && completion != null ? "whose label says that the answer is bad" : null;
}

/** Columns in which published pairs keep the scores of their answers. */
const scores = [
  ["score_chosen", "score_rejected"],
  ["chosen_score", "rejected_score"],
  ["chosen-rating", "rejected-rating"],
  ["chosen_rating", "rejected_rating"],
] as const;

function checkPair(columns: Columns, fail: Fail): void {
  for (const [better, worse] of scores) {
    const [a, b] = [columns[better], columns[worse]];
    if (a == null || b == null || !(Number(a) < Number(b))) continue;
    fail(
      `"${better}" is below "${worse}"`,
      "the scores say the opposite of the columns: correct the row, or leave it out",
      `${a} against ${b}`,
    );
  }
  const { chosen, rejected, completion, response } = columns;
  const label = ["label", "helpfulness"].find((name) => columns[name] != null);
  if (chosen == null && rejected == null && (completion ?? response) != null && label !== undefined)
    fail(
      `the row holds one answer with a "${label}", not a pair`,
      `to make pairs of the answers to one prompt that are labelled differently, say so: reward.data.pairsFrom: ${label}`,
    );
}

/** The row with its column `tools` on the first message of its conversation. */
function withTools<Row extends object>(row: Row, { tools }: Columns): Row {
  const { prompt } = row as { prompt?: SftRow["prompt"] };
  const list = typeof tools === "string" ? listIn(tools) : tools;
  if (!Array.isArray(list) || list.length === 0 || !prompt?.[0] || prompt[0].bare) return row;
  return { ...row, prompt: [{ ...prompt[0], tools: list }, ...prompt.slice(1)] };
}

function listIn(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
