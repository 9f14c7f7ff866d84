/** Why a run failed, as its record says. */
import type { RunRow, Store } from "../store/index.ts";

export interface RunFailure {
  readonly message: string;
  /** What to do, with the run's name in its commands; null if nothing was said. */
  readonly hint: string | null;
}

/** The failure that ended a run's newest attempt; null if it did not fail, or an earlier version ran it, which did not record why. */
export function failureOf(
  store: Store,
  run: RunRow | undefined,
  /** The run's name on a command line. */
  name: string,
): RunFailure | null {
  if (run?.state !== "failed") return null;
  const { rows } = store.events(run.id, { kind: "error", limit: Number.MAX_SAFE_INTEGER });
  const event = rows.findLast(({ attempt, data }) => attempt === run.attempt && data?.failed === true);
  return event === undefined ? null : { message: event.message, hint: hintOf(event.data, name) };
}

/** The hint of a recorded failure, with `name` in place of the word that stands for the run; null if it has none. */
export function hintOf(data: Readonly<Record<string, unknown>> | undefined, name: string): string | null {
  return typeof data?.hint === "string" ? data.hint.replaceAll(/\bRUN\b/g, () => name) : null;
}
