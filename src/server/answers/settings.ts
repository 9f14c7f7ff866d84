/** GET /api/runs/:run/settings: the history of every hyperparameter. */
import { Hono } from "hono";
import type { SettingsAnswer } from "../../types/page.ts";
import type { Context } from "../context.ts";
import { runOf } from "../place.ts";
import { wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";

const most = 10_000;

export function settingRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().get("/runs/:run/settings", (c) => {
    const { id } = runOf(context, c.req.param("run"));
    const after = wholeNumber(c, { name: "after", otherwise: 0 });
    const limit = wholeNumber(c, { name: "limit", otherwise: most, min: 1, max: most });
    const { rows, cursor } = store.settings(id, { after, limit });
    return reply(c, { rows, cursor, more: rows.length === limit } satisfies SettingsAnswer);
  });
}
