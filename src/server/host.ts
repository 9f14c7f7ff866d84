/** Answers requests that name this machine alone: a page of another site cannot reach the server under a name of its own. */
import type { MiddlewareHandler } from "hono";

/** With or without a port. A site that has its name resolve to 127.0.0.1 (DNS rebinding) still sends that name. */
const own = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

export const ownHostOnly: MiddlewareHandler = async (c, next) => {
  if (!own.test(c.req.header("host") ?? ""))
    return c.text("This server answers to localhost and 127.0.0.1 alone.\n", 403);
  return next();
};
