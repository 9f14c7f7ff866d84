/** The files of the page: a small fixed set in memory, plain and compressed. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Hono } from "hono";

export interface WebFile {
  readonly type: string;
  readonly body: Buffer;
  readonly packed: Buffer;
  readonly etag: string;
}

/** Files by name. */
export type WebFiles = Readonly<Record<keyof typeof types, WebFile>>;

const types = {
  "index.html": "text/html; charset=utf-8",
  "app.js": "text/javascript; charset=utf-8",
  "app.css": "text/css; charset=utf-8",
} as const;

/** Reads the page's files; null if any of them is missing. */
export function readWeb(folder: string): WebFiles | null {
  const names = Object.keys(types) as (keyof typeof types)[];
  if (!names.every((name) => existsSync(join(folder, name)))) return null;
  const files = names.map((name) => [name, webFile(readFileSync(join(folder, name)), types[name])] as const);
  return Object.fromEntries(files) as unknown as WebFiles;
}

function webFile(body: Buffer, type: string): WebFile {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { type, body, packed: gzipSync(body, { level: 9 }), etag };
}

export function webRoutes(files: WebFiles | null): Hono {
  const app = new Hono();
  if (files === null)
    return app.get("/", (c) =>
      c.text(
        "The dashboard's page is not built: run `npm run build`. Its API is under /api, Prometheus' metrics are at /metrics.\n",
        404,
      ),
    );
  for (const [name, file] of Object.entries(files))
    app.get(name === "index.html" ? "/" : `/${name}`, (c) => {
      const { type, body, packed, etag } = file;
      // Cached by the browser but revalidated each time: an upgrade shows at once.
      c.header("cache-control", "no-cache");
      c.header("etag", etag);
      c.header("vary", "accept-encoding");
      if (c.req.header("if-none-match") === etag) return c.body(null, 304);
      c.header("content-type", type);
      if (!/\bgzip\b/.test(c.req.header("accept-encoding") ?? "")) return c.body(new Uint8Array(body));
      c.header("content-encoding", "gzip");
      return c.body(new Uint8Array(packed));
    });
  return app;
}
