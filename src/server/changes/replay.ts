/** POST /api/runs/:run/replay: what other rules decide on a run's record. Changes nothing, and needs the token all the same: it is work. */
import { setImmediate } from "node:timers/promises";
import { Hono } from "hono";
import { z } from "zod";
import type { Decision } from "../../control/decisions.ts";
import { controlOf, otherRulesIn, replayStepsOn, storyOf } from "../../record/recorded-control.ts";
import type { ReplayAnswer } from "../../types/page.ts";
import { numbersAsWords } from "../../util/json.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import type { Context } from "../context.ts";
import { neededPlace, runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { reply } from "../reply.ts";
import { largestChange } from "./change.ts";

/** All of their consultations are held in memory. */
const mostIterations = 5_000;

/** Alerts, interventions and outcomes that a page can hold. */
const mostDecisions = 50_000;

/** Milliseconds: others are answered after each turn. */
const turn = 50;
const longest = 10_000;

const schema = z.strictObject({ rules: z.string() });

export function replayRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().post("/runs/:run/replay", tokenNeeded(context), limitBody(largestChange), async (c) => {
    const { rules: text } = await bodyOf(c, schema);
    const { id } = runOf(context, c.req.param("run"));
    const iterations = store.newestIteration(id, "ppo") ?? 0;
    if (iterations > mostIterations) throw tooMuch(id, `run ${id} has ${iterations} iterations`);
    const recorded = store.snapshot(() => controlOf(store, neededPlace(context, id)));
    const rules = text.trim() === "" ? recorded.rules : otherRulesIn(recorded, text);
    const decided = await inTurns(replayStepsOn(recorded, rules), id);
    const answer: ReplayAnswer = {
      same: JSON.stringify(recorded.decided, numbersAsWords) === JSON.stringify(decided, numbersAsWords),
      recorded: storyOf(recorded.decided),
      replayed: storyOf(decided),
    };
    return reply(c, answer);
  });
}

/** @throws Refusal where it comes to more than a page can hold, or takes longer than one waits for. */
async function inTurns(steps: Iterable<readonly Decision[]>, run: string): Promise<Decision[]> {
  const found: Decision[] = [];
  const began = performance.now();
  let since = began;
  for (const decisions of steps) {
    found.push(...decisions);
    if (found.length > mostDecisions) throw tooMuch(run, `these rules speak more than ${mostDecisions} times`);
    const now = performance.now();
    if (now - began > longest) throw tooMuch(run, `these rules take longer than ${longest / 1000} seconds`);
    if (now - since < turn) continue;
    await setImmediate();
    since = performance.now();
  }
  return found;
}

function tooMuch(run: string, why: string): Refusal {
  return new Refusal(409, why, `In a terminal: ballast replay ${run} --rules FILE`);
}
