/** The embedded engine as seen from the main thread: every verb is a message to the worker that holds the weights, every pass one. */
import { fetchRuntime } from "../../tensor/runtime.ts";
import { CheckpointError, EngineError, UsageError } from "../../util/errors.ts";
import { mostThreads } from "../../util/limits.ts";
import { startWorker } from "../../util/start-worker.ts";
import { defaultThreads } from "../../util/threads.ts";
import type {
  Engine,
  ForwardOutput,
  ForwardRequest,
  ForwardResult,
  ModelId,
  ModelInfo,
  SampleOptions,
} from "../engine.ts";
import { paddingCost } from "../pass-size.ts";
import { forwardInPasses, gradientInPasses } from "../passes.ts";
import type { Call, Cancel, Reply } from "./protocol.ts";

export interface EmbeddedEngineOptions {
  /** Threads of one run; 0, the default, uses the physical cores. */
  readonly threads?: number;
  /** Whether a loss's backward pass computes the activations of each block again: the same results in less memory and more time. */
  readonly recompute?: boolean;
  /** Receives a sentence when ONNX Runtime is fetched, the first time that this user needs it. */
  readonly onNote?: (text: string) => void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: SampleOptions["onProgress"];
}

/**
 * Starts the engine in a worker thread.
 *
 * @example
 * const engine = await createEmbeddedEngine();
 * const { id } = await engine.loadModel("runs/demo-1/ppo/final");
 * await engine.close();
 */
export async function createEmbeddedEngine({
  threads = 0,
  recompute = false,
  onNote,
}: EmbeddedEngineOptions = {}): Promise<Engine> {
  await fetchRuntime({ ...(onNote && { onNote }) });
  if (!(Number.isInteger(threads) && threads >= 0 && threads <= mostThreads))
    throw new UsageError(
      `threads is ${threads}; it must be a whole number from 0, for the physical cores, to ${mostThreads}`,
      `This machine works best with ${defaultThreads()}.`,
    );
  const worker = startWorker("./engine-worker", import.meta.url, {
    workerData: { threads: threads === 0 ? defaultThreads() : threads, recompute },
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
    // A call that was taken back has nobody waiting for it.
    const call = waiting.get(reply.id);
    if (call === undefined) return;
    const { resolve, reject, onProgress } = call;
    if ("progress" in reply) {
      try {
        onProgress?.(...reply.progress);
      } catch (error) {
        worker.postMessage({ cancel: reply.id } satisfies Cancel);
        waiting.delete(reply.id);
        reject(error as Error);
      }
      return;
    }
    waiting.delete(reply.id);
    if ("error" in reply) reject(revive(reply.error));
    else resolve(reply.result);
  });
  worker.on("error", (error) =>
    fail(new EngineError(`the engine's thread failed: ${error.message}`, undefined, { cause: error })),
  );
  worker.on("exit", (code) => fail(new EngineError(`the engine has ended (code ${code})`)));
  const call = (verb: Call["verb"], args: unknown[], onProgress?: SampleOptions["onProgress"]): Promise<never> =>
    new Promise<unknown>((resolve, reject) => {
      if (gone !== null) return reject(gone);
      waiting.set(nextId, { resolve, reject, onProgress });
      worker.postMessage({ id: nextId++, verb, args } satisfies Call);
    }) as Promise<never>;
  // The limits of a model's language head, which also apply to its values and scores: policy and critic see a minibatch in the same passes.
  const limits = new Map<ModelId, number | undefined>();
  const opened = async (model: Promise<ModelInfo>): Promise<ModelInfo> => {
    const info = await model;
    limits.set(info.id, info.tokensOfPass);
    return info;
  };
  return {
    info: () => call("info", []),
    usage: () => call("usage", []),
    createModel: (...args) => opened(call("createModel", args)),
    cloneModel: (...args) => opened(call("cloneModel", args)),
    inspectModel: (...args) => call("inspectModel", args),
    loadModel: (...args) => opened(call("loadModel", args)),
    saveModel: (...args) => call("saveModel", args),
    ema: (...args) => call("ema", args),
    disposeModel: (...args) => call("disposeModel", args),
    sample: (model, request, { onProgress } = {}) => call("sample", [model, request], onProgress),
    // Passes are cut on this side of the thread, so that a caller can leave between two of them.
    // Log-probabilities are read in the passes in which a loss over the same sequences will compute them.
    forward: <Output extends ForwardOutput>(model: ModelId, request: ForwardRequest<Output>, options = {}) =>
      forwardInPasses(
        request,
        { ...options, paddingCost, limit: limits.get(model) },
        (part): Promise<ForwardResult<Output>> => call("forward", [model, part]),
      ),
    forwardBackward: (model, loss, options = {}) =>
      gradientInPasses(loss, { ...options, paddingCost, limit: limits.get(model) }, (part) =>
        call("forwardBackward", [model, part]),
      ),
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
