/** What the stability controller was shown and told, from a cursor. */
import type { OperatorWord, Shown } from "../types/alerts.ts";
import type { MetricValues } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { earlierShown, earlierWord } from "./earlier-consultations.ts";
import { decodeJson } from "./encode-value.ts";
import { headOf, readFeed, type StoredHead } from "./feed.ts";
import type { ConsultationRow, Feed, FeedQuery } from "./stored-rows.ts";

interface StoredConsultation extends StoredHead {
  readonly point: Shown["point"] | "operator" | "person";
  readonly step: number | null;
  readonly signals: string;
  readonly base: string | null;
  readonly word: string | null;
}

export function createConsultationRows(connection: Connection) {
  return {
    /** What the stability controller was shown, in order, from a cursor; the newest attempt's unless `current` is false. */
    consultations(runId: string, { current = true, ...query }: FeedQuery = {}): Feed<ConsultationRow> {
      const sql = "SELECT * FROM consultation_rows WHERE run_id = ? AND seq > ?";
      const source = { table: "consultations", sql, parameters: [runId], convert: consultationOf } as const;
      return readFeed(connection, source, { current, ...query });
    },
  };
}

function consultationOf(row: StoredConsultation): ConsultationRow {
  const { point, step } = row;
  const head = headOf(row);
  const signals = decodeJson(row.signals) as MetricValues;
  if (point === "person") return { ...head, point: "operator", word: earlierWord(signals) };
  if (point === "operator") return { ...head, point, word: decodeJson(row.word!) as OperatorWord };
  if (row.base === null) return { ...head, point, step, ...earlierShown(signals) };
  return { ...head, point, step, signals, base: decodeJson(row.base) as Shown["base"] };
}
