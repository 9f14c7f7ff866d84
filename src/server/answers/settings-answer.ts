/** GET /api/runs/:run/settings: the history of every hyperparameter. */
import { Hono } from "hono";
import type { SettingsAnswer } from "../../types/page.ts";
import { runOf } from "../place.ts";
import { wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

/** Default number of changes of each setting: as many steps as a chart shows. */
const usual = 500;

export function settingRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().get("/runs/:run/settings", (c) => {
    const { id } = runOf(context, c.req.param("run"));
    const most = wholeNumber(c, { name: "most", otherwise: usual, min: 2, max: 100_000 });
    return reply(c, { rows: store.thinnedSettings(id, most) } satisfies SettingsAnswer);
  });
}
