/** Events of a run: from a cursor, before one, and counts of its alerts and interventions. */
import type { Tier } from "../types/alerts.ts";
import type { EventKind } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { decodeJson, decodeText } from "./encode-value.ts";
import { headOf, readFeed, type StoredHead } from "./feed.ts";
import type { EventRow, Feed, FeedQuery } from "./stored-rows.ts";

export interface EventsBefore {
  readonly before: number;
  readonly limit: number;
  /** False leaves out notes, checkpoints and alerts of tier 3: most events, but few that matter. */
  readonly notes?: boolean;
}

export interface RuleCount {
  readonly rule: string;
  /** Number of alerts in current iterations. */
  readonly spoke: number;
  /** Number of interventions in current iterations. */
  readonly acted: number;
  /** Iteration of the rule's newest alert. */
  readonly lastSpoke: number | null;
}

export interface StoredEvent extends StoredHead {
  readonly kind: EventKind;
  readonly message: string | Uint8Array;
  readonly data: string | null;
  readonly at: number;
}

export function createEventRows(connection: Connection) {
  return {
    /** Events from a cursor. */
    events(runId: string, { kind, ...query }: FeedQuery & { readonly kind?: EventKind } = {}): Feed<EventRow> {
      const condition = kind === undefined ? "" : " AND kind = ?";
      const sql = `SELECT * FROM event_rows WHERE run_id = ? AND seq > ?${condition}`;
      const more = kind === undefined ? [] : [kind];
      return readFeed(connection, { table: "events", sql, parameters: [runId], more, convert: eventOf }, query);
    },

    /** The newest events before a `seq`, oldest first. */
    eventsBefore(runId: string, { before, limit, notes = true }: EventsBefore): EventRow[] {
      const matters = `kind NOT IN ('note', 'checkpoint')
        AND (kind <> 'alert' OR json_extract(data, '$.alert.tier') IS NOT 3)`;
      const sql = `SELECT * FROM event_rows WHERE run_id = ? AND seq < ? ${notes ? "" : `AND ${matters}`}
        ORDER BY seq DESC LIMIT ?`;
      return connection.all<StoredEvent>(sql, [runId, before, limit]).reverse().map(eventOf);
    },

    /** The number of a run's alerts, or interventions, of each tier, over all of its attempts. */
    countByTier(runId: string, kind: "alert" | "intervention"): Record<Tier, number> {
      const rows = connection.all<{ tier: Tier; count: number }>(
        `SELECT json_extract(data, '$.${kind}.tier') AS tier, count(*) AS count FROM events
         WHERE run_id = ? AND kind = ? AND tier IN (1, 2, 3) GROUP BY tier`,
        [runId, kind],
      );
      return { 1: 0, 2: 0, 3: 0, ...Object.fromEntries(rows.map(({ tier, count }) => [tier, count])) };
    },

    /** How often each rule has fired and acted in current iterations; rules that never did are absent. */
    ruleCounts(runId: string): RuleCount[] {
      return connection.all<RuleCount>(
        `SELECT rule, sum(kind = 'alert') AS spoke, sum(kind = 'intervention') AS acted,
         max(CASE WHEN kind = 'alert' THEN iteration END) AS lastSpoke
       FROM (SELECT kind, iteration, json_extract(data, '$.' || kind || '.rule') AS rule FROM event_rows
         WHERE run_id = ? AND kind IN ('alert', 'intervention') AND NOT superseded)
       WHERE typeof(rule) = 'text' GROUP BY rule`,
        [runId],
      );
    },
  };
}

export function eventOf(row: StoredEvent): EventRow {
  const data = row.data === null ? {} : { data: decodeJson(row.data) as NonNullable<EventRow["data"]> };
  return { ...headOf(row), kind: row.kind, message: decodeText(row.message), ...data, at: row.at };
}
