/** GET /api/runs: every run, one row each. */
import { Hono } from "hono";
import type { RunsAnswer } from "../../types/page.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

export function runsRoutes({ summaries }: Context): Hono {
  return new Hono().get("/runs", (c) => reply(c, { runs: summaries.all() } satisfies RunsAnswer));
}
