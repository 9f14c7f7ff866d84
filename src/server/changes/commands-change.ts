/** POST /api/runs/:run/commands: an operator's command to a run. Its trainer reads it between two iterations. */
import { Hono } from "hono";
import { z } from "zod";
import { configOf } from "../../inspect/places.ts";
import { checkedCommand, commandContext, commandKinds, whatFollows } from "../../operator/command.ts";
import type { By } from "../../store/index.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import { neededPlace, runOf } from "../place.ts";
import { type Context, typed } from "../server-context.ts";
import { change, largestChange } from "./change.ts";

const schema = z.strictObject({
  kind: z.enum(commandKinds),
  payload: z.record(z.string(), z.unknown()).optional(),
  reason: z.string().max(4_000).optional(),
});

export function commandRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().post("/runs/:run/commands", tokenNeeded(context), limitBody(largestChange), async (c) => {
    const { kind, payload, reason } = await bodyOf(c, schema);
    const { id } = runOf(context, c.req.param("run"));
    const perform = ({ operator }: Required<By>) => {
      const run = runOf(context, id);
      const known = commandContext(store, {
        run,
        config: configOf(neededPlace(context, id)),
        typed: {
          resume: typed(context, "resume", id),
          show: (incident) => typed(context, "incidents", "show", String(incident)),
        },
      });
      const request = { kind, ...(payload && { payload }), ...(reason !== undefined && { reason }) };
      const command = checkedCommand(request, known);
      return { id: store.addCommand(id, { ...command, operator }), message: whatFollows(command, known) };
    };
    return change(c, context, { run: id, versioned: true, perform });
  });
}
