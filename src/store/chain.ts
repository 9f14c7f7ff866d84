/** Checks the hash chain over a run's record: every sealed row against its seal, and every seal against the one before. */
import type { Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { DerivedCheck } from "./derived-check.ts";
import {
  headOf,
  newestSeal,
  rowCounts,
  type SealContents,
  SealedContent,
  type SealedTable,
  type StoredRow,
  sealedTables,
} from "./sealing.ts";

/** Most faults that are described. */
const mostFaults = 20;
/** Seals that are read at a time. */
const page = 1_000;

export interface ChainCheck {
  readonly seals: number;
  /** The newest seal's hash; null if the run has no chain. */
  readonly head: string | null;
  /** When the first and the newest seal were written; null without a chain. */
  readonly from: number | null;
  readonly to: number | null;
  /** Number of sealed rows by table. */
  readonly rows: Readonly<Partial<Record<SealedTable, number>>>;
  /** Number of rows by table that an earlier version wrote, before the chain began. */
  readonly before: Readonly<Partial<Record<SealedTable, number>>>;
  /** What does not fit, in words, oldest first; at most 20. Empty: the record is as it was sealed. */
  readonly faults: readonly string[];
  /** How many faults there are. */
  readonly faultCount: number;
}

interface StoredSeal {
  readonly seq: number;
  readonly contents: string;
  readonly head: string;
  readonly at: number;
}

export function createChain(connection: Connection) {
  return {
    /** The head of a run's chain; null if it has none. */
    chainHead: (runId: string): string | null => newestSeal(connection, runId)?.head ?? null,

    /** When a seal with this hash was written to the run's chain; null if it has none. */
    sealedAt(runId: string, head: string): number | null {
      const sql = "SELECT at FROM seals WHERE run_id = ? AND head = ?";
      return connection.get<{ at: number }>(sql, [runId, head])?.at ?? null;
    },

    /** Reads every sealed row of a run. */
    checkChain: (runId: string): ChainCheck => connection.read(() => checkChain(connection, runId)),
  };
}

function checkChain(connection: Connection, runId: string): ChainCheck {
  const faults: string[] = [];
  let faultCount = 0;
  const fault = (text: string) => {
    faultCount++;
    if (faults.length < mostFaults) faults.push(text);
  };
  const rows: Partial<Record<SealedTable, number>> = {};
  let before: ChainCheck["before"] = {};
  let seals = 0;
  let derived: DerivedCheck | null = null;
  let previous: StoredSeal | null = null;
  let from: number | null = null;
  for (;;) {
    const found: StoredSeal[] = connection.all<StoredSeal>(
      "SELECT seq, contents, head, at FROM seals WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?",
      [runId, previous?.seq ?? -1, page],
    );
    if (found.length === 0) break;
    for (const seal of found) {
      const { contents, head, at } = seal;
      const name = `seal ${seals + 1} of ${time(at)}`;
      if (headOf({ before: previous?.head ?? "", runId, at, contents }) !== head)
        fault(
          `${name} does not fit ${previous === null ? "its contents: it was changed" : "the one before it: one of the two was changed or removed"}`,
        );
      const { rows: sealed, before: earlier } = contentsOf(contents);
      const metrics = sealed.metrics && ([sealed.metrics[0], sealed.metrics[1]] as const);
      if (previous === null) {
        before = earlier ?? {};
        // Blocks of series that began before the chain hold rows that it does not cover.
        if (earlier === undefined) derived = new DerivedCheck(connection, { runId, fault });
        from = at;
      }
      for (const [table, [first, last, count, hash]] of Object.entries(sealed) as [
        SealedTable,
        readonly [number, number, number, string],
      ][]) {
        rows[table] = (rows[table] ?? 0) + count;
        const content = new SealedContent(table);
        const range = { runId, table, first, last, ...(metrics && { metrics }) };
        for (const row of rowsOf(connection, range)) {
          content.add(row);
          if (table === "metrics") derived?.add(row as never);
        }
        const [, , foundCount, foundHash] = content.rows();
        if (foundHash === hash) continue;
        const which = first === last ? `row ${first}` : `rows ${first} to ${last}`;
        const what =
          foundCount < count
            ? `${count - foundCount} of ${count} removed`
            : foundCount > count
              ? `${foundCount - count} added`
              : "changed";
        fault(`${name}, ${table} ${which}: ${what}`);
      }
      previous = seal;
      seals++;
    }
  }
  if (seals > 0) {
    for (const [table, count] of Object.entries(rowCounts(connection, runId)) as [SealedTable, number][]) {
      const known = (rows[table] ?? 0) + (before[table] ?? 0);
      if (count > known)
        fault(`${table}: ${count - known} ${count - known === 1 ? "row" : "rows"} that no seal covers`);
      else if (count < known && (before[table] ?? 0) > 0)
        fault(`${table}: ${known - count} fewer than when the chain began, or than were sealed`);
    }
    derived?.finish();
    for (const text of wrongBeginnings(connection, runId)) fault(text);
  }
  const { head = null, at: to = null } = previous ?? {};
  return { seals, head, from, to, rows, before, faults, faultCount };
}

/** The contents of a seal; empty if they were changed to something else, which the seal's hash has shown. */
function contentsOf(text: string): SealContents {
  try {
    const contents = JSON.parse(text) as SealContents | null;
    const rows = Object.entries(contents?.rows ?? {}).filter(
      ([table, range]) => Object.hasOwn(sealedTables, table) && Array.isArray(range),
    );
    return { ...contents, rows: Object.fromEntries(rows) };
  } catch {
    return { rows: {} };
  }
}

/** The rows of a run that one seal covers, in the order of their numbers. */
function rowsOf(
  connection: Connection,
  seal: { runId: string; table: SealedTable; first: number; last: number; metrics?: readonly [number, number] },
): StoredRow[] {
  const { runId, table, first, last, metrics } = seal;
  const key = sealedTables[table];
  const range = `"${key}" BETWEEN ?1 AND ?2`;
  if (table === "runs") return connection.all(`SELECT * FROM runs WHERE ${range} AND id = ?3`, [first, last, runId]);
  if (table === "metrics")
    return connection.all(
      `SELECT m.* FROM metrics AS m JOIN series AS s ON s.id = m.series WHERE m.seq BETWEEN ?1 AND ?2 AND s.run_id = ?3 ORDER BY m.seq`,
      [first, last, runId],
    );
  // They have no index by their number, and are found by the iterations of the metrics sealed with them.
  if (table === "spans")
    return connection.all(
      `SELECT p.* FROM (SELECT DISTINCT s.attempt, s.stage, m.iteration FROM metrics AS m JOIN series AS s ON s.id = m.series
         WHERE m.seq BETWEEN ?4 AND ?5 AND s.run_id = ?3) AS here
       JOIN spans AS p ON p.run_id = ?3 AND p.attempt = here.attempt AND p.stage = here.stage AND p.iteration = here.iteration
       WHERE p.first_seq BETWEEN ?1 AND ?2 ORDER BY p.first_seq`,
      [first, last, runId, ...(metrics ?? [0, -1])],
    );
  if (table === "decisions")
    return connection.all(
      `SELECT d.* FROM decisions AS d JOIN incidents AS i ON i.id = d.incident_id WHERE d.${range} AND i.run_id = ?3 ORDER BY incident_id`,
      [first, last, runId],
    );
  return connection.all(`SELECT * FROM ${table} WHERE ${range} AND run_id = ?3 ORDER BY "${key}"`, [
    first,
    last,
    runId,
  ]);
}

/** Attempts that do not begin at their first metrics: the beginning decides which rows of earlier attempts are superseded. */
function wrongBeginnings(connection: Connection, runId: string): string[] {
  return connection
    .all<{ attempt: number; stage: Stage; iteration: number; first_stage: Stage; first_iteration: number }>(
      `SELECT a.attempt, a.stage, a.iteration, p.stage AS first_stage, p.iteration AS first_iteration, min(p.first_seq)
       FROM attempts AS a JOIN spans AS p ON p.run_id = a.run_id AND p.attempt = a.attempt
       WHERE a.run_id = ? GROUP BY a.attempt`,
      [runId],
    )
    .flatMap(({ attempt, stage, iteration, first_stage, first_iteration }) =>
      stage === first_stage && iteration === first_iteration
        ? []
        : [
            `attempt ${attempt} is said to begin at ${stage} ${iteration}, and its first metrics are of ${first_stage} ${first_iteration}`,
          ],
    );
}

function time(at: number): string {
  return new Date(at).toISOString();
}
