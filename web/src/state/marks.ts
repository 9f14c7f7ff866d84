/** Users' marks on runs: written to the store, and shown at once. */
import { signal } from "@preact/signals";
import type { NewMark, RunSummary } from "../../../src/types/page.ts";
import { post } from "../api.ts";
import { summaries } from "./live.ts";

/** The newest change that failed; it outlives the row in which it was made, which an archived run loses for a moment. */
export const refused = signal<{ readonly run: string; readonly error: Error } | null>(null);

/** Shows the run with the change, sends it to the server, and reverts it if that fails. */
export async function mark(run: RunSummary, change: NewMark): Promise<void> {
  const newest = () => summaries.peek().get(run.id) ?? run;
  const before = newest();
  refused.value = null;
  show(marked(before, change));
  try {
    await post(`/api/runs/${encodeURIComponent(run.id)}/marks`, change);
  } catch (error) {
    // Other changes may have been made meanwhile.
    show(marked(newest(), undoing(before, change)));
    refused.value = { run: run.id, error: error as Error };
  }
}

/** The summary with the mark applied. */
export function marked(run: RunSummary, { kind, value, present }: NewMark): RunSummary {
  if (kind === "note") return { ...run, note: present ? value : "" };
  if (kind === "archived") return { ...run, archived: present };
  if (kind === "pin") return run;
  const others = run.tags.filter((tag) => tag !== value);
  return { ...run, tags: present ? [...others, value].sort() : others };
}

function undoing(before: RunSummary, { kind, value }: NewMark): NewMark {
  if (kind === "note") return { kind, value: before.note, present: before.note !== "" };
  return { kind, value, present: kind === "archived" ? before.archived : before.tags.includes(value) };
}

function show(run: RunSummary): void {
  summaries.value = new Map(summaries.peek()).set(run.id, run);
}
