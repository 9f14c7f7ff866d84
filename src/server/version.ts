/** What a user saw of a run before changing it, as a short text; and what has changed since. */
import type { Store } from "../store/index.ts";

/** A version that differs as soon as the run's recorded state, attempt, incidents, decisions, commands or their application do. */
export function versionOf(store: Store, id: string): string {
  return store.controlVersion(id);
}

/** What each number of a version counts (`readControlVersion` of the store), in words for a change. */
const parts = [
  "it was resumed",
  "its state has changed",
  "a new incident was opened",
  "an incident was decided",
  "a command was given",
  "a command was carried out",
];

/** What has changed between two versions, in a sentence. */
export function whatChanged(seen: string, now: string): string {
  const [before, after] = [seen.split("."), now.split(".")];
  const found = parts.filter((_, i) => before[i] !== after[i]);
  return `the run has changed since: ${before.length === after.length && found.length > 0 ? found.join("; ") : "it is not the version that you saw"}`;
}
