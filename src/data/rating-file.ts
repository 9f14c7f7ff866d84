/** Human judgements of responses: ratings, and preferences that `ballast reward` learns from. */

import type { NewRating } from "../types/rating-records.ts";
import { readFiles } from "./read-file.ts";
import { createFieldReader } from "./row-fields.ts";
import type { SourceRow } from "./source-row.ts";

export interface Pair {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

/**
 * Every preference, and every pair of responses to one prompt that one rater rated differently. If a rater judged a pair more than once,
 * the newest judgement counts.
 */
export function pairsOf(ratings: readonly NewRating[]): Pair[] {
  const pairs = new Map<string, Pair>();
  const add = (rater: string, { prompt, chosen, rejected }: Pair) => {
    const key = JSON.stringify([rater, prompt, ...[chosen, rejected].sort()]);
    pairs.delete(key);
    pairs.set(key, { prompt, chosen, rejected });
  };
  for (const rating of ratings) if (rating.kind === "preference") add(rating.rater, rating);
  const scores = new Map<string, NewRating & { kind: "rating" }>();
  for (const rating of ratings)
    if (rating.kind === "rating") scores.set(JSON.stringify([rating.rater, rating.prompt, rating.response]), rating);
  const rated = [...scores.values()];
  for (const [i, a] of rated.entries())
    for (const b of rated.slice(0, i)) {
      if (a.rater !== b.rater || a.prompt !== b.prompt || a.score === b.score) continue;
      const [better, worse] = a.score > b.score ? [a, b] : [b, a];
      add(a.rater, { prompt: a.prompt, chosen: better.response, rejected: worse.response });
    }
  return [...pairs.values()];
}

export interface RatedResponse {
  readonly prompt: string;
  readonly response: string;
  /** The mean over its raters, from 1 (bad) to 5 (good). */
  readonly rating: number;
}

/** Each rated response once. If a rater rated it more than once, the newest rating counts. */
export function ratedResponses(ratings: readonly NewRating[]): RatedResponse[] {
  const responses = new Map<string, { prompt: string; response: string; byRater: Map<string, number> }>();
  for (const one of ratings) {
    if (one.kind !== "rating") continue;
    const { prompt, response, rater, score } = one;
    const key = JSON.stringify([prompt, response]);
    const found = responses.get(key) ?? { prompt, response, byRater: new Map<string, number>() };
    found.byRater.set(rater, score);
    responses.set(key, found);
  }
  return [...responses.values()].map(({ prompt, response, byRater }) => {
    const scores = [...byRater.values()];
    return { prompt, response, rating: scores.reduce((sum, score) => sum + score, 0) / scores.length };
  });
}

/** Reads rows of preferences, or of ratings: {prompt, response, score}. Throws DataError with the line of a row that is neither. */
export function readRatings(path: string, rater: string): NewRating[] {
  const known = ["prompt", "chosen", "rejected", "response", "score", "rater"];
  const missingHint = () => "a row needs prompt, chosen and rejected, or prompt, response and score";
  const use = (row: SourceRow): NewRating => {
    const fields = createFieldReader(row, { fields: {}, known, missingHint });
    const head = {
      prompt: fields.text("prompt"),
      rater: fields.has("rater") ? fields.text("rater") : rater,
    };
    if (!fields.has("score")) {
      const [chosen, rejected] = [fields.text("chosen"), fields.text("rejected")];
      if (chosen === rejected) fields.fail("chosen and rejected are the same", "a preference is between two responses");
      return { ...head, kind: "preference", chosen, rejected };
    }
    if (fields.has("chosen") || fields.has("rejected"))
      fields.fail("the row has a score and a preference", "write the rating and the preference as two rows");
    const { score } = row.value;
    if (!isScore(score))
      fields.fail(`the score ${JSON.stringify(score)} is not a whole number from 1 to 5`, "1 is bad, 5 is good");
    return { ...head, kind: "rating", response: fields.text("response"), score: score as number };
  };
  return readFiles(path, { use });
}

function isScore(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 5;
}
