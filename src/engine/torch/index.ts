/** The PyTorch engine as seen from Ballast: every verb is a call to a worker process that holds the weights, every pass one. */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { writeAdapterConfig } from "../../models/adapter-folder.ts";
import { parameterSpecs, withDefaultOptions } from "../../models/family.ts";
import { writeModelConfig, writeModelFolder } from "../../models/hf-folder.ts";
import { withTextIds } from "../../models/model-config.ts";
import { checkConfig } from "../../models/model-size.ts";
import { initialValues } from "../../models/parameters.ts";
import { sizeOf } from "../../models/safetensors.ts";
import { schemeOf } from "../../settings/model-reference.ts";
import { EngineError, UsageError } from "../../util/errors.ts";
import { mostThreads } from "../../util/limits.ts";
import { defaultThreads } from "../../util/threads.ts";
import { everyCapability } from "../capabilities.ts";
import type {
  Engine,
  EngineInfo,
  EngineUsage,
  ForwardOutput,
  ForwardRequest,
  ForwardResult,
  HeadKind,
  LoadModelRequest,
  LossRequest,
  ModelConfig,
  ModelId,
  ModelInfo,
  ModelReference,
  OptimStepResult,
  PassOptions,
} from "../engine.ts";
import { inspectState } from "../inspect-state.ts";
import { mostTokens } from "../pass-size.ts";
import { forwardInPasses, gradientInPasses, type PassResult } from "../passes.ts";
import { launchByRay } from "./ray-launch.ts";
import { type ProcessOptions, rendezvousOf, waitingFor } from "./rendezvous.ts";
import { type AdapterBase, initialScore, stateToLoad } from "./state-to-load.ts";
import { packageFolder, pythonOf } from "./torch-environment.ts";
import { flatLoss, flatSequences, flatTokens, rowsOf, scoredLengths } from "./torch-requests.ts";
import { unlessInterrupted } from "./unless-interrupted.ts";
import { WorkerProcess } from "./worker-process.ts";

/** Logits in a pass, the worker's largest array: 128 MB in float32. A pass with a large vocabulary has fewer tokens. */
const mostLogits = 2 ** 25;

/** Padded tokens that a pass takes in each process, if the engine chooses. */
export const tokensOfTorchPass = ({ vocabularySize }: ModelConfig) =>
  Math.max(1, Math.min(mostTokens, Math.floor(mostLogits / vocabularySize)));

/** The version of the frames and verbs; the worker refuses another. */
const protocol = 1;

export interface TorchEngineOptions extends ProcessOptions {
  /** Threads on this machine, over which its processes are spread; 0, the default, uses the physical cores. */
  readonly threads?: number;
  /** The Python program; by default that of `ballast engine setup torch`. */
  readonly python?: string | undefined;
  /** `auto`: the first CUDA device if there is one, else the CPU. Or a device by PyTorch's name: `cpu`, `cuda`, `cuda:1`. */
  readonly device?: string | undefined;
  /** What passes compute in; weights, gradients and the optimizer stay float32. */
  readonly dtype?: TorchDtype | undefined;
  /** What is kept and stepped on the host while passes compute on a device: float32 weights, gradients and Adam's moments. Not on a CPU, nor with several processes. */
  readonly offload?: TorchOffload | undefined;
  /** When each of several processes frees the weights that it gathered from the others: after each pass, or not before a step changes them. The same bits. */
  readonly reshard?: TorchReshard | undefined;
  /** Seconds that one pass, step of generation, load or save may take until the worker counts as hung, although it answers; and that other machines may take to come. An hour by default. */
  readonly deadline?: number | undefined;
  /** Whether backward passes compute the activations inside blocks again instead of keeping them. */
  readonly recompute?: boolean;
  /** Milliseconds without a sign of life until a process counts as hung: three minutes by default. */
  readonly patience?: number;
  /** Receives a sentence while the worker starts, if that takes long. */
  readonly onNote?: (text: string) => void;
  /** Asked while the worker starts, and while it waits for other machines: whether to leave. */
  readonly interrupted?: () => boolean;
}

export type TorchDtype = "fp32" | "bf16";
export type TorchOffload = "optimizer";
export type TorchReshard = "pass" | "step";

interface Hello {
  readonly device: string;
  readonly deviceName: string;
  readonly dtype: TorchDtype;
  readonly threads: number;
  readonly matmul: string;
  readonly bitExact: boolean;
  /** How many times as long a product in bf16 takes as in float32; null but for bf16 on a CPU. */
  readonly bf16Slowdown: number | null;
  /** In all, on every machine. */
  readonly processes: number;
  readonly versions: Readonly<Record<string, string>>;
}

interface OpenedModel {
  readonly id: ModelId;
  readonly trained: number;
  readonly heads: readonly HeadKind[];
}

/** The PyTorch engine, and what only a check of it needs. */
export interface TorchEngine extends Engine {
  readonly worker: WorkerProcess;
  readonly hello: Hello;
}

