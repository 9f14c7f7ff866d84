/** The address's parameters for the Run view: stage, range, selected iteration, smoothing and the rest. */
import { type EventKind, type Stage, stages } from "../../../../../src/types/records.ts";
import { setQuery, view } from "../../../router.ts";

export interface OverviewState {
  readonly stage: Stage | null;
  /** Iterations shown; `to` is exclusive. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** The selected iteration. */
  readonly it: number | null;
  /** Weight of the smoothing. */
  readonly smooth: number;
  /** Whether axes are logarithmic wherever the values allow it. */
  readonly log: boolean;
  /** Metrics that the user has given a chart. */
  readonly added: readonly string[];
  /** Groups of charts that are folded. */
  readonly closed: readonly string[];
  /** The kind of events that is listed and marked. */
  readonly kind: EventKind | null;
  readonly tier: 1 | 2 | 3 | null;
}

export const usualSmoothing = 0.6;

export function stateOfQuery(query: Readonly<Record<string, string>>): OverviewState {
  const whole = (name: string) => {
    const text = query[name];
    return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
  };
  const list = (name: string) => (query[name] ?? "").split(",").filter(Boolean);
  const [from, to] = [whole("from"), whole("to")];
  const smooth = Number(query.smooth ?? usualSmoothing);
  const tier = whole("tier");
  return {
    stage: stages.find((one) => one === query.stage) ?? null,
    from,
    to: to !== undefined && to > (from ?? 0) ? to : undefined,
    it: whole("it") ?? null,
    smooth: smooth >= 0 && smooth < 1 ? smooth : usualSmoothing,
    log: query.log === "1",
    added: list("add"),
    closed: list("closed"),
    kind: (query.kind as EventKind | undefined) ?? null,
    tier: tier === 1 || tier === 2 || tier === 3 ? tier : null,
  };
}

export function overviewState(): OverviewState {
  return stateOfQuery(view.value.query);
}

export function choose(it: number | null): void {
  setQuery({ it: it ?? undefined });
}

/** Shows a range. Only a zoom adds a step to the browser's history: Back leads out of it. */
export function showRange(range: { readonly from: number; readonly to: number | undefined } | null): void {
  setQuery({ from: range?.from, to: range?.to }, { replace: false });
}

/** Adds or removes a word in a list of the address, `add` or `closed`. */
export function toggle(name: "add" | "closed", word: string): void {
  const present = (view.peek().query[name] ?? "").split(",").filter(Boolean);
  const next = present.includes(word) ? present.filter((one) => one !== word) : [...present, word];
  setQuery({ [name]: next.join(",") });
}
