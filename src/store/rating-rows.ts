/** Human judgements of a run's responses: ratings and preferences. */
import type { NewRating, RatingRecord } from "../types/rating-records.ts";
import type { Connection } from "./connection.ts";
import { decodeText, encodeText, textIn, textOrNull } from "./encode-value.ts";
import type { By } from "./stored-rows.ts";
import { checkWritableRun } from "./stored-runs.ts";
import { insertSealed } from "./writerows.ts";

type Text = string | Uint8Array;

interface StoredRating {
  readonly id: number;
  readonly run_id: string;
  readonly rater: Text;
  readonly prompt: Text;
  readonly response: Text;
  readonly score: number | null;
  readonly rejected: Text | null;
  readonly at: number;
  readonly operator: Text | null;
}

export function createRatingRows(connection: Connection, now: () => number) {
  return {
    /** Records a human judgement of a run's responses; returns its number. Any process may call it. */
    addRating(runId: string, rating: NewRating, { operator }: By = {}): number {
      checkWritableRun(connection, runId);
      const { kind, rater, prompt } = rating;
      const what =
        kind === "rating"
          ? { response: encodeText(rating.response), score: rating.score, rejected: null }
          : { response: encodeText(rating.chosen), score: null, rejected: encodeText(rating.rejected) };
      const texts = { rater: encodeText(rater), prompt: encodeText(prompt) };
      const at = now();
      const row = { run_id: runId, ...texts, ...what, at, operator: textOrNull(operator) };
      return insertSealed(connection, [{ table: "ratings", row }], { runId, at })[0]!;
    },

    /** Human judgements of a run's responses, oldest first. */
    ratings(runId: string): RatingRecord[] {
      return connection
        .all<StoredRating>("SELECT * FROM ratings WHERE run_id = ? ORDER BY id", [runId])
        .map(({ id, run_id, rater, prompt, response, score, rejected, at, operator }): RatingRecord => {
          const texts = { rater: decodeText(rater), prompt: decodeText(prompt), operator: textIn(operator) };
          const head = { id, runId: run_id, ...texts, at };
          const text = decodeText(response);
          return rejected === null
            ? { ...head, kind: "rating", response: text, score: score! }
            : { ...head, kind: "preference", chosen: text, rejected: decodeText(rejected) };
        });
    },
  };
}
