/** POST /api/runs/:run/marks: tags, a note, what is put away, and samples that are pinned. */
import { Hono } from "hono";
import { z } from "zod";
import type { NewMark } from "../../types/page.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import type { Context } from "../context.ts";
import { runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { change, largestChange } from "./change.ts";

const schema = z.strictObject({
  kind: z.enum(["tag", "note", "archived", "pin"]),
  value: z.string().max(4_000),
  present: z.boolean(),
});

/** Tags of a run. */
const mostTags = 20;

export function markRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().post("/runs/:run/marks", tokenNeeded(context), limitBody(largestChange), async (c) => {
    const mark: NewMark = await bodyOf(c, schema);
    const { id: run } = runOf(context, c.req.param("run"));
    const perform = () => {
      check(context, run, mark);
      return { id: store.addMark(run, mark), message: `${run}: ${mark.present ? "" : "no "}${mark.kind}` };
    };
    return change(c, context, { run, versioned: false, perform });
  });
}

function check({ store }: Context, run: string, { kind, value, present }: NewMark): void {
  if (kind === "tag") {
    if (!/^[^\s\p{C}](?:[^\p{C}]{0,38}[^\s\p{C}])?$/u.test(value))
      throw new Refusal(400, "a tag is one to forty characters, without space around it");
    const tags = store.marks(run).filter((mark) => mark.kind === "tag" && mark.value !== value);
    if (present && tags.length >= mostTags) throw new Refusal(409, `${run} has ${mostTags} tags already`);
  }
  if (kind === "archived" && value !== "") throw new Refusal(400, "`archived` has no value");
  if (kind === "pin" && (!/^\d{1,15}$/.test(value) || store.sample(run, Number(value)) === undefined))
    throw new Refusal(404, `run ${run} has no sample ${value.slice(0, 40)}`, "A pin's value is the `seq` of a sample.");
}
