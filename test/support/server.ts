/** A server over a workspace that a separate connection writes, as a trainer does, for tests. */
import { createParser } from "eventsource-parser";
import type { Hono } from "hono";
import { type AppOptions, createApp } from "../../src/server/index.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import type { StreamBatch } from "../../src/types/page.ts";
import { closedAfterwards } from "./store.ts";

export const token = "a-token-of-the-tests-0123456789";

/** A server over a workspace; `store` is the trainer's. */
export function served(store: Store, options: AppOptions & { now?: () => number } = {}): Hono {
  const { now } = options;
  const own = closedAfterwards(openStore(store.path, now === undefined ? {} : { now }));
  return createApp(own, { token, pollMs: 10, ...options });
}

/** Sends a request as a script on this machine would. */
export async function asked<Answer>(
  app: Hono,
  path: string,
  init: RequestInit = {},
): Promise<{ readonly status: number; readonly answer: Answer; readonly response: Response }> {
  const headers = { host: "localhost:9464", ...(init.headers as Record<string, string>) };
  const response = await app.request(`http://localhost:9464${path}`, { ...init, headers });
  const text = await response.text();
  return { status: response.status, answer: (text === "" ? null : JSON.parse(text)) as Answer, response };
}

export interface Reading {
  /** Waits for the next batch. */
  next(): Promise<StreamBatch>;
  readonly ids: string[];
  readonly beats: () => number;
  leave(): Promise<void>;
}

/** Reads a stream; each batch is kept until it is taken. */
export async function reading(app: Hono, query: string, headers: Record<string, string> = {}): Promise<Reading> {
  const request = { headers: { host: "localhost", ...headers } };
  const response = await app.request(`http://localhost/api/stream?${query}`, request);
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const batches: StreamBatch[] = [];
  const waiting: ((batch: StreamBatch) => void)[] = [];
  const ids: string[] = [];
  let beats = 0;
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      if (event !== "batch") return;
      if (id !== undefined) ids.push(id);
      const batch = JSON.parse(data) as StreamBatch;
      const taker = waiting.shift();
      if (taker) taker(batch);
      else batches.push(batch);
    },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  void (async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      // The parser does not report an event without data.
      beats += read.value.split("event: beat").length - 1;
      parser.feed(read.value);
    }
  })().catch(() => {});
  return {
    next: () => {
      const batch = batches.shift();
      return batch ? Promise.resolve(batch) : new Promise((resolve) => waiting.push(resolve));
    },
    ids,
    beats: () => beats,
    leave: () => reader.cancel(),
  };
}
