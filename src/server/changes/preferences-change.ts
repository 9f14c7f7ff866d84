/** An operator's choices between two answers: POST preferences keeps one, GET pairs asks about stored samples, GET preferences.jsonl exports all. */
import { Hono } from "hono";
import { z } from "zod";
import { pairsOf } from "../../data/index.ts";
import { nothingToAsk, questionsOf } from "../../operator/rating-questions.ts";
import type { By } from "../../store/index.ts";
import type { SamplePair } from "../../types/playground-page.ts";
import { counted } from "../../util/counted.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import { runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";
import { change, operatorOf } from "./change.ts";

/** Bytes of a prompt with its two answers. */
const largest = 1 << 20;

const schema = z.strictObject({ prompt: z.string().min(1), chosen: z.string(), rejected: z.string() });

export function preferenceRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono()
    .post("/runs/:run/preferences", tokenNeeded(context), limitBody(largest), async (c) => {
      const { prompt, chosen, rejected } = await bodyOf(c, schema);
      const { id: run } = runOf(context, c.req.param("run"));
      if (chosen === rejected) throw new Refusal(400, "chosen and rejected are the same text", "Skip such a pair.");
      const perform = (by: Required<By>) => {
        const id = store.addRating(run, { kind: "preference", prompt, chosen, rejected, rater: by.operator }, by);
        return {
          id,
          message: `${run} has ${counted(store.ratings(run).length, "rating")}; this one is by ${by.operator}.`,
        };
      };
      return change(c, context, { run, versioned: false, perform });
    })
    .get("/runs/:run/pairs", tokenNeeded(context), (c) => {
      const { id } = runOf(context, c.req.param("run"));
      const skip = wholeNumber(c, { name: "skip", otherwise: 0 });
      const samples = store.sampleFeed(id, { current: true, limit: Number.MAX_SAFE_INTEGER }).rows;
      const questions = questionsOf(samples, { before: store.ratings(id), rater: operatorOf(c), pairs: true });
      const question = questions[skip];
      if (question === undefined) {
        const { message, hint } = nothingToAsk(samples, true);
        throw new Refusal(404, skip > 0 ? "no other pair of stored samples is left" : message, hint);
      }
      const { prompt, responses } = question;
      const iterations = (text: string) =>
        samples.flatMap((one) => (one.prompt === prompt && one.response === text ? [one.iteration] : []));
      const answer: SamplePair = {
        prompt,
        responses: responses.map((text) => ({ text, iterations: iterations(text) })),
        left: questions.length - skip,
      };
      return reply(c, answer);
    })
    .get("/runs/:run/preferences.jsonl", (c) => {
      const { id } = runOf(context, c.req.param("run"));
      // The reward model's reader accepts no blank text.
      const pairs = pairsOf(store.ratings(id)).filter(
        ({ chosen, rejected }) => chosen.trim() !== "" && rejected.trim() !== "",
      );
      c.header("content-type", "application/x-ndjson; charset=utf-8");
      c.header("content-disposition", `attachment; filename="${id}-preferences.jsonl"`);
      return c.body(pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(""));
    });
}
