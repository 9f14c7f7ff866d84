/** Answers as JSON: numbers that JSON cannot express become words, and long texts are cut. */
import type { Context } from "hono";
import { cut, longestText } from "../util/cut.ts";
import { numbersAsWords } from "../util/json-values.ts";

export function reply(c: Context, answer: unknown): Response {
  return c.body(answerText(answer), 200, { "content-type": "application/json; charset=utf-8" });
}

/** The answer as JSON, in which no text is longer than a page can hold. */
export function answerText(answer: unknown): string {
  return JSON.stringify(answer, (key, value) =>
    typeof value === "string" ? cut(value, longestText) : numbersAsWords(key, value),
  );
}
