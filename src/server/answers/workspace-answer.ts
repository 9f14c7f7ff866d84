/** GET /api/workspace: which server this is, and whether the requesting page may change anything. */
import { Hono } from "hono";
import type { WorkspaceAnswer } from "../../types/page.ts";
import { version } from "../../util/own-version.ts";
import { hasToken } from "../access.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";

export function workspaceRoutes(context: Context): Hono {
  const { workspace, self, option, now } = context;
  return new Hono().get("/workspace", (c) => {
    const mayChange = hasToken(c, context);
    return reply(c, {
      version: version(),
      workspace,
      self,
      option,
      mayChange,
      now: now(),
    } satisfies WorkspaceAnswer);
  });
}
