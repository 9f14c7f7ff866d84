/** The HTTP server over a workspace's store; for now it has Prometheus' endpoint alone. */
import { Hono } from "hono";
import type { Store } from "../store/index.ts";
import { messageOf } from "../util/errors.ts";
import { familiesOf } from "./families.ts";
import { ownHostOnly } from "./host.ts";
import { contentType, exposition } from "./prometheus.ts";

export interface AppOptions {
  /** Clock, in Unix milliseconds. */
  readonly now?: () => number;
}

/**
 * @example
 * const app = createApp(openStore("runs/ballast.db", { readonly: true }));
 * const response = await app.request("http://localhost/metrics");
 */
export function createApp(store: Store, { now = Date.now }: AppOptions = {}): Hono {
  const app = new Hono();
  app.use(ownHostOnly);
  app.use(async (c, next) => {
    await next();
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
  });
  app.get("/metrics", (c) =>
    c.body(exposition(familiesOf(store, { now: now() })), 200, { "content-type": contentType }),
  );
  app.notFound((c) => c.text("Prometheus finds its metrics at /metrics.\n", 404));
  app.onError((error, c) => c.text(`${messageOf(error)}\n`, 500));
  return app;
}
