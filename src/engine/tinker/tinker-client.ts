/**
 * A client of Tinker's protocol over HTTP: requests that are tried again where that may help, futures, a session with its heartbeat. Every operation is
 * two requests: one that submits it and one, repeated, that waits for its result.
 */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { setTimeout as pauseFor } from "node:timers/promises";
import { EngineError, messageOf, UsageError } from "../../util/errors.ts";

/** The SDK whose requests these are: servers ask for a version, and some refuse old ones. */
const sdkVersion = "0.38.0";
const protobufType = "application/x-protobuf";
/** The SDK's: a server ends a session's models after some minutes of silence (SkyRL: 300 s). */
const heartbeatEvery = 10_000;
/** The SDK's limit for one request, in milliseconds without a byte; one that waits for a result counts as still pending after it. */
const requestLimit = 45_000;
/** A server that holds a question for a result until it knows more is asked again at once; one that answers sooner than this, after a growing pause. */
const promptly = 1000;
/** The SDK's limits of one request, for servers that name none: sequences, and its estimated bytes. */
export const defaultLimits: PassLimits = { sequences: 1024, bytes: 5_000_000 };
/** Requests in flight at once. */
const mostAtOnce = 32;
/** How often an operation is submitted again because the server has dropped its result; if it drops more, something is wrong with it. */
const mostDropped = 3;
/** Milliseconds until an idle connection is closed: servers do so after five seconds (uvicorn's default). */
const idleLimit = 4000;

export interface ClientOptions {
  readonly url: string;
  /** Sent as `X-API-Key`; kept nowhere else. */
  readonly key?: string | undefined;
  /** The name of the variable that holds the key, for messages. */
  readonly keyEnv?: string | undefined;
  /** Receives a sentence when the server keeps one waiting. */
  readonly onNote?: (text: string) => void;
  /** Milliseconds in which a server that does not answer is asked again: 2 minutes by default, and 5 s at the start. */
  readonly patience?: number;
  /** Milliseconds without any result after which a waiting operation counts as lost: 30 minutes by default, for a compilation or a long rollout. */
  readonly resultLimit?: number;
  /** Milliseconds between two signs of life: 10 s by default. */
  readonly heartbeat?: number;
  /** Milliseconds without a byte after which a request is given up: 45 s by default. */
  readonly requestLimit?: number;
}

/** What one request may hold: sequences, and its bytes as the SDK estimates them. */
export interface PassLimits {
  readonly sequences: number;
  readonly bytes: number;
}

/** The result of an operation: JSON, or the bytes of a protobuf message. */
export type FutureResult = { readonly json: Readonly<Record<string, unknown>> } | { readonly bytes: Uint8Array };

/** A submitted operation. */
export interface Submitted {
  /** Of its future. */
  readonly id: string;
  /** The model that it makes, if the server says so at once. */
  readonly model: string | null;
  readonly urgent: boolean;
  /** Submits the same once more: the server has dropped the future. */
  again(): Promise<Submitted>;
}

export interface Urgency {
  /** Whether it waits for no other request, and is sent until the client is closed: what makes models and frees their slots. */
  readonly urgent?: boolean;
}

/** A server's refusal, with its status. */
export class ServerRefusal extends EngineError {
  readonly status: number;

  constructor(message: string, status: number, hint?: string) {
    super(message, hint);
    this.status = status;
  }
}

/** What an operation needs is not on the server. */
export class ModelGone extends EngineError {}

const toGoOn =
  "Nothing is lost but the steps since the last checkpoint, which the server keeps: start the server with the same checkpoints and database, then continue with: ballast resume RUN";

const otherVersion =
  "It speaks a different version of the protocol: docs/engines.md names the versions that were tried.";

