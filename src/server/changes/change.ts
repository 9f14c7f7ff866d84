/** What all requests that change something share: the key, the version that the sender has seen, and that it happens only once. */
import { createHash } from "node:crypto";
import type { Context as Request } from "hono";
import { operatorName } from "../../operator/operator-name.ts";
import type { By } from "../../store/index.ts";
import type { Changed } from "../../types/page.ts";
import { Refusal } from "../problem.ts";
import { answerText } from "../reply.ts";
import { type Context, checkInPlace } from "../server-context.ts";
import { versionOf, whatChanged } from "../version.ts";

/** Bytes of a request that changes something. */
export const largestChange = 64 << 10;

export interface ChangeOptions {
  readonly run: string;
  /** Whether the sender must name the version of the run that they saw. */
  readonly versioned: boolean;
  /** Makes the change. If it throws, nothing is changed. */
  readonly perform: (by: Required<By>) => Omit<Changed, "version">;
}

/** The header with the operator's name, in which letters outside ASCII are percent-encoded. */
const operatorHeader = "ballast-operator";

/** Performs a change once: a repeated request gets the same answer and does nothing. */
export async function change(c: Request, context: Context, options: ChangeOptions): Promise<Response> {
  const { store, tailer } = context;
  const { run, versioned, perform } = options;
  const key = keyOf(c);
  const operator = operatorOf(c);
  const seen = versioned ? versionSeen(c) : null;
  const hash = createHash("sha256")
    .update(JSON.stringify([c.req.method, c.req.path, operator, seen, await c.req.text()]))
    .digest("hex");
  const { body } = store.once(key, hash, () => {
    checkInPlace(context);
    // Inside the transaction, so that the second of two senders is told.
    const now = versionOf(store, run);
    if (seen !== null && seen !== now)
      throw new Refusal(409, whatChanged(seen, now), "Look at it again, then decide again.");
    const done = perform({ operator });
    return { status: 200, body: answerText({ ...done, version: versionOf(store, run) } satisfies Changed) };
  });
  tailer.wake();
  return c.body(body, 200, { "content-type": "application/json; charset=utf-8" });
}

/** The key that a request carries. */
export function keyOf(c: Request): string {
  const key = c.req.header("idempotency-key") ?? "";
  if (/^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new Refusal(
    400,
    key === "" ? "a change needs an Idempotency-Key" : "the Idempotency-Key is not a short word",
    "Send a new one with each new request, up to 200 characters without spaces: `uuidgen` makes one.",
  );
}

/** The sender's name; without the header, the user who runs the server. */
export function operatorOf(c: Request): string {
  const sent = c.req.header(operatorHeader);
  try {
    return operatorName(sent === undefined ? undefined : decodeURIComponent(sent));
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new Refusal(400, `${operatorHeader}: it is not percent-encoded`, "Send encodeURIComponent(name).");
  }
}

function versionSeen(c: Request): string {
  const header = c.req.header("if-match");
  const version = /^"([\w.-]{1,200})"$/.exec(header ?? "")?.[1];
  if (version !== undefined) return version;
  throw new Refusal(
    428,
    header === undefined ? "a change of a run needs If-Match" : "If-Match: expected a version in double quotes",
    "Send the `version` that the run's answer had, in double quotes.",
  );
}
