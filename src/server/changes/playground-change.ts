/** GET /api/playground, POST /api/playground/reply: models to talk with, and an answer as it grows. */
import { Hono } from "hono";
import { stream } from "hono/streaming";
import { z } from "zod";
import type { Playground, ReplyLine } from "../../types/playground-page.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import { Refusal } from "../problem.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

/** Bytes of a conversation. */
const largest = 1 << 20;

const schema = z.strictObject({
  model: z.string().max(4_000),
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string() }))
    .min(1)
    .max(1_000),
  temperature: z.number().min(0).max(10),
  maxTokens: z.int().min(1).max(100_000),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
});

export function playgroundRoutes(context: Context): Hono {
  const needed = (): Playground => {
    if (context.playground !== null) return context.playground;
    throw new Refusal(409, "this server talks with no models", "In a terminal: ballast generate MODEL");
  };
  return new Hono()
    .get("/playground", tokenNeeded(context), (c) => reply(c, needed().offers()))
    .post("/playground/reply", tokenNeeded(context), limitBody(largest), async (c) => {
      const request = await bodyOf(c, schema);
      const playground = needed();
      if (request.messages.at(-1)!.role !== "user")
        throw new Refusal(400, "a conversation to answer ends with the user's turn");
      c.header("content-type", "application/x-ndjson; charset=utf-8");
      return stream(c, async (out) => {
        const gone = new AbortController();
        out.onAbort(() => gone.abort());
        let sent = Promise.resolve();
        const tell = (line: ReplyLine) => {
          sent = sent.then(async () => void (await out.write(`${JSON.stringify(line)}\n`)));
        };
        await playground.reply(request, tell, gone.signal);
        await sent;
      });
    });
}
