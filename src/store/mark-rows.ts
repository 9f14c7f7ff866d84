/** Users' marks that organise runs and samples: tags, notes, archived or not, pinned samples. Rows are only added. */
import type { MarkKind, NewMark } from "../types/page.ts";
import type { Connection } from "./connection.ts";
import { decodeText, encodeText, textIn, textOrNull } from "./encode-value.ts";
import type { By, MarkRow } from "./stored-rows.ts";
import { checkWritableRun } from "./stored-runs.ts";
import { insertSealed } from "./writerows.ts";

export function createMarkRows(connection: Connection, now: () => number) {
  return {
    /** Sets or removes a user's mark on a run; returns its number. Any process may call it. */
    addMark(runId: string, { kind, value, present }: NewMark, { operator }: By = {}): number {
      checkWritableRun(connection, runId);
      const at = now();
      const row = { run_id: runId, kind, value: encodeText(value), present: Number(present), at };
      const all = { ...row, operator: textOrNull(operator) };
      return insertSealed(connection, [{ table: "marks", row: all }], { runId, at })[0]!;
    },

    /** The marks in effect, of one run or of all, oldest first: for a tag or pin, the note, the name and `archived`, the newest row wins. */
    marks(runId?: string): MarkRow[] {
      const sql = `SELECT * FROM marks AS m WHERE ${runId === undefined ? "" : "run_id = ? AND"} present = 1
        AND NOT EXISTS (SELECT 1 FROM marks AS newer WHERE newer.run_id = m.run_id AND newer.kind = m.kind AND newer.id > m.id
          AND (newer.value = m.value OR m.kind IN ('note', 'archived', 'name')))
        ORDER BY id`;
      return connection
        .all<{
          id: number;
          run_id: string;
          kind: MarkKind;
          value: string | Uint8Array;
          at: number;
          operator: string | Uint8Array | null;
        }>(sql, runId === undefined ? [] : [runId])
        .map(({ id, run_id, kind, value, at, operator }) => ({
          ...{ id, runId: run_id, kind, value: decodeText(value), at },
          operator: textIn(operator),
        }));
    },
  };
}
