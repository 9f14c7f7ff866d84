/** The worker thread's side: answers calls by number, one at a time, in order. */
import { parentPort, workerData } from "node:worker_threads";
import { BallastError, EngineError, messageOf } from "../../util/errors.ts";
import { EmbeddedCore } from "./core.ts";
import type { Call, Cancel, Reply } from "./protocol.ts";

if (parentPort !== null) {
  const port = parentPort;
  const core = new EmbeddedCore(workerData as { threads: number; recompute: boolean });
  const cancelled = new Set<number>();
  let last: Promise<void> = Promise.resolve();
  port.on("message", (message: Call | Cancel) => {
    if ("cancel" in message) {
      cancelled.add(message.cancel);
      return;
    }
    const { id } = message;
    const onProgress = (done: number, most: number) => {
      if (cancelled.has(id)) throw new EngineError(`${message.verb} was taken back`);
      port.postMessage({ id, progress: [done, most] } satisfies Reply);
    };
    last = last.then(async () => {
      port.postMessage(await answer(core, message, onProgress));
      cancelled.delete(id);
    });
  });
}

async function answer(
  core: EmbeddedCore,
  { id, verb, args }: Call,
  onProgress: (done: number, most: number) => void,
): Promise<Reply> {
  try {
    const method = core[verb] as (...args: unknown[]) => Promise<unknown>;
    return { id, result: await method.apply(core, verb === "sample" ? [...args, { onProgress }] : args) };
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
