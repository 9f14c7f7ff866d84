/** Columns of a run's metrics that views show: fetched together, then kept up to date by the stream. */
import { type Signal, signal } from "@preact/signals";
import type { SeriesAnswer, StreamCursor, StreamedRun } from "../../../src/types/page.ts";
import type { Stage } from "../../../src/types/records.ts";
import { ApiError, get, numberOf } from "../api.ts";
import { append, type Column, columnOf, emptyColumn } from "./column.ts";

export interface Range {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

export interface ColumnSetOptions {
  /** Address of the series. */
  readonly path: string;
  /** Buckets at first; a column grows to twice that before it is fetched again. */
  readonly points: number;
  readonly onError: (error: ApiError) => void;
}

interface News {
  readonly iterations: StreamedRun["iterations"];
  readonly cursor: StreamCursor;
}

export class ColumnSet {
  /** A number that grows whenever a column has changed: charts then redraw. */
  readonly drawn: Signal<number> = signal(0);
  readonly #options: ColumnSetOptions;
  readonly #columns = new Map<string, Column>();
  /** Keys that some view shows, by stage, with the number of views. */
  readonly #wanted = new Map<Stage, Map<string, number>>();
  #range: Range = { from: undefined, to: undefined };
  #asked: Promise<void> | null = null;
  #stale = false;
  /** News from the stream while answers were pending: the answers may be older. */
  #meanwhile: News[] = [];
  #underWay = 0;

  constructor(options: ColumnSetOptions) {
    this.#options = options;
  }

  /** The column of a metric, empty until it is loaded. */
  column(stage: Stage, key: string): Column {
    return this.#columns.get(`${stage} ${key}`) ?? emptyColumn();
  }

  /** Fetches missing metrics, in one request with everything else requested at the same moment. Returns a function that ends the subscription. */
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

  /** Sets the iterations that charts show; undefined means without limit. */
  zoom(range: Range): void {
    if (range.from === this.#range.from && range.to === this.#range.to) return;
    this.#range = range;
    this.refetch();
  }

  refetch(): void {
    this.#stale = true;
    this.#askSoon();
  }

  /** Adds news without increasing `drawn`: the caller does that, together with its other changes. */
  hear(iterations: StreamedRun["iterations"], cursor: StreamCursor): void {
    if (this.#underWay > 0) this.#meanwhile.push({ iterations, cursor });
    let inOrder = true;
    for (const { stage, iteration, values } of iterations)
      for (const key of this.#wanted.get(stage)?.keys() ?? [])
        inOrder = this.#append(stage, key, iteration, values) && inOrder;
    if (!inOrder) this.refetch();
  }

  #append(stage: Stage, key: string, iteration: number, values: Readonly<Record<string, unknown>>): boolean {
    if (this.#range.to !== undefined && iteration >= this.#range.to) return true;
    if (this.#range.from !== undefined && iteration < this.#range.from) return true;
    const value = values[key] as number | undefined;
    const column = this.#columns.get(`${stage} ${key}`);
    if (value === undefined || column === undefined) return true;
    return append(column, iteration, numberOf(value)) && column.from.length <= 2 * this.#options.points;
  }

  #askSoon(): void {
    this.#asked ??= Promise.resolve().then(() => this.#ask());
  }

  async #ask(): Promise<void> {
    this.#asked = null;
    const all = this.#stale;
    this.#stale = false;
    this.#underWay++;
    try {
      await Promise.all([...this.#wanted.keys()].map((stage) => this.#askStage(stage, all)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#options.onError(error);
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#meanwhile = [];
      this.drawn.value++;
    }
  }

  async #askStage(stage: Stage, all: boolean): Promise<void> {
    const counts = this.#wanted.get(stage)!;
    const range = this.#range;
    const keys = [...counts.keys()].filter((key) => all || !this.#columns.has(`${stage} ${key}`));
    if (keys.length === 0) return;
    const fresh = keys.map((key) => `${stage} ${key}`).filter((name) => !this.#columns.has(name));
    const empty = fresh.map(emptyColumn);
    for (const [i, name] of fresh.entries()) this.#columns.set(name, empty[i]!);
    const { path, points } = this.#options;
    const query = { stage, keys: keys.join(","), ...range, points, lead: range.from ? 50 : undefined };
    const answer = await get<SeriesAnswer>(path, query).catch((error) => {
      // Metrics that were not loaded are requested again.
      for (const [i, name] of fresh.entries()) if (this.#columns.get(name) === empty[i]) this.#columns.delete(name);
      throw error;
    });
    // The answer belongs to an older request.
    if (range !== this.#range) return;
    for (const key of keys) {
      const columns = answer.series[key];
      if (columns === undefined || !counts.has(key)) continue;
      this.#columns.set(`${stage} ${key}`, columnOf(columns));
      for (const { iterations, cursor } of this.#meanwhile)
        if (cursor.metrics > answer.cursor)
          for (const one of iterations) if (one.stage === stage) this.#append(stage, key, one.iteration, one.values);
    }
  }
}
