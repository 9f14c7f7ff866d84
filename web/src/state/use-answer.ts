/** A hook that requests one answer, and again when the request or the time changes. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, addressOf, get } from "../api.ts";
import type { Query } from "../router.ts";
import { line } from "./live.ts";

export interface Asked<Answer> {
  /** The newest answer; it stays while the next is pending. null before the first. */
  readonly answer: Answer | null;
  readonly error: ApiError | null;
  readonly again: () => void;
}

/**
 * Requests an answer; `path` null requests nothing. A change of `when` repeats the request, and so does a restored connection if the last request
 * failed.
 */
export function useAnswer<Answer>(path: string | null, query: Query = {}, when: unknown = null): Asked<Answer> {
  const answer: Signal<Answer | null> = useSignal<Answer | null>(null);
  const error = useSignal<ApiError | null>(null);
  const turn = useSignal(0);
  const address = path === null ? null : addressOf(path, query);
  useEffect(() => {
    if (path === null) return;
    const left = new AbortController();
    get<Answer>(path, query, { signal: left.signal }).then(
      (found) => {
        if (left.signal.aborted) return;
        answer.value = found;
        error.value = null;
      },
      (failure) => {
        if (left.signal.aborted || failure.name === "AbortError") return;
        error.value = failure instanceof ApiError ? failure : new ApiError({ error: String(failure) }, 0);
      },
    );
    return () => left.abort();
  }, [address, when, turn.value]);
  useEffect(() => line.subscribe((state) => state === "live" && error.peek() !== null && turn.value++), []);
  return { answer: answer.value, error: error.value, again: () => turn.value++ };
}
