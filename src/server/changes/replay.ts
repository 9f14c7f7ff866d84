/** POST /api/runs/:run/replay: what other rules decide on a run's record. Changes nothing, and needs the token all the same: it is work. */
import { Hono } from "hono";
import { z } from "zod";
import { controlOf, otherRulesIn, replayOn, storyOf } from "../../record/recorded-control.ts";
import type { ReplayAnswer } from "../../types/page.ts";
import { numbersAsWords } from "../../util/json.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import type { Context } from "../context.ts";
import { neededPlace, runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { reply } from "../reply.ts";

/** All of their consultations are held in memory. */
const mostIterations = 5_000;

const schema = z.strictObject({ rules: z.string() });

export function replayRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().post("/runs/:run/replay", tokenNeeded(context), limitBody(256 << 10), async (c) => {
    const { rules: text } = await bodyOf(c, schema);
    const { id } = runOf(context, c.req.param("run"));
    const iterations = store.newestIteration(id, "ppo") ?? 0;
    if (iterations > mostIterations)
      throw new Refusal(
        409,
        `run ${id} has ${iterations} iterations`,
        `In a terminal: ballast replay ${id} --rules FILE`,
      );
    const recorded = store.snapshot(() => controlOf(store, neededPlace(context, id)));
    const decided = replayOn(recorded, text.trim() === "" ? recorded.rules : otherRulesIn(recorded, text));
    const answer: ReplayAnswer = {
      same: JSON.stringify(recorded.decided, numbersAsWords) === JSON.stringify(decided, numbersAsWords),
      recorded: storyOf(recorded.decided),
      replayed: storyOf(decided),
    };
    return reply(c, answer);
  });
}
