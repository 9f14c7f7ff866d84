/** A hook with all runs of the workspace, kept up to date. */
import type { RunSummary, RunsAnswer } from "../../../src/types/page.ts";
import { gone, summaries } from "./live.ts";
import { merged } from "./run-list.ts";
import { type Asked, useAnswer } from "./use-answer.ts";

export interface RunList extends Omit<Asked<RunsAnswer>, "answer"> {
  /** Runs, newest first; null until they are loaded. */
  readonly runs: readonly RunSummary[] | null;
}

export function useRunList(): RunList {
  const { answer, error, again } = useAnswer<RunsAnswer>("/api/runs");
  const runs = answer && merged(answer.runs, summaries.value).filter(({ id }) => !gone.value.has(id));
  return { runs, error, again };
}