/**
 * Starts the worker. Throws UsageError, with the command that mends it, if Python, a package, the device or another machine is missing; Interrupted if
 * `interrupted` asks for it meanwhile.
 *
 * @example
 * const engine = await createTorchEngine({ dtype: "bf16" });
 * const { id } = await engine.loadModel("runs/demo-1/ppo/final");
 * await engine.close();
 */
export async function createTorchEngine({
  threads = 0,
  python,
  device = "auto",
  dtype = "fp32",
  offload,
  reshard,
  deadline,
  recompute = false,
  patience,
  onNote = () => {},
  interrupted = () => false,
  ...options
}: TorchEngineOptions = {}): Promise<TorchEngine> {
  if (!(Number.isInteger(threads) && threads >= 0 && threads <= mostThreads))
    throw new UsageError(
      `threads is ${threads}; it must be a whole number from 0, for the physical cores, to ${mostThreads}`,
      `This machine works best with ${defaultThreads()}.`,
    );
  const wanted = threads === 0 ? defaultThreads() : threads;
  const { processes = 1 } = options;
  const ofEach = Math.max(1, Math.floor(wanted / processes));
  const program = { ...pythonOf(python), packageFolder, threads: ofEach };
  const ray =
    options.launch === "ray"
      ? await launchByRay({ ...program, processes, device, nodes: options.nodes, interrupted })
      : undefined;
  const rendezvous = ray?.rendezvous ?? (await rendezvousOf(options));
  const worker = new WorkerProcess({
    ...program,
    processes: ray ? 1 : processes,
    ...{ rendezvous, ray, patience },
    onMissing: (ranks) => {
      const text = ray || rendezvous === undefined ? null : waitingFor(ranks, rendezvous);
      if (text !== null) onNote(text);
    },
    ...(deadline !== undefined && { deadline: 1000 * deadline }),
  });
  const slow = setTimeout(() => onNote("starting PyTorch"), 5000);
  let hello: Hello;
  try {
    const open = worker.call("open", {
      ...{ protocol, threads: ofEach, device, dtype, recompute },
      ...(offload && { offload }),
      ...(reshard && { reshard }),
    });
    hello = await unlessInterrupted<Hello>(open, interrupted);
  } catch (error) {
    await worker.close();
    throw error;
  } finally {
    clearTimeout(slow);
  }
  const slowdown = hello.bf16Slowdown ?? 0;
  if (slowdown > 1.5)
    onNote(
      `a product in bf16 takes ${slowdown.toFixed(slowdown < 10 ? 1 : 0)} times as long as in float32 on this CPU, which seems to lack instructions for it: set engine.dtype to fp32 for speed; bf16 saves memory only`,
    );
  const versions = { ...hello.versions, ...(offload && { offload }) };
  return engineOn(worker, { ...hello, versions, threads: wanted });
}