export class TinkerClient {
  readonly #options: ClientOptions;
  readonly #base: string;
  readonly #closing = new AbortController();
  /** Not fetch: its streams take twice the processor's time for large bodies. */
  readonly #http: typeof http | typeof https;
  readonly #agent: http.Agent;
  #session: string | null = null;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Why the session is over, so that only urgent requests are sent; null while it is not. */
  #ended: EngineError | null = null;
  /** A short-lived token in place of the key, and when it ends, in milliseconds. */
  #token: { readonly text: string; readonly ends: number } | null = null;
  #exchangesTokens = false;
  /** The exchange under way. */
  #exchange: Promise<string> | null = null;
  #limits = defaultLimits;
  #patience: number;
  #lastResult = Date.now();
  #inFlight = 0;
  readonly #waiting: { readonly go: () => void; readonly stop: (why: EngineError) => void }[] = [];
  /** Milliseconds in which at least one request was in flight. */
  busy = 0;
  #busySince = 0;

  private constructor(options: ClientOptions) {
    this.#options = options;
    this.#base = options.url.replace(/\/+$/, "");
    this.#http = /^https:/i.test(this.#base) ? https : http;
    this.#agent = new this.#http.Agent({ keepAlive: true, timeout: idleLimit });
    this.#patience = Math.min(5000, options.patience ?? 5000);
    // One for each request in flight.
    setMaxListeners(0, this.#closing.signal);
  }

  /**
   * Opens a session. Throws UsageError for an address without such a server or a key that is refused.
   *
   * @example
   * const client = await TinkerClient.open({ url: "http://127.0.0.1:8000" });
   * await client.close();
   */
  static async open(options: ClientOptions): Promise<TinkerClient> {
    const client = new TinkerClient(options);
    try {
      await client.#begin();
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  async #begin(): Promise<void> {
    const { url } = this.#options;
    const notThis = (cause: unknown) =>
      new UsageError(
        `${url} answers, but not as a server of Tinker's protocol: ${messageOf(cause)}`,
        "engine.url is the server's address up to what comes before /api/v1, such as http://127.0.0.1:8000; servers older than protobuf or newer than this client are named in docs/engines.md.",
        { cause },
      );
    try {
      const config = await this.post("client/config", { sdk_version: sdkVersion });
      this.#exchangesTokens = config.pjwt_auth_enabled === true && this.#options.key?.startsWith("eyJ") === false;
      this.#limits = limitsOf(config);
      const session = await this.post("create_session", {
        ...{ tags: ["ballast"], user_metadata: {}, sdk_version: sdkVersion, type: "create_session" },
      });
      const { session_id: id, error_message: refused, warning_message: warned } = session;
      if (typeof refused === "string" && refused !== "")
        throw new UsageError(`${url} begins no session: ${refused}`, "What it says is the server's own words.");
      if (typeof warned === "string" && warned !== "") this.#options.onNote?.(`the server says: ${warned}`);
      if (typeof id !== "string") throw new EngineError("it began no session");
      this.#session = id;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      if (error instanceof Unreachable)
        throw new UsageError(error.message, "Start it, or correct engine.url.", { cause: error });
      // It speaks the protocol, or something before it does, and cannot serve now.
      if (error instanceof ServerRefusal && (isPassing(error) || error.status === 402)) throw error;
      throw notThis(error);
    }
    this.#patience = this.#options.patience ?? 120_000;
    // SkyRL never ends a session that has not had one: a client killed in its first seconds would hold its slots for ever.
    await this.#beat();
    this.#heartbeat = setInterval(() => void this.#beat(), this.#options.heartbeat ?? heartbeatEvery);
    this.#heartbeat.unref();
  }

  get session(): string {
    return this.#session!;
  }

  /** What one request may hold. */
  get limits(): PassLimits {
    return this.#limits;
  }

  async #beat(): Promise<void> {
    try {
      await this.#once("POST", "session_heartbeat", {
        body: JSON.stringify({ session_id: this.session, type: "session_heartbeat" }),
      });
    } catch (error) {
      // A server that does not answer just now is found out by the next request.
      if (error instanceof ServerRefusal && error.status === 404)
        this.#ended = new EngineError(
          "the session has expired on the server, which has dropped its models: it heard nothing from this process for minutes, or was started anew",
          toGoOn,
        );
    }
  }

  /** Sends JSON and returns JSON, and tries again what may pass. */
  async post(path: string, body: object): Promise<Readonly<Record<string, unknown>>> {
    return this.#request("POST", path, { body: JSON.stringify(body) });
  }

  async get(path: string): Promise<Readonly<Record<string, unknown>>> {
    return this.#request("GET", path, {});
  }

  /** Waits for no other request. */
  async delete(path: string): Promise<void> {
    await this.#request("DELETE", path, {}, { urgent: true });
  }

  /** Submits an operation. `write` gives it as JSON or as a protobuf message, once more if it has to be submitted again. */
  async submit(path: string, write: () => object | Uint8Array, { urgent = false }: Urgency = {}): Promise<Submitted> {
    const body = write();
    const content = body instanceof Uint8Array ? { body, contentType: protobufType } : { body: JSON.stringify(body) };
    const answer = await this.#request("POST", path, content, { urgent });
    const { request_id: id, model_id: model } = answer;
    if (typeof id !== "string")
      throw new EngineError(`the server took ${path} and gave no request_id: it speaks a different version`, toGoOn);
    const again = () => this.submit(path, write, { urgent });
    return { id, model: typeof model === "string" ? model : null, urgent, again };
  }

  /** Waits for the result of a submitted operation. `what` is its name for messages. */
  async result(submitted: Submitted, what: string): Promise<FutureResult> {
    const limit = this.#options.resultLimit ?? 30 * 60_000;
    const begun = Date.now();
    let noted = false;
    let { id } = submitted;
    let dropped = 0;
    for (let asked = 1, pause = 10; ; asked++) {
      const sent = Date.now();
      const answer = await this.#retried(() => this.#poll(id, { what, asked }), submitted);
      if ("dropped" in answer) {
        if (++dropped > mostDropped)
          throw new EngineError(
            `the server has dropped the result of ${what} ${dropped} times (410), and each time it was asked for the work again`,
            `See the server's log. ${toGoOn}`,
          );
        id = (await submitted.again()).id;
        asked = 0;
        continue;
      }
      if (!("pending" in answer)) {
        this.#lastResult = Date.now();
        return answer;
      }
      const silent = Date.now() - Math.max(begun, this.#lastResult);
      if (!noted && silent > 60_000) {
        noted = true;
        const why = answer.pending || "it compiles what it sees for the first time";
        this.#options.onNote?.(`the server has worked on ${what} for a minute; ${why}`);
      }
      if (silent > limit)
        throw new EngineError(
          `the server has finished nothing for ${Math.round(limit / 60_000)} minutes, and ${what} waits: its engine may have ended while its front still answers`,
          `Look at the server's log and start it again. ${toGoOn}`,
        );
      if (Date.now() - sent < promptly) {
        await this.#pause(pause);
        pause = Math.min(2 * pause, promptly);
      }
    }
  }

  /** The result, or while it is pending the reason that the server gives, if any, or that the server has dropped it. */
  async #poll(
    id: string,
    { what, asked }: { readonly what: string; readonly asked: number },
  ): Promise<FutureResult | { readonly pending: string } | { readonly dropped: true }> {
    let reply: Reply;
    try {
      reply = await this.#send("POST", "retrieve_future", {
        body: JSON.stringify({ request_id: id, allow_metadata_only: false }),
        headers: { accept: protobufType, "x-tinker-request-iteration": String(asked) },
      });
    } catch (error) {
      if (error instanceof TookTooLong) return { pending: "" };
      throw error;
    }
    const { status, type, bytes } = reply;
    if (status === 408) return { pending: reasonOf(bytes.toString()) };
    // The protocol's word for a result that the server no longer has, and would compute again.
    if (status === 410) return { dropped: true };
    if (status === 404)
      throw new EngineError(
        `the server does not know the operation ${what} any more (404): it was started anew, or has dropped the result`,
        toGoOn,
      );
    if (status === 400) throw failed(what, detailOf(bytes.toString()));
    this.#check(reply, `the result of ${what}`);
    if (type.includes(protobufType)) return { bytes };
    const json = jsonOf(reply, `the result of ${what}`);
    if (json.type === "try_again") return { pending: reasonOf(bytes.toString()) };
    if (typeof json.error === "string") throw failed(what, json.error);
    return { json };
  }

  /** From now on only urgent requests are sent: what waits for its turn fails, what is in flight may end. */
  drain(): void {
    this.#ended ??= new EngineError("the engine is closed");
    for (const { stop } of this.#waiting.splice(0)) stop(this.#ended);
  }

  /** Ends the heartbeat and every wait: nothing is sent any more. The server ends the session by itself. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.drain();
    this.#closing.abort();
    this.#agent.destroy();
  }

  async #request(
    method: string,
    path: string,
    content: Content,
    urgency: Urgency = {},
  ): Promise<Readonly<Record<string, unknown>>> {
    // The same for every attempt, so that a server that knows it does the work once.
    const once = { "x-idempotency-key": `ballast-${randomUUID()}` };
    return this.#retried(
      (tries) =>
        this.#once(method, path, { ...content, headers: { ...once, "x-stainless-retry-count": String(tries) } }),
      urgency,
    );
  }

  /**
   * Tries again after a timeout, a full queue, a server's own failure or a lost connection, and after nothing else. Patience is counted from the first
   * failure, without the time in which an attempt waits for other requests.
   */
  async #retried<Answer>(
    attempt: (tries: number) => Promise<Answer>,
    { urgent = false }: Urgency = {},
  ): Promise<Answer> {
    for (let tries = 0, failing = 0; ; tries++) {
      if (!urgent) await this.#enter();
      const sent = Date.now();
      try {
        this.#checkOpen(urgent);
        return await attempt(tries);
      } catch (error) {
        this.#checkOpen(urgent);
        if (tries > 0) failing += Date.now() - sent;
        if (!isPassing(error) || failing > this.#patience) throw error;
        if (tries === 1) this.#options.onNote?.(`${messageOf(error)}; trying again`);
      } finally {
        if (!urgent) this.#leave();
      }
      const pause = Math.min(500 * 2 ** tries, 10_000);
      await this.#pause(pause);
      failing += pause;
    }
  }

  /** Throws why nothing is sent any more, or nothing that is not urgent. */
  #checkOpen(urgent: boolean): void {
    if (this.#ended && !(urgent && !this.#closing.signal.aborted)) throw this.#ended;
  }

  /** Ends early when the client closes. */
  async #pause(milliseconds: number): Promise<void> {
    await pauseFor(milliseconds, undefined, { signal: this.#closing.signal }).catch(() => {});
  }

  async #once(method: string, path: string, content: Content): Promise<Readonly<Record<string, unknown>>> {
    const reply = await this.#send(method, path, content);
    this.#check(reply, path);
    return reply.status === 204 ? {} : jsonOf(reply, path);
  }

  /** Throws what a status that is not a success means. */
  #check({ status, bytes }: Reply, what: string): void {
    if (status >= 200 && status < 300) return;
    const detail = detailOf(bytes.toString());
    const { url, keyEnv } = this.#options;
    if (status === 401 || status === 403) {
      const key = keyEnv === undefined ? "no key was sent" : `the key in ${keyEnv} was refused`;
      const says = `${url} does not let this client in (${status}): ${key}${detail && `; ${detail}`}`;
      const remedy = "engine.keyEnv names the environment variable that holds the key; put a valid one in it, then";
      if (this.#session === null) throw new UsageError(says, `${remedy} start or resume again.`);
      throw new ServerRefusal(
        says,
        status,
        `${remedy} continue with: ballast resume RUN. Nothing is lost but the steps since the last checkpoint.`,
      );
    }
    if (status === 402)
      throw new ServerRefusal(`the service asks for payment (402): ${detail}`, status, `Settle it there. ${toGoOn}`);
    if (status === 415 || status === 422)
      throw new ServerRefusal(
        `the server does not read ${what} as this client writes it (${status}): ${detail}`,
        status,
        otherVersion,
      );
    throw new ServerRefusal(`the server answered ${what} with ${status}${detail && `: ${detail}`}`, status, toGoOn);
  }

  async #send(method: string, path: string, content: Content): Promise<Reply> {
    const { withKey = false } = content;
    const key = withKey ? this.#options.key : await this.#keyToSend();
    const reply = await this.#sendWith(key, { method, path, content });
    if (reply.status !== 401 || withKey || !this.#exchangesTokens) return reply;
    // A token may end before its time, and a new one is had for the key.
    if (this.#token?.text === key) this.#token = null;
    return this.#sendWith(await this.#keyToSend(), { method, path, content });
  }

  async #sendWith(
    key: string | undefined,
    { method, path, content }: { readonly method: string; readonly path: string; readonly content: Content },
  ): Promise<Reply> {
    const { body, contentType, headers } = content;
    // A signal that was given earlier calls no listener: what waited for a token until now would still be sent.
    this.#checkOpen(true);
    let release = () => {};
    try {
      return await new Promise<Reply>((resolve, reject) => {
        const request = this.#http.request(`${this.#base}/api/v1/${path}`, {
          method,
          agent: this.#agent,
          headers: {
            ...(body !== undefined && { "content-type": contentType ?? "application/json" }),
            ...(key !== undefined && { "x-api-key": key }),
            ...headers,
          },
        });
        const { requestLimit: limit = requestLimit } = this.#options;
        const timer = setTimeout(() => request.destroy(new TookTooLong(limit)), limit);
        const leave = () => request.destroy(this.#ended ?? new EngineError("the engine is closed"));
        this.#closing.signal.addEventListener("abort", leave, { once: true });
        release = () => {
          clearTimeout(timer);
          this.#closing.signal.removeEventListener("abort", leave);
        };
        request.on("error", reject);
        request.on("response", (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => {
            parts.push(part);
            timer.refresh();
          });
          response.on("error", reject);
          response.on("end", () => {
            const type = response.headers["content-type"] ?? "";
            resolve({ status: response.statusCode!, type, bytes: Buffer.concat(parts) });
          });
        });
        request.end(body);
      });
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw new Unreachable(this.#options.url, error);
    } finally {
      release();
    }
  }

  async #enter(): Promise<void> {
    this.#checkOpen(false);
    if (this.#inFlight >= mostAtOnce) await new Promise<void>((go, stop) => this.#waiting.push({ go, stop }));
    else if (this.#inFlight++ === 0) this.#busySince = performance.now();
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next.go();
    else if (--this.#inFlight === 0) this.busy += performance.now() - this.#busySince;
  }

  /** The key, or the token that the service gives for it, renewed five minutes before it ends. */
  async #keyToSend(): Promise<string | undefined> {
    const { key } = this.#options;
    if (key === undefined || !this.#exchangesTokens) return key;
    if (this.#token && Date.now() < this.#token.ends - 300_000) return this.#token.text;
    // One exchange for all requests that wait for it.
    this.#exchange ??= this.#exchanged().finally(() => {
      this.#exchange = null;
    });
    return this.#exchange;
  }

  async #exchanged(): Promise<string> {
    const { jwt } = await this.#once("POST", "auth/token", { body: "{}", withKey: true });
    const ends = typeof jwt === "string" ? endOf(jwt) : null;
    if (typeof jwt !== "string" || ends === null)
      throw new EngineError("the service gave no token that this client reads for the key", otherVersion);
    this.#token = { text: jwt, ends };
    return jwt;
  }
}

