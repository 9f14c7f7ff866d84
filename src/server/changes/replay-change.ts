/** POST /api/runs/:run/replay: what different rules decide on a run's record. Changes nothing, but needs the token because it takes work. */
import { Hono } from "hono";
import { z } from "zod";
import type { ReplayAnswer } from "../../types/page.ts";
import { startWorker } from "../../util/start-worker.ts";
import { tokenNeeded } from "../access.ts";
import { bodyOf, limitBody } from "../body.ts";
import { neededPlace, runOf } from "../place.ts";
import { Refusal } from "../problem.ts";
import { reply } from "../reply.ts";
import type { Context } from "../server-context.ts";
import { largestChange } from "./change.ts";
import type { ReplayReply, ReplayWork } from "./replay-worker.ts";

/** Time limit in milliseconds, including the thread's start, which takes a second or two. */
const longest = 20_000;

/** Memory limit: all consultations of a run are held in memory. */
const mostMegabytes = 1024;

const schema = z.strictObject({ rules: z.string() });

export function replayRoutes(context: Context): Hono {
  const { store } = context;
  let busy = false;
  return new Hono().post("/runs/:run/replay", tokenNeeded(context), limitBody(largestChange), async (c) => {
    const { rules: text } = await bodyOf(c, schema);
    const { id } = runOf(context, c.req.param("run"));
    const place = neededPlace(context, id);
    if (busy) throw new Refusal(409, "another replay is running", "Ask again when it is done.");
    busy = true;
    try {
      return reply(c, await replayInThread({ database: store.path, place, text }));
    } finally {
      busy = false;
    }
  });
}

/**
 * Replays in a separate thread, so that the server can answer other requests meanwhile. The thread is ended at the time limit.
 * @throws Refusal if the replay is refused, or exceeds its time or memory
 */
export function replayInThread(
  work: ReplayWork,
  { milliseconds = longest }: { readonly milliseconds?: number } = {},
): Promise<ReplayAnswer> {
  const inTerminal = `In a terminal: ballast replay ${work.place.id} --rules FILE`;
  return new Promise<ReplayAnswer>((resolve, reject) => {
    const resourceLimits = { maxOldGenerationSizeMb: mostMegabytes };
    const worker = startWorker("./replay-worker", import.meta.url, { workerData: work, resourceLimits });
    const tooMuch = (what: string) => new Refusal(409, `the replay takes more than ${what}`, inTerminal);
    const timer = setTimeout(() => end(() => reject(tooMuch(`${milliseconds / 1000} seconds`))), milliseconds);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      void worker.terminate();
      settle();
    };
    worker.on("message", (reply: ReplayReply) =>
      end(() => {
        if ("answer" in reply) return resolve(reply.answer);
        const { status, problem } = reply.problem;
        reject(new Refusal(status, problem.error, problem.hint ?? inTerminal));
      }),
    );
    worker.on("error", (error: NodeJS.ErrnoException) => {
      const outOfMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
      end(() => reject(outOfMemory ? tooMuch(`${mostMegabytes} MiB`) : error));
    });
  });
}
