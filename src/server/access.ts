/** Access control: only the server's own pages may send requests, and only with the workspace's token may they change things. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler, Context as Request } from "hono";
import { Refusal } from "./problem.ts";

interface WithToken {
  readonly token: string | null;
}

/** Whether the request carries the workspace's token. Takes the same time whatever was sent. */
export function hasToken(c: Request, { token }: WithToken): boolean {
  const sent = /^Bearer ([^\s]+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return token !== null && sent !== undefined && timingSafeEqual(digest(sent), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

export function tokenNeeded(context: WithToken): MiddlewareHandler {
  return async (c, next) => {
    if (!hasToken(c, context))
      throw new Refusal(
        401,
        c.req.header("authorization") === undefined
          ? "this needs the workspace's token"
          : "that is not the workspace's token",
        "Open the address that `ballast serve` printed, or send `Authorization: Bearer` and what is in the workspace's file `token`.",
      );
    return next();
  };
}

/**
 * Refuses requests from pages of a different site, or of a different server on this machine: browsers say where a request comes from. Non-browser
 * clients send neither header, so they are allowed.
 */
export const ownPagesOnly: MiddlewareHandler = async (c, next) => {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none")
    throw new Refusal(403, "a page of another site asked for this", "Open the dashboard itself.");
  const origin = c.req.header("origin");
  if (origin !== undefined && !isOwn(origin, c.req.header("host") ?? ""))
    throw new Refusal(403, `a page of ${origin.slice(0, 100)} asked for this`, "Open the dashboard itself.");
  return next();
};

/** Whether an origin is this server's; the host has been checked before. */
function isOwn(origin: string, host: string): boolean {
  return origin.toLowerCase() === `http://${host.toLowerCase()}`;
}
