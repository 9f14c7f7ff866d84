/** GET /api/runs/:run/events: what happened, in sentences, forwards from a cursor or backwards from it. */
import { Hono } from "hono";
import type { EventRow } from "../../store/index.ts";
import type { Alert, Intervention, InterventionOutcome, Tier } from "../../types/alerts.ts";
import type { EventAnswer, PageEvent } from "../../types/page.ts";
import { cut } from "../../util/cut.ts";
import type { Context } from "../server-context.ts";
import { runOf } from "../place.ts";
import { wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";

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
      const rows = store.eventsBefore(id, { before, limit, notes }).map(pageEvent);
      const answer: EventAnswer = { rows, cursor: rows[0]?.seq ?? 0, more: rows.length === limit };
      return reply(c, answer);
    }
    const after = wholeNumber(c, { name: "after", otherwise: 0 });
    const { rows, cursor } = store.events(id, { after, limit });
    return reply(c, { rows: rows.map(pageEvent), cursor, more: rows.length === limit } satisfies EventAnswer);
  });
}

interface EventData {
  readonly alert?: Partial<Alert>;
  readonly intervention?: Partial<Intervention>;
  readonly outcome?: Partial<InterventionOutcome>;
  readonly incident?: unknown;
}

export function pageEvent({
  seq,
  attempt,
  stage,
  iteration,
  kind,
  message,
  data,
  at,
  superseded,
}: EventRow): PageEvent {
  const { alert, intervention, outcome, incident } = (data ?? {}) as EventData;
  const said = alert ?? intervention;
  const number = intervention?.id ?? outcome?.intervention;
  return {
    seq,
    attempt,
    stage,
    iteration,
    kind,
    message: cut(message),
    at,
    superseded,
    ...(isTier(said?.tier) && { tier: said.tier }),
    ...(typeof said?.rule === "string" && { rule: said.rule }),
    ...(typeof said?.signal === "string" && { signal: said.signal }),
    ...(typeof number === "number" && { intervention: number }),
    ...(outcome?.result !== undefined && { result: outcome.result }),
    ...(typeof incident === "number" && { incident }),
  };
}

function isTier(tier: unknown): tier is Tier {
  return tier === 1 || tier === 2 || tier === 3;
}
