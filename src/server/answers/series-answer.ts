/** GET /api/runs/:run/series: many metrics over iterations, in columns, from one snapshot. */
import { Hono } from "hono";
import type { Series } from "../../store/index.ts";
import type { SeriesAnswer, SeriesColumns } from "../../types/page.ts";
import { runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { keysOf, stageOf, wholeNumber } from "../query.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

const usualPoints = 600;
const mostPoints = 2_000;
const mostKeys = 200;

export function seriesRoutes(context: Context): Hono {
  const { store } = context;
  return new Hono().get("/runs/:run/series", (c) => {
    const stage = stageOf(c);
    const keys = keysOf(c);
    if (keys.length > mostKeys)
      throw new Refusal(400, `${keys.length} keys at once`, `Ask for ${mostKeys} at most, and for the rest next.`);
    const from = wholeNumber(c, { name: "from", otherwise: 0 });
    const to = wholeNumber(c, { name: "to", otherwise: Number.POSITIVE_INFINITY });
    const maxPoints = wholeNumber(c, { name: "points", otherwise: usualPoints, min: 1, max: mostPoints });
    const lead = wholeNumber(c, { name: "lead", otherwise: 0, max: mostPoints });
    const answer = store.snapshot((): SeriesAnswer => {
      const { id } = runOf(context, c.req.param("run"));
      const seriesOf = (key: string) => {
        const series = store.series(id, stage, key, { from, to, maxPoints });
        const start = Math.max(0, from - lead * series.width);
        if (start === from) return series;
        return store.series(id, stage, key, { from: start, to, maxPoints: maxPoints + lead });
      };
      const columns = keys.map((key) => [key, columnsOf(seriesOf(key))]);
      return { stage, series: Object.fromEntries(columns), cursor: store.ends().metrics };
    });
    return reply(c, answer);
  });
}

function columnsOf({ width, points }: Series): SeriesColumns {
  const bad = points.flatMap(({ nonFinite, last }, i) =>
    // The last value of a bucket need not be the one that is not finite.
    nonFinite > 0 ? [[i, nonFinite, Number.isFinite(last) ? Number.NaN : last] as const] : [],
  );
  const columns = {
    width,
    from: points.map(({ from }) => from),
    mean: points.map(({ mean, min, max }) => (mean === null || Number.isFinite(mean) ? mean : min! / 2 + max! / 2)),
    // Converted to words when the answer is written.
    nonFinite: bad as unknown as SeriesColumns["nonFinite"],
  };
  if (width === 1) return columns;
  return {
    ...columns,
    min: points.map(({ min }) => min),
    max: points.map(({ max }) => max),
    last: points.map(({ last }) => last),
  };
}
