/** What each view of a run is given. */
import type { RunAnswer, RunSummary } from "../../../../src/types/page.ts";
import type { RunData } from "../../state/run-data.ts";

export interface TabProps {
  readonly data: RunData;
  readonly answer: RunAnswer;
  /** The newest summary: the stream's, where it has told of the run. */
  readonly run: RunSummary;
}
