/** The HTTP server over a workspace's store: the dashboard's page and its API, and Prometheus' endpoint. */
import { dirname } from "node:path";
import { Hono } from "hono";
import type { Store } from "../store/index.ts";
import type { RunDesk } from "../types/new-run-page.ts";
import type { Playground } from "../types/playground-page.ts";
import { ownPagesOnly, tokenNeeded } from "./access.ts";
import { behaviourRoutes } from "./answers/behaviour-answer.ts";
import { compareRoutes } from "./answers/compare-answer.ts";
import { controlRoutes } from "./answers/control-answer.ts";
import { csvRoutes } from "./answers/csv-answer.ts";
import { diagnosisRoutes } from "./answers/diagnosis-answer.ts";
import { eventRoutes } from "./answers/events-answer.ts";
import { labRoutes } from "./answers/lab-answer.ts";
import { runRoutes } from "./answers/run-answer.ts";
import { runsRoutes } from "./answers/runs-answer.ts";
import { sampleRoutes } from "./answers/samples-answer.ts";
import { seriesRoutes } from "./answers/series-answer.ts";
import { settingRoutes } from "./answers/settings-answer.ts";
import { Summaries } from "./answers/summary-answer.ts";
import { workspaceRoutes } from "./answers/workspace-answer.ts";
import { commandRoutes } from "./changes/commands-change.ts";
import { decisionRoutes } from "./changes/decision-change.ts";
import { markRoutes } from "./changes/marks-change.ts";
import { newRunRoutes } from "./changes/new-run-change.ts";
import { playgroundRoutes } from "./changes/playground-change.ts";
import { preferenceRoutes } from "./changes/preferences-change.ts";
import { replayRoutes } from "./changes/replay-change.ts";
import { securityHeaders } from "./headers.ts";
import { ownHostOnly } from "./host.ts";
import { familiesOf } from "./metric-families.ts";
import { answerProblem, Refusal } from "./problem.ts";
import { contentType, exposition } from "./prometheus.ts";
import { type Context, checkInPlace } from "./server-context.ts";
import { type StreamOptions, streamRoutes } from "./stream/stream-route.ts";
import { Tailer } from "./stream/tailer.ts";
import { type WebFiles, webRoutes } from "./web.ts";

export interface AppOptions extends StreamOptions {
  /** The folder of the runs; by default the store's folder. */
  readonly workspace?: string;
  /** The token that a request must carry to change things; null: nobody may change anything. */
  readonly token?: string | null;
  /** The program's name on the user's command line. */
  readonly self?: string;
  /** The option that makes a command use this workspace; empty for the default one. */
  readonly option?: string;
  /** Names of the server besides localhost. */
  readonly hosts?: readonly string[];
  /** Whether other machines reach it: then everything except the page itself needs the token. */
  readonly tokenToRead?: boolean;
  /** Begins runs; without one, the page cannot. */
  readonly desk?: RunDesk | null;
  /** Talks with models; without one, the page cannot. */
  readonly playground?: Playground | null;
  /** The page's files. */
  readonly web?: WebFiles | null;
  /** Clock, in Unix milliseconds. */
  readonly now?: () => number;
  /** Milliseconds between polls of the database while a stream is open. */
  readonly pollMs?: number;
  /** Ends the open streams. */
  readonly ended?: AbortSignal;
  /** Called with unexpected errors. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Makes the server's app.
 * @example
 * const app = createApp(openStore("runs/ballast.db"), { token: "..." });
 * const response = await app.request("http://localhost/api/runs");
 */
export function createApp(store: Store, options: AppOptions = {}): Hono {
  const { workspace = dirname(store.path), token = null, self = "ballast", option = "" } = options;
  const { hosts = [], tokenToRead = false, web = null, now = Date.now, onError = () => {} } = options;
  const summaries = new Summaries(store);
  const tailer = new Tailer({ store, summaries, onError, ...(options.pollMs && { pollMs: options.pollMs }) });
  options.ended?.addEventListener("abort", () => tailer.close());
  const { desk = null, playground = null } = options;
  const context: Context = { store, workspace, token, self, option, now, summaries, tailer, desk, playground };

  const app = new Hono();
  app.use(securityHeaders);
  app.use(ownHostOnly(hosts));
  app.use("/api/*", ownPagesOnly);
  if (tokenToRead) for (const path of ["/api/*", "/metrics"]) app.use(path, tokenNeeded(context));
  for (const path of ["/api/*", "/metrics"])
    app.use(path, (_, next) => {
      checkInPlace(context);
      return next();
    });
  app.get("/metrics", (c) =>
    c.body(exposition(familiesOf(store, { now: now() })), 200, { "content-type": contentType }),
  );
  const answers = [
    ...[workspaceRoutes, runsRoutes, runRoutes, seriesRoutes, csvRoutes, eventRoutes, settingRoutes, sampleRoutes],
    ...[behaviourRoutes, controlRoutes, diagnosisRoutes, compareRoutes, labRoutes],
  ];
  for (const routes of answers) app.route("/api", routes(context));
  const changes = [
    ...[commandRoutes, decisionRoutes, markRoutes, newRunRoutes, playgroundRoutes, preferenceRoutes, replayRoutes],
  ];
  for (const routes of changes) app.route("/api", routes(context));
  app.route("/api", streamRoutes(context, options));
  app.all("/api/*", (c) => {
    throw new Refusal(
      404,
      `there is nothing at ${c.req.method} ${c.req.path.slice(0, 100)}`,
      "docs/api.md lists the addresses.",
    );
  });
  app.route("/", webRoutes(web));
  app.notFound((c) => c.text("Prometheus finds its metrics at /metrics, the dashboard at /.\n", 404));
  app.onError((error, c) => {
    const answer = answerProblem(c, error);
    if (answer.status === 500) onError(error);
    return answer;
  });
  return app;
}
