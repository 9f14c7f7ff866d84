/** The data of one run for all of its views: fetched once, kept up to date by the stream. */
import { batch, type Signal, signal } from "@preact/signals";
import type { EventAnswer, PageEvent, RunAnswer, StreamCursor, StreamedRun } from "../../../src/types/page.ts";
import type { Stage } from "../../../src/types/records.ts";
import { ApiError, get } from "../api.ts";
import type { Query } from "../router.ts";
import type { Column } from "./column.ts";
import { ColumnSet, type Range } from "./column-set.ts";
import { line, watch } from "./live.ts";

/** The data of one run. Made by `openRun`. */
export class RunData {
  readonly id: string;
  readonly answer: Signal<RunAnswer | null> = signal(null);
  readonly error: Signal<ApiError | null> = signal(null);
  /** Newest events, oldest first; at first without older notes. */
  readonly events: Signal<readonly PageEvent[]> = signal([]);
  /** Whether the server has older events. */
  readonly olderEvents: Signal<boolean> = signal(false);
  /** From this event on all are loaded. */
  #oldest = 0;
  /** Columns of the charts, over the zoomed range. */
  readonly #charts: ColumnSet;
  /** Columns of the whole run, however charts are zoomed, for figures that describe the present. */
  readonly whole: ColumnSet;
  #unwatch: (() => void) | null = null;
  #unline = () => {};
  #users = 0;

  constructor(id: string) {
    this.id = id;
    const onError = (error: ApiError) => {
      this.error.value = error;
    };
    const path = this.#path("/series");
    this.#charts = new ColumnSet({ path, points: 600, onError });
    this.whole = new ColumnSet({ path, points: 200, onError });
  }

  /** A number that grows whenever a column has changed: charts then redraw. */
  get drawn(): Signal<number> {
    return this.#charts.drawn;
  }

  column(stage: Stage, key: string): Column {
    return this.#charts.column(stage, key);
  }

  /** Fetches these metrics and keeps them up to date. Returns a function that ends it. */
  want(stage: Stage, keys: readonly string[]): () => void {
    return this.#charts.want(stage, keys);
  }

  /** Sets the iterations that charts show; undefined means without limit. */
  zoom(range: Range): void {
    this.#charts.zoom(range);
  }

  refetch(): void {
    this.#charts.refetch();
    this.whole.refetch();
  }

  /** Fetches the run itself again: after a change, and if the stream says so. */
  async reload(): Promise<void> {
    try {
      const [answer, events, matter] = await Promise.all([
        get<RunAnswer>(this.#path()),
        this.#ask({ before: "newest", limit: 500 }),
        this.#ask({ before: "newest", limit: 2000, notes: 0 }),
      ]);
      batch(() => {
        this.answer.value = answer;
        this.events.value = matter.rows;
        this.#take(events);
        this.error.value = null;
      });
    } catch (error) {
      if (error instanceof ApiError) this.error.value = error;
      else throw error;
    }
  }

  async loadOlderEvents(): Promise<void> {
    const answer = await this.#ask({ before: this.#oldest, limit: 500 });
    batch(() => this.#take(answer));
  }

  #ask(query: Query): Promise<EventAnswer> {
    return get(this.#path("/events"), query);
  }

  /** Merges a page of events into those that are loaded. */
  #take({ rows, cursor, more }: EventAnswer): void {
    const all = [...this.events.peek(), ...rows].map((event) => [event.seq, event] as const);
    this.events.value = [...new Map(all).values()].sort((a, b) => a.seq - b.seq);
    this.#oldest = cursor;
    this.olderEvents.value = more;
  }

  hold(): () => void {
    this.#users++;
    if (this.#users === 1) {
      this.#unline = line.subscribe((state) => state === "live" && this.error.peek() !== null && this.#back());
      void this.#begin();
    }
    return () => {
      this.#users--;
      if (this.#users > 0) return;
      this.#unline();
      this.#unwatch?.();
      this.#unwatch = null;
      opened.delete(this.id);
    };
  }

  /** After a time without the server, repeats the requests that failed. */
  #back(): void {
    this.refetch();
    void this.#begin();
  }

  async #begin(): Promise<void> {
    await this.reload();
    const answer = this.answer.peek();
    if (answer === null || this.#users === 0) return;
    this.#unwatch ??= watch(this.id, answer.cursor, (news, cursor) => this.#hear(news, cursor));
  }

  #hear(news: StreamedRun, cursor: StreamCursor): void {
    if (news.reset) {
      this.refetch();
      void this.reload();
      return;
    }
    for (const set of [this.#charts, this.whole]) set.hear(news.iterations, cursor);
    batch(() => {
      this.#hearEvents(news.events);
      this.#hearLatest(news);
      if (news.iterations.length === 0) return;
      this.#charts.drawn.value++;
      this.whole.drawn.value++;
    });
  }

  #hearEvents(events: readonly PageEvent[]): void {
    const newest = this.events.peek().at(-1)?.seq ?? 0;
    const fresh = events.filter(({ seq }) => seq > newest);
    if (fresh.length > 0) this.events.value = [...this.events.peek(), ...fresh];
  }

  #hearLatest({ iterations, version }: StreamedRun): void {
    const before = this.answer.peek();
    if (before === null) return;
    const latest = { ...before.latest };
    const known = new Set(before.keys.map(({ stage, key }) => `${stage} ${key}`));
    const keys = [...before.keys];
    for (const { stage, values } of iterations) {
      latest[stage] = { ...latest[stage], ...values };
      for (const key of Object.keys(values)) {
        if (known.has(`${stage} ${key}`)) continue;
        known.add(`${stage} ${key}`);
        keys.push({ stage, key });
      }
    }
    const stages = before.stages.map((one) => {
      const newest = iterations.filter(({ stage }) => stage === one.stage).at(-1);
      return newest === undefined ? one : { ...one, done: Math.max(one.done, newest.iteration + 1) };
    });
    this.answer.value = { ...before, latest, keys, stages, version: version ?? before.version };
  }

  #path(rest = ""): string {
    return `/api/runs/${encodeURIComponent(this.id)}${rest}`;
  }
}

const opened = new Map<string, RunData>();

/** The data of a run, shared by all views; each of them holds it as long as it needs it. */
export function openRun(id: string): RunData {
  const data = opened.get(id) ?? new RunData(id);
  opened.set(id, data);
  return data;
}
