/** One reader of the stream: it takes batches as fast as its connection allows, and one reset if it is too slow. */
import type { StreamBatch } from "../../types/page.ts";
import { answerText } from "../reply.ts";
import { batchFor, merged, type News } from "./event-news.ts";

export interface Line {
  /** Sends a message; resolves once the connection has accepted it. */
  readonly send: (message: { readonly event: string; readonly id?: string; readonly data: string }) => Promise<void>;
  readonly closed: () => boolean;
}

export interface ClientOptions {
  readonly watched: ReadonlySet<string>;
  readonly beatMs: number;
}

/** Batches as text, by what is watched: clients that watch the same runs share the work. */
const texts = new WeakMap<News, Map<string, string | null>>();

export class Client {
  readonly watched: ReadonlySet<string>;
  readonly #beatMs: number;
  readonly #name: string;
  #waiting: News | null = null;
  #wake: () => void = () => {};
  #left = false;

  constructor({ watched, beatMs }: ClientOptions) {
    this.watched = watched;
    this.#beatMs = beatMs;
    this.#name = [...watched].sort().join();
  }

  /** Receives news without waiting: news that has not been sent yet is merged. */
  readonly hear = (news: News): void => {
    this.#waiting = this.#waiting === null ? news : merged(this.#waiting, news);
    this.#wake();
  };

  leave(): void {
    this.#left = true;
    this.#wake();
  }

  /** Sends news as it comes, and a beat when there is none, until the reader has gone. */
  async tell({ send, closed }: Line): Promise<void> {
    for (let first = true; !this.#left && !closed(); first = false) {
      const news = this.#waiting;
      this.#waiting = null;
      const data = news === null ? null : (this.#textOf(news) ?? (first ? this.#nothing(news) : null));
      if (news !== null && data !== null)
        await send({ event: "batch", id: `${news.cursor.metrics}.${news.cursor.events}`, data });
      else if (news === null && !(await this.#newsOrBeat())) await send({ event: "beat", data: "" });
    }
  }

  #textOf(news: News): string | null {
    const known = texts.get(news) ?? new Map<string, string | null>();
    texts.set(news, known);
    let text = known.get(this.#name);
    if (text === undefined) {
      const batch: StreamBatch | null = batchFor(news, this.watched);
      text = batch === null ? null : answerText(batch);
      known.set(this.#name, text);
    }
    return text;
  }

  /** An empty batch: even for an empty workspace a reader learns at once that the connection is open, and its cursor. */
  #nothing({ cursor }: News): string {
    return answerText({ cursor, runs: {}, summaries: [] } satisfies StreamBatch);
  }

  /** Waits for news; false if it is time for a beat. */
  #newsOrBeat(): Promise<boolean> {
    return new Promise((resolve) => {
      const beat = setTimeout(() => resolve(false), this.#beatMs);
      this.#wake = () => {
        clearTimeout(beat);
        resolve(true);
      };
      // News may have arrived in between.
      if (this.#waiting !== null || this.#left) this.#wake();
    });
  }
}
