/** What the address says of the view of behaviour. */
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
  /** Whose verdict counts; empty is any check's. */
  readonly check: string;
}

/** By default the first point beside the newest; the reference beside the only one. Null where there are no points. */
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
