/** Reads the server's event stream until it is told to stop, and reconnects by itself. */
import type { StreamBatch, StreamCursor } from "../../../src/types/page.ts";
import { addressOf, authorization } from "../api.ts";
import { eventReader } from "./sse.ts";

/** Milliseconds without data. The server beats every five seconds: after three missed beats the connection is dead. */
const silence = 15_000;
const firstPause = 500;
const longestPause = 8_000;

export type LineState = "live" | "waiting";

export interface StreamOptions {
  readonly runs: readonly string[];
  readonly after: StreamCursor | null;
  readonly onBatch: (batch: StreamBatch) => void;
  readonly onState: (state: LineState) => void;
}

/** Opens the stream; returns a function that closes it. */
export function openStream({ runs, after, onBatch, onState }: StreamOptions): () => void {
  const ended = new AbortController();
  let cursor = after;
  const readOnce = async (): Promise<void> => {
    const line = new AbortController();
    const leave = () => line.abort();
    ended.signal.addEventListener("abort", leave);
    let alarm = setTimeout(leave, silence);
    try {
      const query = { runs: runs.join(","), after: cursor === null ? undefined : `${cursor.metrics}.${cursor.events}` };
      const response = await fetch(addressOf("/api/stream", query), { headers: authorization(), signal: line.signal });
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
      onState("live");
      const eventsOf = eventReader();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        clearTimeout(alarm);
        alarm = setTimeout(leave, silence);
        for (const { event, data } of eventsOf(read.value)) {
          if (event !== "batch") continue;
          const batch = JSON.parse(data) as StreamBatch;
          cursor = batch.cursor;
          onBatch(batch);
        }
      }
    } finally {
      clearTimeout(alarm);
      ended.signal.removeEventListener("abort", leave);
    }
  };
  const keepReading = async (): Promise<void> => {
    for (let pause = firstPause; !ended.signal.aborted; pause = Math.min(2 * pause, longestPause)) {
      const began = Date.now();
      await readOnce().catch(() => {});
      if (ended.signal.aborted) return;
      onState("waiting");
      if (Date.now() - began > silence) pause = firstPause;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  };
  void keepReading();
  return () => ended.abort();
}