interface Content {
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the key itself is sent, not the token that the service gave for it. */
  readonly withKey?: boolean;
}

/** A server's answer, whole. */
interface Reply {
  readonly status: number;
  /** The Content-Type; empty without one. */
  readonly type: string;
  readonly bytes: Buffer;
}

class TookTooLong extends EngineError {
  constructor(limit: number) {
    super(`the server did not answer within ${limit / 1000} s`, toGoOn);
  }
}

class Unreachable extends EngineError {
  constructor(url: string, error: unknown) {
    super(
      `the server at ${url} cannot be reached (${(error as { code?: string }).code ?? messageOf(error)})`,
      `Start it, or correct engine.url. ${toGoOn}`,
      {
        cause: error,
      },
    );
  }
}

/** Whether a request that failed so may succeed later. */
function isPassing(error: unknown): boolean {
  if (error instanceof Unreachable || error instanceof TookTooLong) return true;
  // 425: a state that the server is still writing.
  return error instanceof ServerRefusal && ([408, 425, 429].includes(error.status) || error.status >= 500);
}

/** The limits that a server names, each at most the SDK's own. */
function limitsOf({
  fwdbwd_max_chunk_len: sequences,
  fwdbwd_max_chunk_bytes_count: bytes,
}: Readonly<Record<string, unknown>>): PassLimits {
  const least = (named: unknown, own: number) => (typeof named === "number" && named >= 1 ? Math.min(named, own) : own);
  return {
    sequences: Math.floor(least(sequences, defaultLimits.sequences)),
    bytes: least(bytes, defaultLimits.bytes),
  };
}

