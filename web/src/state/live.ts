/**
 * News within a second: one stream per browser. The tab that holds the lock reads it and passes batches on to the others; hidden tabs want nothing
 * and release the lock.
 */
import { signal } from "@preact/signals";
import type { RunSummary, StreamBatch, StreamCursor, StreamedRun } from "../../../src/types/page.ts";
import { isFile } from "../api.ts";
import { openStream } from "./stream.ts";

/** State of the connection. `live`: the stream is read, by this or a different tab. */
export const line = signal<"live" | "waiting" | "file">(isFile ? "file" : "waiting");

/** Newest summaries by run, as far as the stream has sent them. */
export const summaries = signal<ReadonlyMap<string, RunSummary>>(new Map());

/** Runs that were deleted since this page was opened. */
export const gone = signal<ReadonlySet<string>>(new Set());

export type RunListener = (news: StreamedRun, cursor: StreamCursor) => void;

interface Wish {
  readonly runs: readonly string[];
  readonly cursor: StreamCursor | null;
}

type Message =
  | { readonly kind: "wish"; readonly tab: string; readonly wish: Wish | null }
  | { readonly kind: "batch"; readonly batch: StreamBatch }
  | { readonly kind: "line"; readonly state: typeof line.value }
  | { readonly kind: "who" };

const tab = Math.random().toString(36).slice(2);
const channel = isFile || typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("ballast");
const listeners = new Map<string, Set<RunListener>>();
/** The cursor of each run that this tab shows. */
const cursors = new Map<string, StreamCursor>();
let newest: StreamCursor | null = null;

/** Calls `listener` with a run's news from a cursor on; rows may come twice. Returns a function that ends it. */
export function watch(runId: string, from: StreamCursor, listener: RunListener): () => void {
  const set = listeners.get(runId) ?? new Set();
  listeners.set(runId, set.add(listener));
  cursors.set(runId, smaller(cursors.get(runId) ?? null, from)!);
  announce();
  return () => {
    set.delete(listener);
    if (set.size > 0) return;
    listeners.delete(runId);
    cursors.delete(runId);
    announce();
  };
}

function receive(batch: StreamBatch): void {
  newest = batch.cursor;
  const { gone: deleted = [] } = batch;
  if (batch.summaries.length + deleted.length > 0) {
    const known = [...summaries.peek()].filter(([id]) => !deleted.includes(id));
    summaries.value = new Map([...known, ...batch.summaries.map((run) => [run.id, run] as const)]);
    const back = new Set(batch.summaries.map(({ id }) => id));
    gone.value = new Set([...gone.peek(), ...deleted].filter((id) => !back.has(id)));
  }
  for (const [runId, news] of Object.entries(batch.runs)) {
    if (cursors.has(runId)) cursors.set(runId, batch.cursor);
    for (const listener of listeners.get(runId) ?? []) listener(news, batch.cursor);
  }
}

/** What this tab wants to receive; null while it is hidden. */
function wish(): Wish | null {
  if (document.hidden) return null;
  return { runs: [...listeners.keys()], cursor: [...cursors.values()].reduce<StreamCursor | null>(smaller, newest) };
}

function announce(): void {
  if (isFile) return;
  channel?.postMessage({ kind: "wish", tab, wish: wish() } satisfies Message);
  leader?.changed(tab, wish());
}

/** Set while this tab holds the lock. */
let leader: Leader | null = null;

class Leader {
  readonly #wishes = new Map<string, Wish>();
  #close: (() => void) | null = null;
  #open: { readonly runs: string; readonly cursor: StreamCursor | null } | null = null;
  #pending: ReturnType<typeof setTimeout> | null = null;

  changed(who: string, what: Wish | null): void {
    if (what === null) this.#wishes.delete(who);
    else this.#wishes.set(who, what);
    // Several tabs answer at once, and a changing view drops one run and takes a new one.
    this.#pending ??= setTimeout(() => {
      this.#pending = null;
      this.#reopen();
    }, 30);
  }

  #reopen(): void {
    const wishes = [...this.#wishes.values()];
    const runs = [...new Set(wishes.flatMap((one) => one.runs))].sort();
    const cursor = wishes.map((one) => one.cursor).reduce<StreamCursor | null>(smaller, newest);
    const behind = cursor !== null && newest !== null && cursor.metrics < newest.metrics;
    if (this.#open !== null && this.#open.runs === runs.join() && !behind) return;
    this.#close?.();
    this.#open = { runs: runs.join(), cursor };
    this.#close = openStream({
      runs,
      after: cursor,
      onBatch: (batch) => {
        channel?.postMessage({ kind: "batch", batch } satisfies Message);
        receive(batch);
      },
      onState: (state) => {
        channel?.postMessage({ kind: "line", state } satisfies Message);
        line.value = state;
      },
    });
  }

  end(): void {
    if (this.#pending !== null) clearTimeout(this.#pending);
    this.#close?.();
  }
}

/** Holds the lock until this tab is hidden. Without locks (a page from a different machine), each tab reads for itself. */
async function lead(): Promise<void> {
  await new Promise<void>((resolve) => {
    const own = new Leader();
    leader = own;
    channel?.postMessage({ kind: "who" } satisfies Message);
    own.changed(tab, wish());
    const hide = () => {
      if (!document.hidden) return;
      document.removeEventListener("visibilitychange", hide);
      leader = null;
      own.end();
      resolve();
    };
    document.addEventListener("visibilitychange", hide);
    hide();
  });
}

async function leadWhenVisible(): Promise<void> {
  for (;;) {
    if (document.hidden) {
      await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
      continue;
    }
    const waiting = new AbortController();
    const hidden = () => document.hidden && waiting.abort();
    document.addEventListener("visibilitychange", hidden);
    if (navigator.locks === undefined) await lead();
    else await navigator.locks.request("ballast-stream", { signal: waiting.signal }, lead).catch(() => {});
    document.removeEventListener("visibilitychange", hidden);
  }
}

function smaller(a: StreamCursor | null, b: StreamCursor | null): StreamCursor | null {
  if (a === null || b === null) return a ?? b;
  return { metrics: Math.min(a.metrics, b.metrics), events: Math.min(a.events, b.events) };
}

if (!isFile) {
  channel?.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data.kind === "wish") {
      if (leader === null) return;
      leader.changed(data.tab, data.wish);
      // A later tab does not know the state of the connection.
      channel?.postMessage({ kind: "line", state: line.peek() } satisfies Message);
    } else if (data.kind === "who") announce();
    else if (document.hidden) return;
    else if (data.kind === "batch") receive(data.batch);
    else line.value = data.state;
  });
  document.addEventListener("visibilitychange", announce);
  addEventListener("pagehide", () => channel?.postMessage({ kind: "wish", tab, wish: null } satisfies Message));
  announce();
  void leadWhenVisible();
}
