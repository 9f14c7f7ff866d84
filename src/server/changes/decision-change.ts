/** POST /api/incidents/:incident/decision: an operator's decision on what stopped a run. Its trainer carries it out. */
import { Hono } from "hono";
import { z } from "zod";
import { configOf } from "../../inspect/places.ts";
import { decisionOf } from "../../operator/decision.ts";
import { alreadyDecided, type By } from "../../store/index.ts";
import type { IncidentRecord } from "../../types/alerts.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import { neededPlace, runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { type Context, typed } from "../server-context.ts";
import { change, largestChange } from "./change.ts";

const schema = z.strictObject({
  action: z.enum(["resume", "rollback", "stop"]),
  to: z.string().max(50).optional(),
  set: z.array(z.string().max(1_000)).max(50).default([]),
  reason: z.string().max(4_000),
});

export function decisionRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().post("/incidents/:incident/decision", tokenNeeded(context), limitBody(largestChange), async (c) => {
    const { action, to, set, reason } = await bodyOf(c, schema);
    if ((action === "rollback") !== (to !== undefined))
      throw new Refusal(
        400,
        action === "rollback" ? "a rollback needs `to`" : `\`to\` belongs to a rollback, not to ${action}`,
        "`to` is last-healthy, before, or the iterations done at a checkpoint.",
      );
    const { id, runId } = incidentOf(context, c.req.param("incident"));
    const run = runOf(context, runId);
    const perform = (by: Required<By>) => {
      const incident = incidentOf(context, String(id));
      const resume = typed(context, "resume", runId);
      if (incident.decision !== null) throw alreadyDecided(incident, resume);
      const place = neededPlace(context, runId);
      const options = { resume: action === "resume", stop: action === "stop", set, reason };
      const decision = decisionOf(
        { ...options, ...(to !== undefined && { rollback: to }) },
        { incident, config: configOf(place), folder: place.folder },
      );
      store.decide(id, decision, by);
      const target = decision.to === null ? "" : ` to ${decision.to}`;
      const then = run.alive
        ? `Run ${runId} is waiting for this decision and applies it now.`
        : action === "stop"
          ? `Run ${runId} stays stopped.`
          : `No process is waiting for it: ${resume}`;
      return { id, message: `Incident ${id}: ${action}${target}. ${then}` };
    };
    return change(c, context, { run: runId, versioned: true, perform });
  });
}

function incidentOf({ store }: Context, text: string): IncidentRecord {
  const incident = /^\d{1,15}$/.test(text) ? store.incident(Number(text)) : undefined;
  if (incident !== undefined) return incident;
  throw new Refusal(404, `there is no incident ${text.slice(0, 40)} in this workspace`);
}
