/** The bodies of requests: JSON of a limited size, with only the expected keys. */
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import { nearest } from "../util/nearest.ts";
import { Refusal } from "./problem.ts";

/** Limits the size of a body, in bytes. */
export function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new Refusal(413, `the request is larger than ${maxSize / 1024} KiB`);
    },
  });
}

/**
 * The body of a request.
 * @throws Refusal, with what to send instead.
 */
export async function bodyOf<Schema extends z.ZodObject>(c: Context, schema: Schema): Promise<z.infer<Schema>> {
  // Forms and plain text, which any page may send anywhere, are not accepted as JSON.
  if (!/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? ""))
    throw new Refusal(415, "expected JSON", "Send `content-type: application/json`.");
  const parsed = schema.safeParse(parse(await c.req.text()));
  if (parsed.success) return parsed.data;
  throw new Refusal(400, parsed.error.issues.map((issue) => inWords(issue, Object.keys(schema.shape))).join("; "));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "the body is not JSON");
  }
}

function inWords(issue: z.core.$ZodIssue, known: readonly string[]): string {
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys as [string];
    const near = issue.path.length === 0 ? nearest(key, known) : undefined;
    return `unknown key "${key.slice(0, 100)}"${near === undefined ? `; it may have ${known.join(", ")}` : `; did you mean ${near}?`}`;
  }
  const name = issue.path.join(".");
  return name === "" ? `expected an object with ${known.join(", ")}` : `${name}: ${issue.message}`;
}
