/** A hook by which views read all runs of the workspace, as they are now. */
import type { RunSummary, RunsAnswer } from "../../../src/types/page.ts";
import { gone, summaries } from "./live.ts";
import { merged } from "./run-list.ts";
import { type Asked, useAnswer } from "./use-answer.ts";

export interface RunList extends Omit<Asked<RunsAnswer>, "answer"> {
  /** Newest first; null before they have come. */
  readonly runs: readonly RunSummary[] | null;
}

export function useRunList(): RunList {
  const { answer, error, again } = useAnswer<RunsAnswer>("/api/runs");
  const runs = answer && merged(answer.runs, summaries.value).filter(({ id }) => !gone.value.has(id));
  return { runs, error, again };
}
