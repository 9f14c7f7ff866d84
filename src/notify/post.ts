/** Posts one message to a webhook, with retries and growing pauses; its error messages contain no address and no token. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../util/errors.ts";
import type { Hook } from "./hooks.ts";

export interface PostOptions {
  readonly body: string;
  /** Aborts at once, between attempts or during one. */
  readonly signal: AbortSignal;
  /** Milliseconds before the first retry; each further pause is twice as long. */
  readonly backoffMs?: number;
}

/** Whether the message arrived, else why not, in a sentence. */
export type Posted = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Posts one message. Never throws. */
export async function post(hook: Hook, { body, signal, backoffMs = 1_000 }: PostOptions): Promise<Posted> {
  for (let attempt = 0; ; attempt++) {
    const answer = await once(hook, body, signal);
    if (answer.ok) return { ok: true };
    const tries = attempt === 0 ? "1 try" : `${attempt + 1} tries`;
    const reason = redacted(`webhook ${hook.name}: ${answer.reason}, after ${tries}`, hook);
    if (!answer.again || attempt >= hook.retries || signal.aborted) return { ok: false, reason };
    try {
      await sleep(backoffMs * 2 ** attempt, undefined, { signal, ref: false });
    } catch {
      return { ok: false, reason };
    }
  }
}

type Answer = { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly again: boolean };

async function once({ url, token, timeoutMs }: Hook, body: string, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "ballast",
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      body,
      // A different host must not receive the token.
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    // Only the status matters; an endless body is not awaited.
    void response.body?.cancel().catch(() => {});
    if (response.ok) return { ok: true };
    const { status } = response;
    const again = status >= 500 || status === 408 || status === 425 || status === 429;
    return { ok: false, reason: `it answered ${status}`, again };
  } catch (error) {
    if (signal.aborted) return { ok: false, reason: "the program ended before it answered", again: false };
    if ((error as Error).name === "TimeoutError")
      return { ok: false, reason: `no answer within ${timeoutMs} ms`, again: true };
    const { cause } = error as Error;
    return { ok: false, reason: (cause as { code?: string } | undefined)?.code ?? messageOf(error), again: true };
  }
}

/** The text without the address, its possibly secret parts, and the token. */
function redacted(text: string, { url, token }: Hook): string {
  const { pathname, search, host } = new URL(url);
  const secrets = [url, token ?? "", pathname, search, host];
  return secrets
    .filter((secret) => secret.length > 3)
    .sort((a, b) => b.length - a.length)
    .reduce((left, secret) => left.replaceAll(secret, "[redacted]"), text);
}
