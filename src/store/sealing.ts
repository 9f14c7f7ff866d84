/**
 * The hash chain over a run's record: each transaction that adds rows of a run ends with a seal, a SHA-256 over these rows and over the seal before.
 * A row that is changed or removed later no longer fits its seal, and a seal that is changed or removed no longer fits the next one.
 */
import { createHash, type Hash } from "node:crypto";
import type { Connection, Parameter } from "./connection.ts";

/** A stored row by column, as it is written and as the driver returns it. */
export type StoredRow = Readonly<Record<string, Parameter | ArrayBuffer>>;

/**
 * The tables of sealed rows, each with the column that numbers its rows in the order of writing. Not sealed: `heartbeats`, `requests`, and what is
 * derived from sealed rows (`blocks`, `rollups`).
 */
export const sealedTables = {
  runs: "seq",
  attempts: "attempt",
  states: "seq",
  series: "id",
  metrics: "seq",
  spans: "first_seq",
  events: "seq",
  settings: "seq",
  samples: "seq",
  answers: "seq",
  consultations: "seq",
  incidents: "id",
  decisions: "incident_id",
  commands: "id",
  applications: "seq",
  ratings: "id",
  marks: "id",
} as const;

export type SealedTable = keyof typeof sealedTables;

/** What a seal holds of one table: the first and the last row's number, how many rows they are, and the hash of their contents. */
export type SealedRows = readonly [first: number, last: number, count: number, hash: string];

/** The contents of a seal: its rows by table. The first seal of a run that an earlier version began also counts the rows `before` it. */
export interface SealContents {
  readonly rows: Readonly<Partial<Record<SealedTable, SealedRows>>>;
  readonly before?: Readonly<Partial<Record<SealedTable, number>>>;
}

/** Columns that change after the row is written. */
const changing: Readonly<Partial<Record<SealedTable, readonly string[]>>> = { attempts: ["stage", "iteration"] };

/** One table's rows within one seal, in the order of their numbers. */
export class SealedContent {
  readonly #table: SealedTable;
  readonly #hash: Hash = createHash("sha256");
  #first = 0;
  #last = 0;
  #count = 0;

  constructor(table: SealedTable) {
    this.#table = table;
  }

  add(row: StoredRow): void {
    this.#last = Number(row[sealedTables[this.#table]]);
    if (this.#count++ === 0) this.#first = this.#last;
    this.#hash.update(lineOf(this.#table, row));
  }

  rows(): SealedRows {
    return [this.#first, this.#last, this.#count, this.#hash.copy().digest("base64url")];
  }
}

/** A row as text that no other row has: its columns by name, without those that are NULL, so that a column added later changes nothing. */
function lineOf(table: SealedTable, row: StoredRow): string {
  const left = changing[table];
  const columns: [string, unknown][] = [];
  for (const name of Object.keys(row).sort()) {
    const value = row[name];
    if (value === null || left?.includes(name)) continue;
    columns.push([name, typeof value === "object" ? bytesOf(value) : value]);
  }
  return `${JSON.stringify(columns)}\n`;
}

/** A blob as an object, which no column's text or number is. */
function bytesOf(value: Uint8Array | ArrayBuffer | null): { readonly bytes: string } {
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(value ?? new ArrayBuffer(0));
  return { bytes: bytes.toString("base64") };
}

/** SHA-256 in hexadecimal of a seal: of the seal before it (empty for the first), the run, the time in Unix milliseconds, and the contents as stored. */
export function headOf(seal: { before: string; runId: string; at: number; contents: string }): string {
  const { before, runId, at, contents } = seal;
  return createHash("sha256")
    .update(JSON.stringify([before, runId, at, contents]))
    .digest("hex");
}

/** Collects the rows of a run that one transaction adds. */
export class Sealing {
  readonly #connection: Connection;
  readonly #runId: string;
  readonly #contents = new Map<SealedTable, SealedContent>();

  constructor(connection: Connection, runId: string) {
    this.#connection = connection;
    this.#runId = runId;
  }

  /** Adds a row that was just inserted; `rowid` is its number, unless one of its columns has it. */
  add(table: SealedTable, row: StoredRow, rowid: number): void {
    let content = this.#contents.get(table);
    if (content === undefined) {
      content = new SealedContent(table);
      this.#contents.set(table, content);
    }
    const number = sealedTables[table];
    content.add(Object.hasOwn(row, number) ? row : { ...row, [number]: rowid });
  }

  /** Writes the seal, in the same transaction; nothing if no row was added. */
  write(at: number): void {
    if (this.#contents.size === 0) return;
    const newest = newestSeal(this.#connection, this.#runId);
    const rows = Object.fromEntries([...this.#contents].map(([table, content]) => [table, content.rows()]));
    const before = newest === undefined && !this.#contents.has("runs") ? this.#earlierRows() : {};
    const contents = JSON.stringify({
      rows,
      ...(Object.keys(before).length > 0 && { before }),
    } satisfies SealContents);
    const head = headOf({ before: newest?.head ?? "", runId: this.#runId, at, contents });
    this.#connection.run("INSERT INTO seals (run_id, contents, head, at) VALUES (?, ?, ?, ?)", [
      ...[this.#runId, contents, head],
      at,
    ]);
  }

  /** How many rows of each table the run had before this transaction: those that an earlier version wrote. */
  #earlierRows(): Partial<Record<SealedTable, number>> {
    return Object.fromEntries(
      Object.entries(rowCounts(this.#connection, this.#runId)).flatMap(([table, count]) => {
        const earlier = count - (this.#contents.get(table as SealedTable)?.rows()[2] ?? 0);
        return earlier > 0 ? [[table, earlier]] : [];
      }),
    );
  }
}

/** The newest seal of a run; undefined if it has none. */
export function newestSeal(
  connection: Connection,
  runId: string,
): { readonly seq: number; readonly head: string; readonly at: number } | undefined {
  return connection.get("SELECT seq, head, at FROM seals WHERE run_id = ? ORDER BY seq DESC LIMIT 1", [runId]);
}

/** How many rows a run has in each sealed table. Metrics count as many as their spans name. */
export function rowCounts(connection: Connection, runId: string): Record<SealedTable, number> {
  const counted = (sql: string) => connection.get<{ n: number }>(sql, [runId])!.n;
  const sqlOf: Partial<Record<SealedTable, string>> = {
    runs: "SELECT count(*) AS n FROM runs WHERE id = ?",
    metrics: "SELECT coalesce(sum(last_seq - first_seq + 1), 0) AS n FROM spans WHERE run_id = ?",
    decisions: "SELECT count(*) AS n FROM decisions JOIN incidents ON id = incident_id WHERE run_id = ?",
  };
  return Object.fromEntries(
    Object.keys(sealedTables).map((table) => [
      table,
      counted(sqlOf[table as SealedTable] ?? `SELECT count(*) AS n FROM ${table} WHERE run_id = ?`),
    ]),
  ) as Record<SealedTable, number>;
}
