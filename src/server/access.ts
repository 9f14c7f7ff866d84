/** Who may ask, and who may change things: the workspace's token, and pages of this server alone. */
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
 * A page of another site, or of another server on this machine, can make a browser send requests here: browsers say where they come
 * from. What is no browser says nothing, and is let in.
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

/** The host has been checked before. */
function isOwn(origin: string, host: string): boolean {
  return origin.toLowerCase() === `http://${host.toLowerCase()}`;
}
