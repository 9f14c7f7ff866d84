/** What happened in a workspace between two cursors, as sent to clients of the stream, and how it is merged. */
import type { Store } from "../../store/index.ts";
import type { PageEvent, RunSummary, StreamBatch, StreamCursor, StreamedRun } from "../../types/page.ts";
import type { Stage } from "../../types/records.ts";
import { pageEvent } from "../event-fields.ts";

/** Most rows sent one by one: beyond this the page fetches what it shows again, downsampled. */
export const mostRows = 20_000;

export interface RunNews {
  reset: boolean;
  /** Number of metric and event rows. */
  rows: number;
  readonly iterations: { stage: Stage; iteration: number; values: Record<string, number> }[];
  readonly events: PageEvent[];
  version?: string;
}

export interface News {
  readonly cursor: StreamCursor;
  readonly runs: ReadonlyMap<string, RunNews>;
  readonly summaries: readonly RunSummary[];
  /** Runs that were deleted. */
  readonly gone?: readonly string[];
}

export function emptyNews(): RunNews {
  return { reset: false, rows: 0, iterations: [], events: [] };
}

export interface Between {
  readonly runs: readonly string[];
  readonly from: StreamCursor;
  readonly to: StreamCursor;
}

/** What runs recorded between two cursors; runs without news are absent. */
export function readNews(store: Store, { runs, from, to }: Between): Map<string, RunNews> {
  const news = new Map<string, RunNews>();
  if (runs.length === 0) return news;
  const of = (id: string) => {
    const known = news.get(id) ?? emptyNews();
    news.set(id, known);
    return known;
  };
  // A cursor beyond the end belongs to a different database.
  const strange = from.metrics > to.metrics || from.events > to.events;
  if (strange || to.metrics - from.metrics + to.events - from.events > mostRows) {
    for (const id of runs) of(id).reset = true;
    return news;
  }
  store.newMetrics({
    runs,
    after: from.metrics,
    upTo: to.metrics,
    visit: (id, { stage, iteration, key, value, superseded }) => {
      if (superseded) return;
      const run = of(id);
      run.rows++;
      let last = run.iterations.at(-1);
      if (last?.stage !== stage || last.iteration !== iteration) {
        last = { stage, iteration, values: {} };
        run.iterations.push(last);
      }
      last.values[key] = value;
    },
  });
  store.newEvents({
    runs,
    after: from.events,
    upTo: to.events,
    visit: (id, event) => {
      const run = of(id);
      run.rows++;
      run.events.push(pageEvent(event, id));
    },
  });
  return news;
}

/** Merges later news into earlier news that a client has not received yet. */
export function merged(earlier: News, later: News): News {
  const runs = new Map(earlier.runs);
  for (const [id, news] of later.runs) {
    const before = runs.get(id);
    runs.set(id, before === undefined ? news : added(before, news));
  }
  const summaries = new Map([...earlier.summaries, ...later.summaries].map((one) => [one.id, one]));
  const gone = [...(earlier.gone ?? []), ...(later.gone ?? [])];
  for (const id of later.gone ?? []) summaries.delete(id);
  return { cursor: later.cursor, runs, summaries: [...summaries.values()], gone };
}

function added(before: RunNews, after: RunNews): RunNews {
  const rows = before.rows + after.rows;
  const version = after.version ?? before.version;
  const told = version === undefined ? {} : { version };
  if (before.reset || after.reset || rows > mostRows) return { ...emptyNews(), ...told, reset: true };
  return {
    reset: false,
    rows,
    iterations: [...before.iterations, ...after.iterations],
    events: [...before.events, ...after.events],
    ...told,
  };
}

/** The part of the news for a client that watches these runs; null if there is none. */
export function batchFor(
  { cursor, runs, summaries, gone = [] }: News,
  watched: ReadonlySet<string>,
): StreamBatch | null {
  const own: [string, StreamedRun][] = [];
  for (const [id, { rows: _, ...news }] of runs) if (watched.has(id)) own.push([id, news]);
  if (own.length === 0 && summaries.length === 0 && gone.length === 0) return null;
  return { cursor, runs: Object.fromEntries(own), summaries, ...(gone.length > 0 && { gone }) };
}
