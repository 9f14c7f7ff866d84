/** POST /api/runs/:run/marks: tags, a note, archiving, and pinned samples. */
import { Hono } from "hono";
import { z } from "zod";
import { checkMark } from "../../operator/mark.ts";
import type { By } from "../../store/index.ts";
import type { NewMark } from "../../types/page.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import { runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import type { Context } from "../server-context.ts";
import { change, largestChange } from "./change.ts";

const schema = z.strictObject({
  kind: z.enum(["tag", "note", "archived", "pin", "name"]),
  value: z.string().max(4_000),
  present: z.boolean(),
});

export function markRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().post("/runs/:run/marks", tokenNeeded(context), limitBody(largestChange), async (c) => {
    const mark: NewMark = await bodyOf(c, schema);
    const { id: run } = runOf(context, c.req.param("run"));
    const perform = (by: Required<By>) => {
      check(context, run, mark);
      return { id: store.addMark(run, mark, by), message: `${run}: ${mark.present ? "" : "no "}${mark.kind}` };
    };
    return change(c, context, { run, versioned: false, perform });
  });
}

function check({ store }: Context, run: string, { kind, value, present }: NewMark): void {
  // On a page, removing a mark that is already gone is not a mistake: a different tab was first.
  if (present || kind !== "tag") checkMark({ kind, value, present }, { run, marks: store.marks(run) });
  if (kind === "archived" && value !== "") throw new Refusal(400, "`archived` has no value");
  if (kind === "pin" && (!/^[1-9]\d{0,14}$/.test(value) || store.sample(run, Number(value)) === undefined))
    throw new Refusal(404, `run ${run} has no sample ${value.slice(0, 40)}`, "A pin's value is the `seq` of a sample.");
}
