/** GET /api/runs/:run/metrics.csv: metrics of a stage side by side, one iteration a line. */
import { Hono } from "hono";
import type { Series } from "../../store/index.ts";
import { csvText } from "../../util/csv.ts";
import type { Context } from "../context.ts";
import { runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { keysOf, stageOf } from "../query.ts";

const mostKeys = 50;

export function csvRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().get("/runs/:run/metrics.csv", (c) => {
    const { id } = runOf(context, c.req.param("run"));
    const stage = stageOf(c);
    const keys = keysOf(c);
    if (keys.length === 0 || keys.length > mostKeys)
      throw new Refusal(
        400,
        `${keys.length} keys`,
        `Name one to ${mostKeys}; \`ballast export\` writes all there are.`,
      );
    const series = store.snapshot(() =>
      keys.map((key) => store.series(id, stage, key, { maxPoints: Number.POSITIVE_INFINITY })),
    );
    c.header("content-type", "text/csv; charset=utf-8");
    c.header("content-disposition", `attachment; filename="${id}-${stage}.csv"`);
    return c.body(csvOf(keys, series));
  });
}

function csvOf(keys: readonly string[], series: readonly Series[]): string {
  const lines = new Map<number, string[]>();
  for (const [column, { points }] of series.entries())
    for (const { from, last } of points) {
      const line = lines.get(from) ?? Array.from({ length: keys.length }, () => "");
      lines.set(from, line);
      // A spreadsheet takes a minus before a word for a formula.
      line[column] = Number.isFinite(last) ? String(last) : csvText(String(last));
    }
  const rows = [...lines].sort(([a], [b]) => a - b).map(([iteration, cells]) => [iteration, ...cells].join(","));
  return `${["iteration", ...keys.map(csvText)].join(",")}\n${rows.map((row) => `${row}\n`).join("")}`;
}
