/** The thread that replays a run for a page. It does all of the work: reading the record and the rules, deciding, comparing. */
import { parentPort, workerData } from "node:worker_threads";
import type { Decision } from "../../control/decisions.ts";
import type { RunPlace } from "../../inspect/places.ts";
import { controlOf, otherRulesIn, replayStepsOn, storyOf } from "../../inspect/recorded-control.ts";
import { openStore } from "../../store/index.ts";
import type { ReplayAnswer } from "../../types/page.ts";
import { BallastError } from "../../util/errors.ts";
import { numbersAsWords } from "../../util/json-values.ts";
import { problemOf, Refusal } from "../problem.ts";

export interface ReplayWork {
  readonly database: string;
  readonly place: RunPlace;
  /** The rules' text; if blank, the run's own rules are used. */
  readonly text: string;
}

export type ReplayReply = { readonly answer: ReplayAnswer } | { readonly problem: ReturnType<typeof problemOf> };

/** Most alerts, interventions and outcomes that a page can hold, on either side. */
const mostDecisions = 50_000;

function replayed({ database, place, text }: ReplayWork): ReplayAnswer {
  const store = openStore(database, { readonly: true });
  try {
    const recorded = store.snapshot(() => controlOf(store, place));
    if (recorded.decided.length > mostDecisions) throw tooMany("the run's rules fired");
    const rules = text.trim() === "" ? recorded.rules : otherRulesIn(recorded, text);
    const decided: Decision[] = [];
    for (const decisions of replayStepsOn(recorded, rules)) {
      decided.push(...decisions);
      if (decided.length > mostDecisions) throw tooMany("these rules fire");
    }
    return {
      same: JSON.stringify(recorded.decided, numbersAsWords) === JSON.stringify(decided, numbersAsWords),
      recorded: storyOf(recorded.decided),
      replayed: storyOf(decided),
    };
  } finally {
    store.close();
  }
}

function tooMany(what: string): Refusal {
  return new Refusal(409, `${what} more than ${mostDecisions} times`);
}

function replyTo(work: ReplayWork): ReplayReply {
  try {
    return { answer: replayed(work) };
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
    return { problem: problemOf(error) };
  }
}

parentPort!.postMessage(replyTo(workerData as ReplayWork));
