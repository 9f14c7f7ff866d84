/** Everything that the views of one run read: fetched once, kept up to date by the stream. */
import { batch, type Signal, signal } from "@preact/signals";
import type {
  EventAnswer,
  PageEvent,
  RunAnswer,
  SeriesAnswer,
  StreamCursor,
  StreamedRun,
} from "../../../src/types/page.ts";
import type { Stage } from "../../../src/types/records.ts";
import { ApiError, get, numberOf } from "../api.ts";
import { append, type Column, columnOf, emptyColumn } from "./column.ts";
import { watch } from "./live.ts";

/** Buckets of a chart at first; it grows to twice that before it is fetched anew. */
const points = 600;

export interface Range {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** Made by `openRun`. */
export class RunData {
  readonly id: string;
  readonly answer: Signal<RunAnswer | null> = signal(null);
  readonly error: Signal<ApiError | null> = signal(null);
  /** Newest events, oldest first. */
  readonly events: Signal<readonly PageEvent[]> = signal([]);
  /** Grows whenever a column has changed: charts draw anew. */
  readonly drawn: Signal<number> = signal(0);
  readonly #columns = new Map<string, Column>();
  /** Keys that some view shows, by stage, and how many do. */
  readonly #wanted = new Map<Stage, Map<string, number>>();
  #range: Range = { from: undefined, to: undefined };
  #asked: Promise<void> | null = null;
  #unwatch: (() => void) | null = null;
  #users = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** The column of a metric, empty until it has come. */
  column(stage: Stage, key: string): Column {
    return this.#columns.get(`${stage} ${key}`) ?? emptyColumn();
  }

  /** Fetches what is missing of these metrics, in one request with whatever else is asked for in the same moment. Returns what ends it. */
  want(stage: Stage, keys: readonly string[]): () => void {
    const counts = this.#wanted.get(stage) ?? new Map<string, number>();
    this.#wanted.set(stage, counts);
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    if (keys.some((key) => !this.#columns.has(`${stage} ${key}`))) this.#askSoon();
    return () => {
      for (const key of keys) {
        const left = (counts.get(key) ?? 1) - 1;
        if (left > 0) counts.set(key, left);
        else {
          counts.delete(key);
          this.#columns.delete(`${stage} ${key}`);
        }
      }
    };
  }

  /** Iterations that charts show; undefined is as far as there are any. */
  zoom(range: Range): void {
    if (range.from === this.#range.from && range.to === this.#range.to) return;
    this.#range = range;
    this.refetch();
  }

  refetch(): void {
    this.#stale = true;
    this.#askSoon();
  }

  #stale = false;

  /** Fetches the run itself again: after a change, and where the stream says so. */
  async reload(): Promise<void> {
    try {
      const [answer, events] = await Promise.all([
        get<RunAnswer>(this.#path()),
        get<EventAnswer>(this.#path("/events"), { before: "newest", limit: 500 }),
      ]);
      batch(() => {
        this.answer.value = answer;
        this.events.value = events.rows;
        this.error.value = null;
      });
    } catch (error) {
      if (error instanceof ApiError) this.error.value = error;
      else throw error;
    }
  }

  /** Events before the oldest one here; false where there are none. */
  async olderEvents(): Promise<boolean> {
    const oldest = this.events.peek()[0];
    if (oldest === undefined) return false;
    const { rows } = await get<EventAnswer>(this.#path("/events"), { before: oldest.seq, limit: 500 });
    this.events.value = [...rows, ...this.events.peek()];
    return rows.length > 0;
  }

  hold(): () => void {
    this.#users++;
    if (this.#users === 1) void this.#begin();
    return () => {
      this.#users--;
      if (this.#users > 0) return;
      this.#unwatch?.();
      this.#unwatch = null;
      opened.delete(this.id);
    };
  }

  async #begin(): Promise<void> {
    await this.reload();
    const answer = this.answer.peek();
    if (answer === null || this.#users === 0) return;
    this.#unwatch = watch(this.id, answer.cursor, (news, cursor) => this.#hear(news, cursor));
  }

  #hear(news: StreamedRun, _cursor: StreamCursor): void {
    if (news.reset) {
      this.refetch();
      void this.reload();
      return;
    }
    let inOrder = true;
    for (const { stage, iteration, values } of news.iterations) {
      if (this.#range.to !== undefined && iteration >= this.#range.to) continue;
      for (const key of this.#wanted.get(stage)?.keys() ?? []) {
        const value = values[key];
        const column = this.#columns.get(`${stage} ${key}`);
        if (value === undefined || column === undefined) continue;
        inOrder = append(column, iteration, numberOf(value)) && inOrder;
        if (column.from.length > 2 * points) inOrder = false;
      }
    }
    if (!inOrder) this.refetch();
    batch(() => {
      this.#hearEvents(news.events);
      this.#hearLatest(news);
      if (news.iterations.length > 0) this.drawn.value++;
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

  #askSoon(): void {
    this.#asked ??= Promise.resolve().then(() => this.#ask());
  }

  async #ask(): Promise<void> {
    this.#asked = null;
    const { from, to } = this.#range;
    const all = this.#stale;
    this.#stale = false;
    await Promise.all(
      [...this.#wanted].map(async ([stage, counts]) => {
        const keys = [...counts.keys()].filter((key) => all || !this.#columns.has(`${stage} ${key}`));
        if (keys.length === 0) return;
        for (const key of keys)
          if (!this.#columns.has(`${stage} ${key}`)) this.#columns.set(`${stage} ${key}`, emptyColumn());
        const answer = await get<SeriesAnswer>(this.#path("/series"), {
          stage,
          keys: keys.join(","),
          from,
          to,
          points,
        });
        for (const key of keys) {
          const columns = answer.series[key];
          if (columns !== undefined && counts.has(key)) this.#columns.set(`${stage} ${key}`, columnOf(columns));
        }
      }),
    ).catch((error) => {
      if (!(error instanceof ApiError)) throw error;
      this.error.value = error;
    });
    this.drawn.value++;
  }

  #path(rest = ""): string {
    return `/api/runs/${encodeURIComponent(this.id)}${rest}`;
  }
}

const opened = new Map<string, RunData>();

/** One `RunData` a run, shared by all views; each of them holds it as long as it needs it. */
export function openRun(id: string): RunData {
  const data = opened.get(id) ?? new RunData(id);
  opened.set(id, data);
  return data;
}
