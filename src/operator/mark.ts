/** Checks a user's marks on a run (tags, a note, archived) before they are written. */

import type { MarkRow } from "../store/index.ts";
import type { NewMark } from "../types/page.ts";
import { UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";

/** Most tags of a run. */
const mostTags = 20;
const longestNote = 4_000;

/**
 * Checks a mark. `marks` are the run's marks in effect.
 * @throws UsageError if the mark could not be shown, or removes one that does not exist
 */
export function checkMark(
  { kind, value, present }: NewMark,
  { run, marks }: { run: string; marks: readonly MarkRow[] },
): void {
  if (kind === "note" && value.length > longestNote)
    throw new UsageError(
      `a note has at most ${longestNote} characters, not ${value.length}`,
      "Keep it to a few sentences.",
    );
  if (kind === "name" && present && !/^[^\s\p{C}](?:[^\p{C}]{0,58}[^\s\p{C}])?$/u.test(value))
    throw new UsageError(
      `${JSON.stringify(value)} cannot be shown as a name`,
      "A name has 1 to 60 characters, without spaces around it and without control characters.",
    );
  if (kind !== "tag") return;
  if (!/^[^\s\p{C}](?:[^\p{C}]{0,38}[^\s\p{C}])?$/u.test(value))
    throw new UsageError(
      `${JSON.stringify(value)} is not a valid tag`,
      "A tag has 1 to 40 characters, without spaces around it and without control characters.",
    );
  const tags = marks.filter((mark) => mark.kind === "tag").map((mark) => mark.value);
  if (present && !tags.includes(value) && tags.length >= mostTags)
    throw new UsageError(`${run} has ${mostTags} tags already`, `Remove one first: ${tags.join(", ")}.`);
  if (present || tags.includes(value)) return;
  const near = nearest(value, tags);
  const known = tags.length === 0 ? "It has no tags." : `It has: ${tags.join(", ")}.`;
  throw new UsageError(`${run} has no tag ${value}`, near === undefined ? known : `Did you mean ${near}?`);
}
