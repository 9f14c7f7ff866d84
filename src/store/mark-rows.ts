/** Users' marks that organise runs and samples: tags, notes, archived or not, pinned samples. Rows are only added. */
import type { MarkKind, NewMark } from "../types/page.ts";
import type { Connection } from "./connection.ts";
import { decodeText, encodeText } from "./encode-value.ts";
import type { MarkRow } from "./stored-rows.ts";
import { insert } from "./writerows.ts";

/** Inserts a mark and returns its number. */
export function insertMark(connection: Connection, runId: string, mark: NewMark & { readonly at: number }): number {
  const { kind, value, present, at } = mark;
  const row = { run_id: runId, kind, value: encodeText(value), present: Number(present), at };
  const { sql, parameters } = insert("marks", row);
  return connection.run(sql, parameters);
}

/** The marks in effect for one run or all, oldest first: for a tag or pin, the note and `archived`, the newest row wins. */
export function readMarks(connection: Connection, runId: string | null): MarkRow[] {
  const sql = `SELECT * FROM marks AS m WHERE ${runId === null ? "" : "run_id = ? AND"} present = 1
    AND NOT EXISTS (SELECT 1 FROM marks AS newer WHERE newer.run_id = m.run_id AND newer.kind = m.kind AND newer.id > m.id
      AND (newer.value = m.value OR m.kind IN ('note', 'archived')))
    ORDER BY id`;
  return connection
    .all<{
      id: number;
      run_id: string;
      kind: MarkKind;
      value: string | Uint8Array;
      at: number;
    }>(sql, runId === null ? [] : [runId])
    .map(({ id, run_id, kind, value, at }) => ({ id, runId: run_id, kind, value: decodeText(value), at }));
}
