/** Talks with models for the page: a thread with one engine, reused between turns and ended when nobody has asked for a while. */
import { realpathSync } from "node:fs";
import { resolve, sep } from "node:path";
import type { Worker } from "node:worker_threads";
import type { Playground, ReplyLine } from "../../../types/playground-page.ts";
import { messageOf } from "../../../util/errors.ts";
import { startWorker } from "../../../util/start-worker.ts";
import { modelFolders } from "./model-folders.ts";
import type { FromReplyWorker, ToReplyWorker } from "./reply-worker.ts";

export interface PlaygroundOptions {
  readonly workspace: string;
  /** Threads of the engine; 0 uses the physical cores. */
  readonly threads?: number;
  /** Milliseconds without a request after which the engine and its models are released. */
  readonly idleMs?: number;
}

/** Answers at once: two side by side, in two tabs. */
const mostAtOnce = 4;
/** Milliseconds that the thread has to free what servers hold for it: an engine takes up to ten seconds. */
const endingMs = 12_000;

export function createPlayground({
  workspace,
  threads = 0,
  idleMs = 5 * 60_000,
}: PlaygroundOptions): Playground & { close(): Promise<void> } {
  let worker: Worker | null = null;
  let loaded: readonly string[] = [];
  let newest = 0;
  let resting: NodeJS.Timeout | undefined;
  const waiting = new Map<number, (line: ReplyLine) => void>();

  const end = async (says: string) => {
    const ended = worker;
    worker = null;
    loaded = [];
    for (const tell of [...waiting.values()]) tell({ kind: "problem", error: says });
    if (ended === null) return;
    const exited = new Promise<void>((done) => ended.once("exit", () => done()));
    ended.postMessage({ kind: "end" } satisfies ToReplyWorker);
    const limit = setTimeout(() => void ended.terminate(), endingMs);
    await exited;
    clearTimeout(limit);
  };
  const open = () => {
    const opened = startWorker("./reply-worker", import.meta.url, { workerData: { workspace, threads } });
    opened.unref();
    opened.on("message", (message: FromReplyWorker) => {
      // One that is ending may still fail at an answer.
      if (worker !== opened) return;
      loaded = message.loaded;
      waiting.get(message.id)?.(message.line);
    });
    opened.on("error", (error) => {
      if (worker === opened) void end(`the engine ended: ${messageOf(error)}`);
    });
    return opened;
  };

  return {
    offers: () => ({ models: modelFolders(workspace), loaded }),
    reply: (request, tell, ended) =>
      new Promise<void>((done) => {
        if (waiting.size >= mostAtOnce) {
          tell({
            kind: "problem",
            error: `the engine is busy with ${waiting.size} answers`,
            hint: "Ask again when one is done, or stop one.",
          });
          return done();
        }
        if (!isInside(request.model, workspace)) {
          tell({
            kind: "problem",
            error: `there is no model ${request.model} in the workspace`,
            hint: "Choose one of the list.",
          });
          return done();
        }
        clearTimeout(resting);
        const id = ++newest;
        worker ??= open();
        const send = (message: ToReplyWorker) => worker?.postMessage(message);
        ended.addEventListener("abort", () => send({ kind: "stop", id }), { once: true });
        waiting.set(id, (line) => {
          tell(line);
          if (line.kind !== "done" && line.kind !== "problem") return;
          waiting.delete(id);
          if (waiting.size === 0) resting = setTimeout(() => void end("the engine was released"), idleMs).unref();
          done();
        });
        send({ kind: "reply", id, request });
      }),
    close: async () => {
      clearTimeout(resting);
      await end("the server has ended");
    },
  };
}

/** Whether a folder is in the workspace; one that is gone counts by its name. */
function isInside(path: string, workspace: string): boolean {
  const real = (one: string) => {
    try {
      return realpathSync(one);
    } catch {
      return resolve(one);
    }
  };
  return real(resolve(path)).startsWith(`${real(workspace)}${sep}`);
}
