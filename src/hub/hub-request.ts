/** Requests to the Hub: the token goes to the Hub's own address only, what may pass is tried again, and a refusal becomes a sentence. */
import { setTimeout as pauseFor } from "node:timers/promises";
import { HubError, messageOf } from "../util/errors.ts";
import { version } from "../util/own-version.ts";
import { remedyFor } from "../util/system-faults.ts";
import type { HubReference } from "./hub-reference.ts";
import type { HubSettings } from "./hub-settings.ts";

export interface Asking extends HubSettings {
  /** What is asked for, for messages. */
  readonly reference: HubReference;
  readonly signal?: AbortSignal | undefined;
  /** Called before a request is tried again. */
  readonly onRetry?: (why: string) => void;
  /** Waits some milliseconds; a test need not. */
  readonly pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** Pauses before a further attempt, in milliseconds; `huggingface_hub` tries five times with such pauses, too. */
const pauses = [1000, 2000, 4000, 8000, 8000];
/** Longest pause that a Hub may ask for with Retry-After: its limits are per 5 minutes. */
const longestPause = 300_000;
/** Milliseconds for an answer to begin. */
const answerLimit = 30_000;
const mostRedirects = 8;

/** The pause before attempt number `tries`; null if there were enough. */
export function pauseBefore(tries: number): number | null {
  return pauses[tries] ?? null;
}

/**
 * Sends a GET request and returns the answer, whose status is 2xx or 416.
 * @throws HubError if the Hub refuses or cannot be reached; the signal's reason once it is aborted
 */
export async function get(url: string, headers: Readonly<Record<string, string>>, asking: Asking): Promise<Response> {
  for (let tries = 0; ; tries++) {
    let failure: HubError;
    let wait = pauses[tries];
    try {
      const answer = await followed(url, headers, asking);
      if (answer.ok || answer.status === 416) return answer;
      failure = await refusal(answer, asking);
      if (answer.status !== 429 && answer.status < 500 && answer.status !== 408) throw failure;
      const asked = 1000 * Number(answer.headers.get("retry-after"));
      if (wait !== undefined && asked > 0) wait = Math.min(asked, longestPause);
    } catch (error) {
      asking.signal?.throwIfAborted();
      if (error instanceof HubError) throw error;
      failure = unreachable(error, asking);
      // A name that is not known or a port where nobody listens does not change within seconds.
      if (/ENOTFOUND|ECONNREFUSED|CERT|SELF_SIGNED/.test(codeOf(error)) && tries > 0) throw failure;
    }
    if (wait === undefined) throw failure;
    asking.onRetry?.(`${failure.message}; trying again in ${Math.ceil(wait / 1000)} s`);
    await (asking.pause ?? defaultPause)(wait, asking.signal);
  }
}

async function defaultPause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await pauseFor(milliseconds, undefined, { signal });
}

/** Follows redirects by hand: a signed address of a content network must not see the token, and a redirect must not lead to a file or a plain socket. */
async function followed(url: string, headers: Readonly<Record<string, string>>, asking: Asking): Promise<Response> {
  const { endpoint, token, signal } = asking;
  const own = new URL(endpoint);
  let place = new URL(url);
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const trusted = place.origin === own.origin;
    const limit = AbortSignal.timeout(answerLimit);
    const begun = new AbortController();
    const stop = () => begun.abort(signal?.aborted ? signal.reason : limit.reason);
    for (const one of [limit, signal]) one?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    let answer: Response;
    try {
      answer = await fetch(place, {
        redirect: "manual",
        // Once the answer has begun, only the caller's signal ends it.
        signal: begun.signal,
        headers: {
          ...headers,
          "user-agent": `ballast/${version()}; node/${process.versions.node}`,
          ...(trusted && token !== null && { authorization: `Bearer ${token}` }),
        },
      });
    } finally {
      limit.removeEventListener("abort", stop);
    }
    const to = answer.headers.get("location");
    if (answer.status < 300 || answer.status >= 400 || to === null) return answer;
    await answer.body?.cancel();
    const next = new URL(to, place);
    if (next.protocol !== "https:" && next.protocol !== own.protocol)
      throw new HubError(`${place.host} sends the request on to ${next.protocol}//, which is not followed`);
    place = next;
  }
  throw new HubError(`${own.host} sends the request on in a circle`, "Check HF_ENDPOINT.");
}

