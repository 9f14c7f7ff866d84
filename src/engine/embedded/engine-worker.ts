/** The worker thread's side: answers calls by number, one at a time, in order. */
import { parentPort, workerData } from "node:worker_threads";
import { BallastError, messageOf } from "../../util/errors.ts";
import { EmbeddedCore } from "./core.ts";
import type { Call, Reply } from "./protocol.ts";

if (parentPort !== null) {
  const port = parentPort;
  const core = new EmbeddedCore(workerData as { threads: number; recompute: boolean });
  let last: Promise<void> = Promise.resolve();
  port.on("message", (call: Call) => {
    last = last.then(async () => port.postMessage(await answer(core, call)));
  });
}

async function answer(core: EmbeddedCore, { id, verb, args }: Call): Promise<Reply> {
  try {
    const method = core[verb] as (...args: unknown[]) => Promise<unknown>;
    return { id, result: await method.apply(core, args) };
  } catch (error) {
    const known = error instanceof BallastError;
    return {
      id,
      error: {
        kind: known ? error.name : "EngineError",
        message: messageOf(error),
        hint: known ? error.hint : undefined,
      },
    };
  }
}
