/** Rewards that are arithmetic on one response: verifiers against the reference answer, and rules of form. */

import { placesOf, RowsError } from "../data/index.ts";
import { repeatedNgramShare } from "../rl/index.ts";
import { RewardError } from "../util/errors.ts";
import { quote } from "../util/quote.ts";
import { answerIn } from "./number.ts";
import type { Scored } from "./reward-types.ts";

const referenceHint =
  "Name its field, as in ppo.prompts.fields: {reference: answer}, or remove the component. A list or an object is for functions of your own.";

type Answered = Pick<Scored, "prompt" | "response" | "reference">;
type Tokens = Pick<Scored, "tokens" | "stopReason">;

/**
 * Checks before training that every prompt has the reference answer that the components' verifiers need, rather than failing when the prompt is
 * drawn. Errors: RowsError with the number of such prompts, the first of them, and their places.
 */
export function checkReferences(
  components: readonly { readonly kind: string; readonly marker?: string }[],
  rows: readonly { readonly prompt: readonly { readonly content: string }[]; readonly reference: string | null }[],
): void {
  for (const { kind, marker = "" } of components) {
    if (kind !== "exact" && kind !== "last_number") continue;
    const usable = (reference: string | null) =>
      reference !== null && (kind === "exact" || answerIn(reference, { marker, requireMarker: false }) !== null);
    const bad = rows.filter(({ reference }) => !usable(reference));
    if (bad.length === 0) continue;
    const what = kind === "exact" ? "reference answer" : "reference answer with a number";
    const first = quote(bad[0]!.prompt.at(-1)?.content ?? "");
    const places = placesOf(bad);
    const problem = `${kind} needs a ${what}, and ${bad.length} of ${rows.length} prompts have none, the first of them ${first}${places && ` (${places})`}`;
    throw new RowsError([{ place: null, problem, hint: referenceHint }]);
  }
}

/** 1 if the response equals the reference answer, ignoring case, surrounding space and Unicode's spellings of a letter. */
export function exact(row: Answered): number {
  const plain = (text: string) => text.normalize("NFKC").trim().toLowerCase();
  return Number(plain(row.response) === plain(referenceOf(row, "exact")));
}

/**
 * 1 if the answer's number equals the reference's exactly, however it is written: 18, $18, 18.00, 36/2, 1.8e1 and #### 18 are equal. Errors:
 * RewardError if the reference has no number.
 */
export function lastNumber(row: Answered, options: { marker: string; requireMarker: boolean }): number {
  const reference = referenceOf(row, "last_number");
  const wanted = answerIn(reference, { marker: options.marker, requireMarker: false });
  if (wanted === null) {
    throw new RewardError(
      `last_number: the reference answer ${quote(reference)} of the prompt ${quote(row.prompt)} has no number`,
      "Write it as docs/data-formats.md says, or judge the row by another component, such as exact.",
    );
  }
  return Number(answerIn(row.response, options) === wanted);
}

/** 1 if the regular expression matches anywhere in the response. */
export function pattern({ response }: Answered, options: { pattern: string; flags: string }): number {
  // `search` starts at the beginning each time, despite the flags g and y.
  return Number(response.search(new RegExp(options.pattern, options.flags)) >= 0);
}

/** 1 within [min, max] tokens, not counting the stop token; outside it falls linearly to 0 over `slack` tokens. */
export function length(row: Tokens, { min, max, slack }: { min: number; max: number; slack: number }): number {
  const { length: tokens } = textTokens(row);
  const outside = Math.max(min - tokens, tokens - max, 0);
  if (outside === 0) return 1;
  return slack === 0 ? 0 : Math.max(0, 1 - outside / slack);
}

/** Minus the share of n-grams that repeat an earlier one, not counting the stop token; 0 if there are no n-grams. */
export function repetition(row: Tokens, { n }: { n: number }): number {
  // 0 - x, because -0 would show as a separate value in tables.
  return 0 - repeatedNgramShare(textTokens(row), n);
}

function textTokens({ tokens, stopReason }: Tokens): readonly number[] {
  return stopReason === "stop" ? tokens.slice(0, -1) : tokens;
}

function referenceOf({ prompt, reference }: Answered, kind: string): string {
  if (reference !== null) return reference;
  throw new RewardError(`${kind} needs a reference answer, and the prompt ${quote(prompt)} has none`, referenceHint);
}
