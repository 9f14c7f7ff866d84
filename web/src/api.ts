/** Sends requests to the server, or in an exported page reads the data in the file. */
import type { Changed, Num, Problem, RunsAnswer, Version } from "../../src/types/page.ts";
import { hashOf, parseHash, type Query } from "./router.ts";

const tokenName = "ballast-token";
const operatorKey = "ballast-operator";

/** Exported pages contain their answers: an object from `answerKey` to the answer. */
const embedded = readEmbedded();

/** Whether this page is a file, without a server. */
export const isFile = embedded !== null;

/** The run of an exported page; null in a page with a server. */
export function runOfFile(): string | null {
  const runs = embedded?.["/api/runs"] as RunsAnswer | undefined;
  return runs?.runs[0]?.id ?? null;
}

/** A failed request, in the server's words. */
export class ApiError extends Error {
  readonly status: number;
  readonly hint: string | undefined;

  constructor({ error, hint }: Problem, status: number) {
    super(error);
    this.status = status;
    this.hint = hint;
  }
}

/** Keeps the token, which comes only once, in the printed address: a second tab has it too. */
export function takeToken(): void {
  const { path, query } = parseHash(location.hash);
  const { token, ...rest } = query;
  if (token === undefined) return;
  localStorage.setItem(tokenName, token);
  history.replaceState(null, "", hashOf(path, rest));
  // The router read the address earlier.
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function authorization(): Record<string, string> {
  const token = localStorage.getItem(tokenName);
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** The operator's name for the record, kept in this browser; empty: the server records its own user. */
export function operatorName(): string {
  return localStorage.getItem(operatorKey) ?? "";
}

export function setOperatorName(name: string): void {
  if (name.trim() === "") localStorage.removeItem(operatorKey);
  else localStorage.setItem(operatorKey, name.trim());
}

function operatorHeader(): Record<string, string> {
  return operatorName() === "" ? {} : { "ballast-operator": encodeURIComponent(operatorName()) };
}

/** Requests an answer. Throws ApiError, with status 0 if the server does not respond. */
export async function get<Answer>(
  path: string,
  query: Query = {},
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Answer> {
  if (embedded !== null) return fromFile<Answer>(path, query);
  const headers = { ...authorization(), ...operatorHeader() };
  const response = await reach(addressOf(path, query), { headers, ...(signal && { signal }) });
  return (await response.json()) as Answer;
}

/** Sends a request that is answered in lines of JSON, and calls `onLine` with each. Throws ApiError; an aborted one ends quietly. */
export async function postLines<Line>(
  path: string,
  body: unknown,
  { onLine, signal }: { readonly onLine: (line: Line) => void; readonly signal: AbortSignal },
): Promise<void> {
  const headers = { ...authorization(), "content-type": "application/json" };
  try {
    const response = await reach(path, { method: "POST", headers, body: JSON.stringify(body), signal });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const lines = (rest + read.value).split("\n");
      rest = lines.pop()!;
      for (const line of lines) onLine(JSON.parse(line) as Line);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError) throw error;
    throw new ApiError({ error: "The answer broke off.", hint: "Is `ballast serve` still running?" }, 0);
  }
}

export interface PostOptions {
  /** The version that the user saw before deciding. */
  readonly version?: Version;
}

/** Changes something exactly once: a repetition on a bad connection does nothing. */
export async function post<Answer = Changed>(
  path: string,
  body: unknown,
  { version }: PostOptions = {},
): Promise<Answer> {
  if (isFile)
    throw new ApiError(
      { error: "This page is a file: no server is behind it.", hint: "Open the run with `ballast serve`." },
      0,
    );
  const headers = {
    ...authorization(),
    ...operatorHeader(),
    "content-type": "application/json",
    "idempotency-key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    ...(version !== undefined && { "if-match": JSON.stringify(version) }),
  };
  const request = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await reach(path, request).catch((error: ApiError) => {
    if (error.status !== 0) throw error;
    return reach(path, request);
  });
  return (await response.json()) as Answer;
}

export function addressOf(path: string, query: Query = {}): string {
  const words = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(words.map(([key, value]) => [key, String(value)])).toString();
  return path + (search && `?${search}`);
}

/** A number from an answer, in which values that JSON cannot express are words. */
export function numberOf(value: Num): number {
  return typeof value === "number" ? value : Number(value);
}

async function reach(address: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, init);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError({ error: "The server does not answer.", hint: "Is `ballast serve` still running?" }, 0);
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => null)) as Problem | null;
  throw new ApiError(problem ?? { error: `The server answered ${response.status}.` }, response.status);
}

/**
 * The key of an answer in a file: the path, and the parameters that choose the answer, in alphabetical order. A file has all keys and all iterations
 * of a series, which are selected here.
 */
export function answerKey(path: string, query: Query): string {
  const words = Object.entries(query).filter(
    ([key, value]) =>
      value !== undefined && value !== "" && !["keys", "from", "to", "points", "lead", "limit"].includes(key),
  );
  return addressOf(path, Object.fromEntries(words.sort(([a], [b]) => (a < b ? -1 : 1))));
}

function fromFile<Answer>(path: string, query: Query): Answer {
  const key = answerKey(path, query);
  if (!Object.hasOwn(embedded!, key))
    throw new ApiError(
      { error: "This is not in the exported file.", hint: "Open the run with `ballast serve` to see it." },
      404,
    );
  return embedded![key] as Answer;
}

function readEmbedded(): Record<string, unknown> | null {
  const text = document.getElementById("ballast-data")?.textContent;
  return text ? (JSON.parse(text) as Record<string, unknown>) : null;
}
