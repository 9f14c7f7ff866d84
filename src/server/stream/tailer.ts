/** Follows a workspace's database while anyone listens: reads news once, and distributes it to all listeners. */
import type { Store } from "../../store/index.ts";
import type { RunSummary, StreamCursor } from "../../types/page.ts";
import type { Summaries } from "../answers/summary-answer.ts";
import { versionOf } from "../version.ts";
import { emptyNews, type News, type RunNews, readNews } from "./event-news.ts";

export interface Listener {
  readonly watched: ReadonlySet<string>;
  readonly hear: (news: News) => void;
  /** Called when nothing more will come. */
  readonly leave: () => void;
}

export interface TailerOptions {
  readonly store: Store;
  readonly summaries: Summaries;
  /** Milliseconds between polls of the database. */
  readonly pollMs?: number;
  /** Milliseconds between checks of the runs' heartbeats: a stopped one writes nothing. */
  readonly stateMs?: number;
  readonly onError?: (error: unknown) => void;
}

/** Follows the database for all listeners; one per server. It has no timer while nobody listens. */
export class Tailer {
  readonly #store: Store;
  readonly #summaries: Summaries;
  readonly #pollMs: number;
  readonly #stateMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Set<Listener>();
  /** The newest summary sent of each run, as text. */
  #told = new Map<string, string>();
  #versions = new Map<string, string>();
  /** Where the newest attempt of each watched run begins. */
  #begins = new Map<string, string>();
  #cursor: StreamCursor = { metrics: 0, events: 0 };
  #dataVersion = -1;
  #lookedAt = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor({ store, summaries, pollMs = 200, stateMs = 1_000, onError = () => {} }: TailerOptions) {
    this.#store = store;
    this.#summaries = summaries;
    this.#pollMs = pollMs;
    this.#stateMs = stateMs;
    this.#onError = onError;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * Adds a listener for news from now on. Returns what it has missed since its cursor, with the states of all runs, and a function that removes it.
   * Nothing in between is lost.
   */
  listen(listener: Listener, after: StreamCursor | null): { readonly missed: News; readonly leave: () => void } {
    // Earlier listeners have received everything up to here.
    if (this.#listeners.size === 0) this.#begin();
    else this.#look();
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#look(), this.#pollMs);
    const missed = this.#store.snapshot(() => this.#missed([...listener.watched], after ?? this.#cursor));
    const leave = () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#rest();
    };
    return { missed, leave };
  }

  /** Ends all streams, even if their readers are still connected. */
  close(): void {
    for (const listener of this.#listeners) listener.leave();
    this.#listeners.clear();
    this.#rest();
  }

  /** Checks for news after this process has written: SQLite's `data_version` ignores a connection's own writes. */
  wake(): void {
    this.#dataVersion = -1;
    if (this.#listeners.size > 0) this.#look();
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #begin(): void {
    this.#cursor = this.#store.ends();
    this.#dataVersion = this.#store.dataVersion();
    this.#told = new Map(this.#summaries.all().map((one) => [one.id, JSON.stringify(one)]));
    this.#versions = new Map();
    this.#begins = new Map();
    this.#lookedAt = performance.now();
  }

  #missed(runs: readonly string[], after: StreamCursor): News {
    const news = readNews(this.#store, { runs, from: after, to: this.#cursor });
    for (const id of runs) {
      const version = this.#newVersion(id, { always: true });
      if (version === undefined) continue;
      this.#hasBegun(id);
      const reset = news.get(id)?.reset === true || this.#store.takenOver(id, after.metrics);
      news.set(id, { ...(reset ? { ...emptyNews(), reset } : (news.get(id) ?? emptyNews())), version });
    }
    return { cursor: this.#cursor, runs: news, summaries: this.#summaries.all() };
  }

  #look(): void {
    try {
      // Listeners that reconnect are told why.
      if (!this.#store.inPlace()) {
        this.close();
        return;
      }
      const dataVersion = this.#store.dataVersion();
      const written = dataVersion !== this.#dataVersion;
      if (!written && performance.now() - this.#lookedAt < this.#stateMs) return;
      this.#dataVersion = dataVersion;
      this.#lookedAt = performance.now();
      const news = this.#store.snapshot(() => this.#news(written));
      if (news.runs.size === 0 && news.summaries.length === 0 && !news.gone?.length) return;
      for (const { hear } of this.#listeners) hear(news);
    } catch (error) {
      // The disk may be full or locked for a moment: the next poll tries again.
      this.#dataVersion = -1;
      this.#onError(error);
    }
  }

  #news(written: boolean): News {
    const { summaries, gone } = this.#changedSummaries();
    if (!written) return { cursor: this.#cursor, runs: new Map(), summaries };
    const runs = [...new Set([...this.#listeners].flatMap(({ watched }) => [...watched]))];
    const to = this.#store.ends();
    const news: Map<string, RunNews> = readNews(this.#store, { runs, from: this.#cursor, to });
    for (const id of runs) {
      const version = this.#newVersion(id, { always: false });
      const reset = this.#hasBegun(id);
      if (version === undefined && !reset) continue;
      const known = reset ? { ...emptyNews(), reset } : (news.get(id) ?? emptyNews());
      news.set(id, { ...known, ...(version !== undefined && { version }) });
    }
    this.#cursor = to;
    return { cursor: to, runs: news, summaries, gone };
  }

  #changedSummaries(): { readonly summaries: RunSummary[]; readonly gone: string[] } {
    const all = this.#summaries.all();
    const ids = new Set(all.map(({ id }) => id));
    const gone = [...this.#told.keys()].filter((id) => !ids.has(id));
    for (const known of [this.#told, this.#versions, this.#begins]) for (const id of gone) known.delete(id);
    const summaries = all.filter((one) => {
      const text = JSON.stringify(one);
      if (this.#told.get(one.id) === text) return false;
      this.#told.set(one.id, text);
      return true;
    });
    return { summaries, gone };
  }

  /** The run's new version; undefined if it has not changed, or there is no such run. */
  #newVersion(id: string, { always }: { readonly always: boolean }): string | undefined {
    if (this.#store.run(id) === undefined) return undefined;
    const version = versionOf(this.#store, id);
    const before = this.#versions.get(id);
    this.#versions.set(id, version);
    return always || version !== before ? version : undefined;
  }

  /** Whether a newer attempt has begun since the last call: it may repeat iterations that were already sent. */
  #hasBegun(id: string): boolean {
    const newest = this.#store.attempts(id).findLast(({ begins }) => begins !== null);
    const now = newest === undefined ? "" : `${newest.attempt} ${newest.begins!.stage} ${newest.begins!.iteration}`;
    const before = this.#begins.get(id);
    this.#begins.set(id, now);
    return before !== undefined && before !== now && newest !== undefined && newest.attempt > 1;
  }
}
