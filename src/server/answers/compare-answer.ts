/** GET /api/compare: how runs differ in their configurations and results. */
import { Hono } from "hono";
import { comparedOf, settingRows } from "../../inspect/comparison.ts";
import type { CompareAnswer } from "../../types/page.ts";
import { neededPlace, runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { list } from "../query.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

const mostRuns = 20;

export function compareRoutes(context: Context): Hono {
  return new Hono().get("/compare", (c) => {
    const ids = [...new Set(list(c, "runs"))];
    if (ids.length === 0 || ids.length > mostRuns)
      throw new Refusal(400, `${ids.length} runs to compare`, `Name one to ${mostRuns}: ?runs=demo-1,demo-2`);
    return reply(c, compareAnswer(context, ids));
  });
}

function compareAnswer(context: Context, ids: readonly string[]): CompareAnswer {
  const { store, summaries } = context;
  return store.snapshot(() => {
    const runs = ids.map((id) => runOf(context, id));
    const compared = runs.map(({ id }) => comparedOf(store, neededPlace(context, id)));
    const keys = new Map(
      runs.flatMap(({ id }) => store.keys(id)).map((name) => [`${name.stage} ${name.key}`, name] as const),
    );
    return {
      runs: runs.map((run) => summaries.one(run)),
      settings: settingRows(compared),
      results: compared.map(({ run, evaluation, latest }) => ({ run, evaluation, latest })),
      keys: [...keys.values()],
    };
  });
}
