/** Queries for the answers to the monitoring set: those of an iteration, and the iterations that have any. */
import type { AnsweringModel, AnswerRecord, Stage } from "../types/records.ts";
import type { Connection } from "./connection.ts";
import { supersededFrom } from "./database-schema.ts";
import { decodeJson, decodeText, flags, numberOf } from "./encode-value.ts";
import type { AnswerRow } from "./stored-rows.ts";

type Text = string | Uint8Array;

interface StoredAnswer {
  readonly seq: number;
  readonly attempt: number;
  readonly stage: Stage;
  readonly iteration: number;
  readonly model: AnsweringModel;
  readonly sample: number;
  readonly kind: Text | null;
  readonly prompt: Text;
  readonly response: Text;
  readonly score: number | null;
  readonly score_flag: number;
  readonly stop_reason: AnswerRecord["stopReason"];
  readonly verdicts: string;
}

const current = "run_id = ? AND stage = 'ppo' AND model = ? AND NOT superseded";

export function createAnswerRows(connection: Connection) {
  /** The iterations after which a model answered the monitoring set, in order. */
  const answerIterations = (runId: string, model: AnsweringModel = "policy"): number[] => {
    // Reads the iterations only from the index, and the first answers of each.
    const sql = `SELECT DISTINCT iteration
      FROM (SELECT DISTINCT run_id, stage, iteration, attempt FROM answers WHERE run_id = ? AND stage = 'ppo') AS one
      WHERE coalesce(iteration < ${supersededFrom("one")}, 1) AND EXISTS (SELECT 1 FROM answers
        WHERE run_id = one.run_id AND stage = one.stage AND iteration = one.iteration AND attempt = one.attempt AND model = ?)
      ORDER BY iteration`;
    return connection.all<{ iteration: number }>(sql, [runId, model]).map(({ iteration }) => iteration);
  };
  return {
    answerIterations,

    /** Current answers to the monitoring set, in its order: the policy's after an iteration, or the reference's newest. */
    answers(runId: string, of: number | "reference"): AnswerRow[] {
      return connection.read(() => {
        const model = of === "reference" ? of : "policy";
        const iteration = of === "reference" ? answerIterations(runId, model).at(-1) : of;
        if (iteration === undefined) return [];
        const sql = `SELECT * FROM answer_rows WHERE ${current} AND iteration = ? ORDER BY sample, seq`;
        return connection.all<StoredAnswer>(sql, [runId, model, iteration]).map(answerOf);
      });
    },
  };
}

function answerOf(row: StoredAnswer): AnswerRow {
  const { seq, attempt, stage, iteration, model } = row;
  return {
    seq,
    attempt,
    stage,
    iteration,
    superseded: false,
    model,
    index: row.sample,
    kind: row.kind === null ? null : decodeText(row.kind),
    prompt: decodeText(row.prompt),
    response: decodeText(row.response),
    score: row.score === null && row.score_flag === flags.finite ? null : numberOf(row.score, row.score_flag),
    stopReason: row.stop_reason,
    verdicts: decodeJson(row.verdicts) as AnswerRecord["verdicts"],
  };
}
