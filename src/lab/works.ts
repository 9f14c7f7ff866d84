/** The kinds of work that a cell may be, each a function of data in a process of its own. */
import { judgeRun } from "./judge-work.ts";
import { trainWhole } from "./run-work.ts";
import { readSeries } from "./series-work.ts";
import { trainStage } from "./stage-work.ts";
import { runTrial } from "./trial-work.ts";
import { measureValues } from "./values-work.ts";

export const works = {
  stage: trainStage,
  trial: runTrial,
  judge: judgeRun,
  run: trainWhole,
  series: readSeries,
  values: measureValues,
};

export type Works = typeof works;
export type WorkName = keyof Works;
