/** The address's parameters for the behaviour view. */
import type { BehaviourAnswer } from "../../../../../src/types/page.ts";
import { view } from "../../../router.ts";

export const filters = {
  "": "all",
  changed: "changed",
  right: "wrong → right",
  wrong: "right → wrong",
} as const;
export type Filter = keyof typeof filters;

export interface BehaviourState {
  readonly a: number | "reference";
  readonly b: number;
  readonly only: Filter;
  /** Check whose verdicts count; empty means any. */
  readonly check: string;
}

/** By default the first point compared with the newest; if there is only one, with the reference. null if there are no points. */
export function behaviourState({ points, checks }: BehaviourAnswer): BehaviourState | null {
  const { a, b, only = "", check = "" } = view.value.query;
  const [first, last] = [points[0]?.iteration, points.at(-1)?.iteration];
  if (first === undefined || last === undefined) return null;
  const known = (word: string | undefined) => points.find(({ iteration }) => String(iteration) === word)?.iteration;
  return {
    a: a === "reference" ? a : (known(a) ?? (first === last ? "reference" : first)),
    b: known(b) ?? last,
    only: Object.hasOwn(filters, only) ? (only as Filter) : "",
    check: checks.includes(check) ? check : "",
  };
}
