/** GET /api/runs/:run/events: what happened, in sentences, forwards or backwards from a cursor. */
import { Hono } from "hono";
import type { EventAnswer } from "../../types/page.ts";
import { pageEvent } from "../event-fields.ts";
import { runOf } from "../place.ts";
import { wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

const usual = 500;
const most = 2_000;

export function eventRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().get("/runs/:run/events", (c) => {
    const { id } = runOf(context, c.req.param("run"));
    const limit = wholeNumber(c, { name: "limit", otherwise: usual, min: 1, max: most });
    if (c.req.query("before") !== undefined) {
      const newest = c.req.query("before") === "newest";
      const before = newest ? Number.MAX_SAFE_INTEGER : wholeNumber(c, { name: "before", otherwise: 0 });
      const notes = c.req.query("notes") !== "0";
      const rows = store.eventsBefore(id, { before, limit, notes }).map((row) => pageEvent(row, id));
      const answer: EventAnswer = { rows, cursor: rows[0]?.seq ?? 0, more: rows.length === limit };
      return reply(c, answer);
    }
    const after = wholeNumber(c, { name: "after", otherwise: 0 });
    const { rows, cursor } = store.events(id, { after, limit });
    return reply(c, {
      rows: rows.map((row) => pageEvent(row, id)),
      cursor,
      more: rows.length === limit,
    } satisfies EventAnswer);
  });
}
