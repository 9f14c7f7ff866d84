/** The properties of each view of a run. */
import type { RunAnswer, RunSummary } from "../../../../src/types/page.ts";
import type { RunData } from "../../state/run-data.ts";

export interface TabProps {
  readonly data: RunData;
  readonly answer: RunAnswer;
  /** The newest summary: the stream's, if it has sent one for the run. */
  readonly run: RunSummary;
}
