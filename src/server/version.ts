/** What a person saw of a run before they change it, in a short text that says what has changed since. */
import type { Store } from "../store/index.ts";

/** Differs as soon as the run's written state, attempt, incidents, decisions or commands do. */
export function versionOf(store: Store, id: string): string {
  const state = store.states(id).at(-1);
  const incidents = store.incidents({ run: id });
  const decided = incidents.filter(({ decision }) => decision !== null).length;
  return [state?.state ?? "created", state?.attempt ?? 0, incidents.length, decided, store.commands(id).length].join(
    ".",
  );
}
