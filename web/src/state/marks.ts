/** What people note of runs: written to the store, and shown at once. */
import type { NewMark, RunSummary } from "../../../src/types/page.ts";
import { post } from "../api.ts";
import { summaries } from "./live.ts";

/** Shows the run with the change, tells the server, and takes it back where that fails. @throws ApiError */
export async function mark(run: RunSummary, change: NewMark): Promise<void> {
  show(marked(run, change));
  try {
    await post(`/api/runs/${encodeURIComponent(run.id)}/marks`, change);
  } catch (error) {
    show(run);
    throw error;
  }
}

/** The summary as it is with the mark. */
export function marked(run: RunSummary, { kind, value, present }: NewMark): RunSummary {
  if (kind === "note") return { ...run, note: present ? value : "" };
  if (kind === "archived") return { ...run, archived: present };
  if (kind === "pin") return run;
  const others = run.tags.filter((tag) => tag !== value);
  return { ...run, tags: present ? [...others, value].sort() : others };
}

function show(run: RunSummary): void {
  summaries.value = new Map(summaries.peek()).set(run.id, run);
}
