/** The embedded engine as seen from the main thread: every verb is a message to the worker that holds the weights. */
import { fetchRuntime } from "../../tensor/runtime.ts";
import { CheckpointError, EngineError, UsageError } from "../../util/errors.ts";
import { mostThreads } from "../../util/limits.ts";
import { startWorker } from "../../util/start-worker.ts";
import type { Engine } from "../engine.ts";
import { defaultThreads } from "./machine-info.ts";
import type { Call, Reply } from "./protocol.ts";

export interface EmbeddedEngineOptions {
  /** Threads of one run; 0, the default, takes the physical cores. */
  readonly threads?: number;
  /** Told in a sentence that ONNX Runtime is being fetched, the first time that this user needs it. */
  readonly onNote?: (text: string) => void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Starts the engine in a worker thread.
 *
 * @example
 * const engine = await createEmbeddedEngine();
 * const { id } = await engine.loadModel("runs/demo-1/ppo/final");
 * await engine.close();
 */
export async function createEmbeddedEngine({ threads = 0, onNote }: EmbeddedEngineOptions = {}): Promise<Engine> {
  await fetchRuntime({ ...(onNote && { onNote }) });
  if (!(Number.isInteger(threads) && threads >= 0 && threads <= mostThreads))
    throw new UsageError(
      `threads is ${threads}; it must be a whole number from 0, for the physical cores, to ${mostThreads}`,
      `This machine works best with ${defaultThreads()}.`,
    );
  const worker = startWorker("./engine-worker", import.meta.url, {
    workerData: { threads: threads === 0 ? defaultThreads() : threads },
  });
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let gone: Error | null = null;
  const fail = (error: Error) => {
    gone ??= error;
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  worker.on("message", (reply: Reply) => {
    const { resolve, reject } = waiting.get(reply.id) as Waiting;
    waiting.delete(reply.id);
    if ("error" in reply) reject(revive(reply.error));
    else resolve(reply.result);
  });
  worker.on("error", (error) =>
    fail(new EngineError(`the engine's thread failed: ${error.message}`, undefined, { cause: error })),
  );
  worker.on("exit", (code) => fail(new EngineError(`the engine has ended (code ${code})`)));
  const call = (verb: Call["verb"], args: unknown[]): Promise<never> =>
    new Promise<unknown>((resolve, reject) => {
      if (gone !== null) return reject(gone);
      waiting.set(nextId, { resolve, reject });
      worker.postMessage({ id: nextId++, verb, args } satisfies Call);
    }) as Promise<never>;
  return {
    info: () => call("info", []),
    usage: () => call("usage", []),
    createModel: (...args) => call("createModel", args),
    cloneModel: (...args) => call("cloneModel", args),
    inspectModel: (...args) => call("inspectModel", args),
    loadModel: (...args) => call("loadModel", args),
    saveModel: (...args) => call("saveModel", args),
    ema: (...args) => call("ema", args),
    disposeModel: (...args) => call("disposeModel", args),
    sample: (...args) => call("sample", args),
    forward: (...args) => call("forward", args),
    forwardBackward: (...args) => call("forwardBackward", args),
    optimStep: (...args) => call("optimStep", args),
    zeroGrad: (...args) => call("zeroGrad", args),
    close: async () => {
      if (gone === null) await call("close", []);
      await worker.terminate();
    },
  };
}

function revive({ kind, message, hint }: { kind: string; message: string; hint: string | undefined }): Error {
  if (kind === "CheckpointError") return new CheckpointError(message, hint);
  if (kind === "UsageError") return new UsageError(message, hint);
  return new EngineError(message, hint);
}