function engineOn(worker: WorkerProcess, hello: Hello): TorchEngine {
  const models = new Map<ModelId, ModelInfo>();
  // Of models with an adapter, where their base is.
  const bases = new Map<ModelId, AdapterBase>();
  const opened = ({ id, trained, heads }: OpenedModel, config: ModelConfig, base?: AdapterBase): ModelInfo => {
    const parameters = parameterSpecs(config, heads).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const info = { id, config, heads, parameters, trained, tokensOfPass: hello.processes * tokensOfTorchPass(config) };
    models.set(id, info);
    if (base) bases.set(id, base);
    return info;
  };
  // Each process takes its share of a pass.
  const passes = ({ microBatch = 0, ...options }: PassOptions, limit: number | undefined) => ({
    ...{ ...options, microBatch: hello.processes * microBatch, limit },
  });
  // What the worker does not know either is refused there, by its id.
  const configOf = (id: ModelId) => models.get(id)?.config;
  const load = async (folder: string, request: LoadModelRequest): Promise<ModelInfo> => {
    const { config, base, call } = stateToLoad(folder, request);
    return opened(await worker.call("loadModel", call), config, base);
  };
  return {
    worker,
    hello,
    info: async (): Promise<EngineInfo> => ({
      name: "torch",
      cpu: hello.device === "cpu" ? (cpus()[0]?.model ?? "unknown") : hello.deviceName,
      threads: hello.threads,
      versions: {
        ...{ ...hello.versions, dtype: hello.dtype, device: hello.device, matmul: hello.matmul },
        ...(hello.processes > 1 && { processes: String(hello.processes) }),
      },
      capabilities: { ...everyCapability, bitExact: hello.bitExact },
    }),
    usage: async (): Promise<EngineUsage> => worker.call("usage"),
    async createModel({ config, heads, scalarInit = "zero", seed, role }) {
      if (heads.length === 0) throw new EngineError("a model needs at least one head: lm or scalar");
      const own = withDefaultOptions(withTextIds(config, config.textIds));
      checkConfig(own, heads);
      const folder = mkdtempSync(join(tmpdir(), "ballast-model-"));
      try {
        // The same numbers as any engine's: a model from scratch depends on its seed only.
        const specs = parameterSpecs(own, heads, scalarInit);
        const tensors = specs.map((spec) => {
          // Made when the writer comes to it: this process never holds the whole model.
          const tensor = {
            shape: spec.shape,
            get data() {
              return initialValues(spec, seed);
            },
          };
          return [spec.name, tensor] as const;
        });
        writeModelFolder(folder, { config: own, heads, tensors: new Map(tensors) });
        const { id } = await load(folder, { heads, textIds: own.textIds, ...(role && { role }) });
        return { ...models.get(id)!, config: own };
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    async cloneModel(id, { heads, scalarInit = "zero", seed = 0, optimizer = false, merge = false, into } = {}) {
      const config = configOf(id);
      const scoreValues = config ? initialScore(config, { heads: heads ?? [], scalarInit, seed }) : [];
      const answer = await worker.call("cloneModel", {
        ...{ model: id, heads: heads ?? null, scoreValues, optimizer, into: into ?? null, merge },
      });
      const { adapter: _, ...whole } = config!;
      return merge ? opened(answer, whole) : opened(answer, config!, bases.get(id));
    },
    async inspectModel(state) {
      return inspectState(folderOf(state));
    },
    loadModel: async (state, request = {}) => load(folderOf(state), request),
    async saveModel(id, folder, { optimizer = false } = {}) {
      await worker.call("saveModel", { model: id, folder, optimizer });
      const { config, heads } = models.get(id)!;
      const base = bases.get(id);
      if (base) writeAdapterConfig(folder, { config, heads, base });
      else writeModelConfig(folder, { config, heads });
      return folder;
    },
    ema: (target, source, decay) => worker.call("ema", { target, source, decay }),
    async disposeModel(id) {
      await worker.call("disposeModel", { model: id });
      models.delete(id);
      bases.delete(id);
    },
    async sample(id, { prompts, streams, ...request }, { onProgress } = {}) {
      const answer: { lengths: Int32Array; tokens: Int32Array; logprobs: Float32Array; stopped: boolean[] } =
        await worker.call(
          "sample",
          {
            model: id,
            request: {
              ...request,
              prompts: flatTokens(prompts),
              ...(streams && { streams: Float64Array.from(streams) }),
            },
          },
          onProgress,
        );
      return {
        tokens: rowsOf(answer.tokens, answer.lengths)!,
        logprobs: rowsOf(answer.logprobs, answer.lengths)!,
        stopReasons: answer.stopped.map((stopped) => (stopped ? "stop" : "length")),
      };
    },
    forward: <Output extends ForwardOutput>(id: ModelId, request: ForwardRequest<Output>, options = {}) => {
      const scores = (request.outputs as readonly ForwardOutput[]).includes("score");
      // Log-probabilities are read in the passes in which a loss over the same sequences will compute them.
      const limit = scores ? hello.processes * mostTokens : models.get(id)?.tokensOfPass;
      return forwardInPasses(request, passes(options, limit), (part) => forwardPass(worker, id, part));
    },
    forwardBackward: (id, loss, options = {}) => {
      const limit = loss.name === "pairwise" ? hello.processes * mostTokens : models.get(id)?.tokensOfPass;
      return gradientInPasses(loss, passes(options, limit), (part) => gradientPass(worker, id, part));
    },
    optimStep: async (id, request): Promise<OptimStepResult> => worker.call("optimStep", { model: id, request }),
    zeroGrad: (id) => worker.call("zeroGrad", { model: id }),
    close: () => worker.close(),
  };
}

async function forwardPass<Output extends ForwardOutput>(
  worker: WorkerProcess,
  model: ModelId,
  { sequences, outputs, temperature = 1 }: ForwardRequest<Output>,
): Promise<ForwardResult<Output>> {
  const request = { model, sequences: flatSequences(sequences), outputs, temperature };
  const { score, ...perToken }: Record<string, Float32Array> = await worker.call("forward", request);
  const lengths = scoredLengths(sequences);
  const rows = Object.entries(perToken).map(([name, flat]) => [name, rowsOf(flat, lengths)]);
  return { ...Object.fromEntries(rows), ...(score && { scores: Array.from(score) }) } as ForwardResult<Output>;
}

async function gradientPass(worker: WorkerProcess, model: ModelId, loss: LossRequest): Promise<PassResult> {
  const answer: { loss: number; gradSquaredNorm: number } & Record<string, Float32Array | undefined> =
    await worker.call("forwardBackward", { model, loss: flatLoss(loss) });
  const lengths = loss.name === "pairwise" ? [] : scoredLengths(loss.sequences);
  const { logprobs, entropy, values, penaltyKl, chosen, rejected } = answer;
  return {
    loss: answer.loss,
    gradSquaredNorm: answer.gradSquaredNorm,
    logprobs: rowsOf(logprobs, lengths),
    entropy: rowsOf(entropy, lengths),
    values: rowsOf(values, lengths),
    penaltyKl: rowsOf(penaltyKl, lengths),
    chosenScores: chosen && Array.from(chosen),
    rejectedScores: rejected && Array.from(rejected),
  };
}

/** The folder that a reference names. Throws EngineError for a URI. */
function folderOf(state: ModelReference): string {
  if (schemeOf(state) !== null)
    throw new EngineError(`${state} is a URI of a different engine: the PyTorch engine reads folders`);
  return state;
}
