/** What a person saw of a run before they change it, in a short text; and what has changed since. */
import type { Store } from "../store/index.ts";

/** Differs as soon as the run's written state, attempt, incidents, decisions, commands or their application do. */
export function versionOf(store: Store, id: string): string {
  return store.controlVersion(id);
}

/** What each number of a version counts (`readControlVersion` of the store), as a change of it reads. */
const parts = [
  "it was taken up again",
  "its state is another",
  "a new incident was opened",
  "an incident was decided",
  "a command was given",
  "a command was carried out",
];

/** In a sentence. */
export function whatChanged(seen: string, now: string): string {
  const [before, after] = [seen.split("."), now.split(".")];
  const found = parts.filter((_, i) => before[i] !== after[i]);
  return `the run has changed since: ${before.length === after.length && found.length > 0 ? found.join("; ") : "it is not the one that was seen"}`;
}
