/** GET /api/runs/:run/metrics.csv: metrics of a stage side by side, one line per iteration. */
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { Hono } from "hono";
import type { Series, Store } from "../../store/index.ts";
import type { Stage } from "../../types/records.ts";
import { csvText } from "../../util/csv-cell.ts";
import { runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { keysOf, stageOf } from "../query.ts";
import type { Context } from "../server-context.ts";

const mostKeys = 50;

/** Iterations read at once. */
const atOnce = 500;

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
    c.header("content-type", "text/csv; charset=utf-8");
    c.header("content-disposition", `attachment; filename="${id}-${stage}.csv"`);
    const lines = csvLines(store, { id, stage, keys });
    return c.body(Readable.toWeb(Readable.from(lines, { objectMode: false })) as ReadableStream);
  });
}

/** Lines of CSV in portions small enough for other requests to wait for. */
async function* csvLines(
  store: Store,
  { id, stage, keys }: { readonly id: string; readonly stage: Stage; readonly keys: readonly string[] },
): AsyncGenerator<string> {
  yield `${["iteration", ...keys.map(csvText)].join(",")}\n`;
  const end = (store.newestIteration(id, stage) ?? -1) + 1;
  for (let from = 0; from < end; from += atOnce) {
    await setImmediate();
    const range = { from, to: Math.min(end, from + atOnce), maxPoints: Number.POSITIVE_INFINITY };
    yield csvOf(store.snapshot(() => keys.map((key) => store.series(id, stage, key, range))));
  }
}

function csvOf(series: readonly Series[]): string {
  const lines = new Map<number, string[]>();
  for (const [column, { points }] of series.entries())
    for (const { from, last } of points) {
      const line = lines.get(from) ?? Array.from({ length: series.length }, () => "");
      lines.set(from, line);
      // A spreadsheet takes a minus before a word for a formula.
      line[column] = Number.isFinite(last) ? String(last) : csvText(String(last));
    }
  const rows = [...lines].sort(([a], [b]) => a - b);
  return rows.map(([iteration, cells]) => `${[iteration, ...cells].join(",")}\n`).join("");
}