/** When a token ends, in milliseconds; null if it does not say. */
function endOf(jwt: string): number | null {
  try {
    const { exp } = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()) as { exp?: unknown };
    return typeof exp === "number" ? 1000 * exp : null;
  } catch {
    return null;
  }
}

/** Why a result is not there yet, if the server says; empty if it does not. */
function reasonOf(text: string): string {
  try {
    const { queue_state_reason: reason, queue_state: state } = JSON.parse(text) as Record<string, unknown>;
    if (typeof reason === "string" && reason !== "") return `it says: ${reason.slice(0, 300)}`;
    return typeof state === "string" && state !== "active" ? `its queue is ${state}` : "";
  } catch {
    return "";
  }
}

function jsonOf({ bytes }: Reply, what: string): Record<string, unknown> {
  try {
    return JSON.parse(bytes.toString()) as Record<string, unknown>;
  } catch (error) {
    throw new EngineError(`the server's answer to ${what} is not JSON`, otherVersion, { cause: error });
  }
}

/** What the server says is wrong, short: a refusal repeats the whole request. */
function detailOf(text: string): string {
  const cut = (words: string) => (words.length > 300 ? `${words.slice(0, 300)}...` : words);
  try {
    const { detail, error } = JSON.parse(text) as { detail?: unknown; error?: unknown };
    if (Array.isArray(detail))
      return cut(
        detail
          .slice(0, 3)
          .map(({ loc, msg }: { loc?: unknown[]; msg?: string }) => `${loc?.join(".") ?? ""} ${msg ?? ""}`.trim())
          .join("; "),
      );
    return cut(String(detail ?? error ?? text));
  } catch {
    return cut(text.trim());
  }
}

/** An operation that failed on the server. */
function failed(what: string, detail: string): EngineError {
  if (/Maximum number of LoRA adapters/i.test(detail))
    return new EngineError(
      `the server has no adapter slot left: ${detail}`,
      "A run needs one for the policy and one for the reference, and SkyRL keeps one for the base model: start it with max_lora_adapters of at least 3. A client that was killed holds its slots until its session expires, after about five minutes; a model whose name was lost with the answer to create_model holds one until its run has been over for as long.",
    );
  if (/not loaded|not found/i.test(detail))
    return new ModelGone(
      `the server does not have what ${what} needs any more: ${detail}`,
      `It was started anew, or its session ended. ${toGoOn}`,
    );
  return new EngineError(`the server failed at ${what}: ${detail}`, `See the server's log. ${toGoOn}`);
}
