/** A Hub on loopback, with what a download needs of its interface, and a second address for large files as its content network. Tests only. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubFile {
  readonly content: Buffer;
  /** Kept as a large file: named by SHA-256 and served by the content network. */
  readonly large?: boolean;
}

export interface HubRepository {
  readonly type: "model" | "dataset";
  readonly id: string;
  /** Files by commit. */
  readonly commits: Readonly<Record<string, Readonly<Record<string, HubFile>>>>;
  /** Commits by branch. */
  readonly branches: Record<string, string>;
  readonly gated?: boolean;
  readonly private?: boolean;
}

export interface Asked {
  readonly host: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

/** What goes wrong with large files, each until it is changed back. */
export interface Trouble {
  /** Ends the connection after so many bytes of an answer. */
  cutAfter?: number | undefined;
  /** Serves other bytes of the same length. */
  wrongBytes?: boolean;
  /** Ignores ranges. */
  noRanges?: boolean;
  /** Answers every request to the Hub with this status. */
  status?: number | undefined;
  /** Sends no byte after this many. */
  stallAfter?: number | undefined;
}

export interface HubServer {
  readonly endpoint: string;
  readonly asked: Asked[];
  readonly trouble: Trouble;
  close(): Promise<void>;
}

export const goodToken = "hf_good";

export async function startHub(
  repositories: readonly HubRepository[],
  { pageSize = 3 }: { pageSize?: number } = {},
): Promise<HubServer> {
  const asked: Asked[] = [];
  const trouble: Trouble = {};
  const bytesOfBlob = new Map<string, Buffer>();
  const note = (host: Asked["host"], { method = "", url = "", headers }: IncomingMessage) =>
    asked.push({ host, method, path: url, authorization: headers.authorization, range: headers.range });

  const cdn = createServer((request, answer) => {
    note("cdn", request);
    const blob = request.url!.slice(1);
    send(request, answer, bytesOfBlob.get(blob)!, { etag: `"cdn-${blob.slice(0, 8)}"` });
  });
  const send = (
    request: IncomingMessage,
    answer: ServerResponse,
    whole: Buffer,
    headers: Record<string, string | number>,
  ) => {
    const from = trouble.noRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (from >= whole.length && whole.length > 0)
      return void answer.writeHead(416, { "content-range": `bytes */${whole.length}` }).end();
    const content = trouble.wrongBytes ? Buffer.from(whole.map((byte) => byte ^ 1)) : whole;
    const body = content.subarray(from);
    const partial = request.headers.range !== undefined && !trouble.noRanges;
    answer.writeHead(partial ? 206 : 200, {
      ...headers,
      "content-length": body.length,
      "accept-ranges": "bytes",
      ...(partial && { "content-range": `bytes ${from}-${whole.length - 1}/${whole.length}` }),
    });
    if (request.method === "HEAD") return void answer.end();
    const { cutAfter, stallAfter } = trouble;
    if (cutAfter !== undefined && cutAfter < body.length)
      return void answer.write(body.subarray(0, cutAfter), () => answer.destroy());
    if (stallAfter !== undefined && stallAfter < body.length) return void answer.write(body.subarray(0, stallAfter));
    answer.end(body);
  };

  const hub = createServer((request, answer) => {
    note("hub", request);
    const url = new URL(request.url!, "http://hub");
    const fail = (status: number, code: string, message = code) =>
      answer.writeHead(status, { "x-error-code": code, "x-error-message": message }).end();
    const reply = (value: unknown, headers: Record<string, string> = {}) =>
      answer.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    if (trouble.status !== undefined) return void answer.writeHead(trouble.status).end();
    const parts = url.pathname.slice(1).split("/").map(decodeURIComponent);
    const isApi = parts[0] === "api" && parts.shift() !== undefined;
    const kind = parts[0] === "datasets" || parts[0] === "models" ? parts.shift() : "models";
    const id = parts.splice(0, 2).join("/");
    const repository = repositories.find((one) => one.id === id && `${one.type}s` === kind);
    const bearer = request.headers.authorization?.replace("Bearer ", "");
    if (bearer !== undefined && bearer !== goodToken)
      return void fail(401, "", "Invalid credentials in Authorization header");
    if (repository === undefined || (repository.private && bearer !== goodToken))
      return void fail(bearer === undefined ? 401 : 404, "RepoNotFound", "Repository not found");
    const [action, revision = "main", ...rest] = parts;
    const commit = repository.branches[revision] ?? revision;
    const files = repository.commits[commit];
    if (files === undefined) return void fail(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    if (isApi && action === "revision")
      return void reply({
        id,
        sha: commit,
        private: repository.private === true,
        gated: repository.gated ? "auto" : false,
      });
    // As on the real Hub, names and hashes of a gated repository are open.
    if (isApi && action === "tree") {
      const at = Number(url.searchParams.get("cursor") ?? 0);
      const all = Object.entries(files);
      const page = all.slice(at, at + pageSize).map(([path, file]) => {
        const size = file.content.length;
        const oid = gitHash(file.large ? pointerOf(file.content) : file.content);
        const lfs = { oid: sha256(file.content), size, pointerSize: pointerOf(file.content).length };
        return { type: "file", path, size, oid, ...(file.large && { lfs }) };
      });
      const folders = [...new Set(all.flatMap(([path]) => (path.includes("/") ? [path.split("/")[0]] : [])))];
      const listed = [
        ...(at === 0 ? folders.map((path) => ({ type: "directory", path, oid: "0".repeat(40), size: 0 })) : []),
        ...page,
      ];
      const next = `${endpoint}${url.pathname}?recursive=true&cursor=${at + pageSize}`;
      return void reply(listed, at + pageSize < all.length ? { link: `<${next}>; rel="next"` } : {});
    }
    if (action !== "resolve") return void fail(404, "EntryNotFound");
    if (repository.gated && bearer !== goodToken) return void fail(401, "GatedRepo", "Access to model is restricted");
    const file = files[rest.join("/")];
    if (file === undefined) return void fail(404, "EntryNotFound", "Entry not found");
    const headers = { "x-repo-commit": commit };
    if (!file.large)
      return void send(request, answer, file.content, { ...headers, etag: `"${gitHash(file.content)}"` });
    const blob = sha256(file.content);
    bytesOfBlob.set(blob, file.content);
    answer
      .writeHead(302, {
        ...headers,
        etag: `"${gitHash(pointerOf(file.content))}"`,
        "x-linked-etag": `"${blob}"`,
        "x-linked-size": file.content.length,
        location: `${address(cdn)}/${blob}`,
      })
      .end();
  });
  await Promise.all([hub, cdn].map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))));
  const endpoint = address(hub);
  return {
    endpoint,
    asked,
    trouble,
    async close() {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

export function gitHash(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

export function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** What Git holds in place of a large file. */
function pointerOf(content: Buffer): Buffer {
  return Buffer.from(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`,
  );
}

/** Two ports are two origins: what is sent to one of them is not meant for the other. */
function address(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
