/** GET /api/stream: news as server-sent events, until the reader leaves. */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { StreamCursor } from "../../types/page.ts";
import { Refusal } from "../problem.ts";
import { list } from "../query.ts";
import type { Context } from "../server-context.ts";
import { Client } from "./client.ts";

const mostRuns = 50;
const mostClients = 100;

export interface StreamOptions {
  /** Milliseconds between two beats. */
  readonly beatMs?: number;
}

export function streamRoutes({ tailer }: Pick<Context, "tailer">, { beatMs = 5_000 }: StreamOptions = {}): Hono {
  return new Hono().get("/stream", (c) => {
    const watched = new Set(list(c, "runs"));
    if (watched.size > mostRuns)
      throw new Refusal(400, `${watched.size} runs at once`, `Watch ${mostRuns} at most; summaries tell of all.`);
    if (tailer.listeners >= mostClients)
      throw new Refusal(503, `${mostClients} streams are open already`, "Close a few tabs.");
    // After a broken connection, a browser's EventSource sends its last position.
    const after = cursorOf(c.req.header("last-event-id") || c.req.query("after"));
    c.header("x-accel-buffering", "no");
    // Nobody reads the answer to a HEAD, so it would never end.
    if (c.req.method === "HEAD") return c.body(null, 200, { "content-type": "text/event-stream" });
    const client = new Client({ watched, beatMs });
    const { missed, leave } = tailer.listen(client, after);
    client.hear(missed);
    return streamSSE(c, async (stream) => {
      stream.onAbort(() => {
        leave();
        client.leave();
      });
      try {
        await client.tell({
          send: (message) => stream.writeSSE(message),
          closed: () => stream.aborted || stream.closed,
        });
      } finally {
        leave();
      }
    });
  });
}

/** Parses `<metrics>.<events>`. */
function cursorOf(text: string | undefined): StreamCursor | null {
  if (text === undefined || text === "") return null;
  const [, metrics, events] = /^(\d{1,15})\.(\d{1,15})$/.exec(text) ?? [];
  if (metrics === undefined || events === undefined)
    throw new Refusal(400, `after=${text.slice(0, 40)}: expected two whole numbers, as in 1200.17`);
  return { metrics: Number(metrics), events: Number(events) };
}
