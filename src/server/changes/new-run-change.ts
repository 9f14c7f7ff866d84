/** GET /api/new-run, POST /api/new-run/check and /start: what a run may begin with, whether a configuration is right, and a process that trains it. */
import { createHash } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import type { RunDesk } from "../../types/new-run-page.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import { Refusal } from "../problem.ts";
import { answerText, reply } from "../reply.ts";
import type { Context } from "../server-context.ts";
import { keyOf, largestChange, operatorOf } from "./change.ts";

const schema = z.strictObject({
  extends: z.string().max(1_000),
  name: z.string().max(60),
  texts: z.record(z.string().max(100), z.string().max(4_000)),
  settings: z.array(z.string().max(2_000)).max(200),
});

export function newRunRoutes(context: Context): Hono {
  const { desk, store, tailer } = context;
  const needed = (): RunDesk => {
    if (desk !== null) return desk;
    throw new Refusal(409, "this server begins no runs", "Begin it in a terminal: ballast run FILE");
  };
  return new Hono()
    .get("/new-run", tokenNeeded(context), (c) => reply(c, needed().offers()))
    .post("/new-run/check", tokenNeeded(context), limitBody(largestChange), async (c) =>
      reply(c, await needed().check(await bodyOf(c, schema))),
    )
    .post("/new-run/start", tokenNeeded(context), limitBody(largestChange), async (c) => {
      const request = await bodyOf(c, schema);
      const key = keyOf(c);
      const operator = operatorOf(c);
      const { problem } = await needed().check(request);
      if (problem !== null) throw new Refusal(400, problem.error, problem.hint);
      const hash = createHash("sha256")
        .update(JSON.stringify([c.req.path, operator, request]))
        .digest("hex");
      const { body } = store.once(key, hash, () => ({
        status: 200,
        body: answerText(needed().start(request, { operator })),
      }));
      tailer.wake();
      return c.body(body, 200, { "content-type": "application/json; charset=utf-8" });
    });
}