/** What the Hub's refusal means, in a sentence with what to do. It has a cause if the Hub may answer later, so that the cache can do until then. */
async function refusal(answer: Response, { endpoint, token, reference }: Asking): Promise<HubError> {
  const { status, headers } = answer;
  const passing = new Error(`status ${status}`);
  const said = headers.get("x-error-message") ?? "";
  const code = headers.get("x-error-code") ?? "";
  await answer.body?.cancel();
  const { type, id, revision, file } = reference;
  const what = type === "dataset" ? "data set" : "model";
  const page = `${endpoint}/${type === "dataset" ? "datasets/" : ""}${id}`;
  const settings = `${endpoint}/settings/tokens`;
  if (code === "GatedRepo")
    return new HubError(
      `the ${what} ${id} is gated: its owner wants its terms accepted first`,
      token === null
        ? `Accept them at ${page}, then set HF_TOKEN to a token of yours from ${settings}.`
        : `Accept them at ${page} with the account that your token belongs to; some owners answer by hand.`,
    );
  if (code === "RevisionNotFound")
    return new HubError(
      `the ${what} ${id} has no revision ${revision ?? "main"}`,
      `Its branches and commits: ${page}/commits`,
    );
  if (code === "EntryNotFound")
    return new HubError(`the ${what} ${id} has no file ${file}`, `Its files: ${page}/tree/${revision ?? "main"}`);
  if (status === 401 && token !== null && !/repo/i.test(code))
    return new HubError(`the Hub does not know the token in HF_TOKEN`, `Make a new one at ${settings}, or unset it.`);
  if (status === 401 || status === 404)
    return new HubError(
      `there is no ${what} ${id}${token === null ? ", or it is private" : " that your token may see"}`,
      `Check the spelling.${token === null ? ` If it is private, set HF_TOKEN to a token from ${settings}.` : ""}`,
    );
  if (status === 403)
    return new HubError(
      `the Hub refuses the ${what} ${id}: ${said || "forbidden"}`,
      `Look at ${page}; your token may lack a right: ${settings}`,
    );
  if (status === 429)
    return new HubError(
      "the Hub says that there were too many requests",
      "Wait some minutes, then give the same command again: what has come is kept. A token (HF_TOKEN) raises the limit.",
      { cause: passing },
    );
  return new HubError(
    `the Hub answered ${status}${said === "" ? "" : `: ${said}`}`,
    status >= 500 ? "It has trouble: try again later. What has come is kept." : undefined,
    status >= 500 ? { cause: passing } : undefined,
  );
}

/** A failure of the network as a HubError. */
export function unreachable(error: unknown, { endpoint }: Pick<Asking, "endpoint">): HubError {
  const { host } = new URL(endpoint);
  const why = (error as Error).name === "TimeoutError" ? `no answer for ${answerLimit / 1000} s` : causeOf(error);
  const proxy = process.env.HTTPS_PROXY ?? process.env.https_proxy;
  return new HubError(
    `${host} cannot be reached: ${why}`,
    proxy !== undefined && proxy !== "" && process.env.NODE_USE_ENV_PROXY !== "1"
      ? "HTTPS_PROXY is set, which Node 24 uses if NODE_USE_ENV_PROXY=1 is set, too."
      : (remedyFor(error) ?? "Check the network, then give the same command again: what has come is kept."),
    { cause: error },
  );
}

/** The innermost message: that of fetch itself is "fetch failed". */
function causeOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? causeOf(cause) : messageOf(error) || codeOf(error);
}

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return typeof code === "string" && code !== "" ? code : cause instanceof Error ? codeOf(cause) : "";
}
