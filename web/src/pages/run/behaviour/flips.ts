/** How answers to the same prompt differ between two points: in their text, and in their verdicts by the gold checks. */
import type { AnswerPair } from "../../../../../src/types/page.ts";
import type { Filter } from "./view-state.ts";

export function isChanged({ a, b }: AnswerPair): boolean {
  return a?.response !== b?.response;
}

/** Checks whose verdict is different at b; a check missing on one side has not flipped. */
export function flipsOf({ a, b }: AnswerPair, check = ""): { readonly right: string[]; readonly wrong: string[] } {
  const flips: { right: string[]; wrong: string[] } = { right: [], wrong: [] };
  for (const [name, after] of Object.entries(b?.verdicts ?? {})) {
    const before = a?.verdicts[name];
    if (before === undefined || before === after || (check !== "" && name !== check)) continue;
    flips[after ? "right" : "wrong"].push(name);
  }
  return flips;
}

/** The pairs that pass the filter; with a check, those that it judges. */
export function filtered(
  rows: readonly AnswerPair[],
  { only, check }: { readonly only: Filter; readonly check: string },
): readonly AnswerPair[] {
  return rows.filter((row) => {
    if (check !== "" && row.a?.verdicts[check] === undefined && row.b?.verdicts[check] === undefined) return false;
    if (only === "") return true;
    return only === "changed" ? isChanged(row) : flipsOf(row, check)[only].length > 0;
  });
}
