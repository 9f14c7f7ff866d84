/**
 * The engine on a server of Tinker's protocol: models are adapters on the server's one base model; sequences and numbers cross the network, weights never.
 *
 * A loss is computed here, from log-probabilities that a forward pass gives; its gradient is submitted only with the step that applies it. So a step that
 * the controller drops, or a gradient that is not finite, never reaches the server, which has no way to take one back.
 */
import { resolve } from "node:path";
import { newAdapter } from "../../models/adapter.ts";
import { blockProjections, parameterSpecs } from "../../models/family.ts";
import { readModelConfig } from "../../models/hf-folder.ts";
import { sizeOf } from "../../models/safetensors.ts";
import { nonFiniteCount } from "../../rl/row-statistics.ts";
import { schemeOf } from "../../settings/model-reference.ts";
import type { TinkerBackendName } from "../../settings/tinker-backend-names.ts";
import { CheckpointError, EngineError, UsageError } from "../../util/errors.ts";
import { random } from "../../util/random.ts";
import type {
  AdapterRequest,
  Engine,
  ForwardBackwardResult,
  ForwardOutput,
  ForwardRequest,
  ForwardResult,
  GradientOptions,
  HeadKind,
  LoadModelRequest,
  LossRequest,
  ModelConfig,
  ModelId,
  ModelInfo,
  ModelReference,
  OptimStepRequest,
  OptimStepResult,
  PassOptions,
  SampleRequest,
  SampleResult,
  Sequence,
} from "../engine.ts";
import { checkPerToken, checkPrompts, checkSequences } from "./checked-requests.ts";
import { backends } from "./tinker-backends.ts";
import { ServerRefusal, TinkerClient } from "./tinker-client.ts";
import type { Datum } from "./tinker-messages.ts";
import { type AdapterState, allFinite, ServerModel, SessionNumbers, submitUnload } from "./tinker-model.ts";
import { supportedLoss, tokenTerms } from "./token-losses.ts";

export interface TinkerEngineOptions {
  /** The server's address, up to what comes before `/api/v1`. */
  readonly url?: string | undefined;
  /** The server's name of the base model. */
  readonly model?: string | undefined;
  readonly backend?: TinkerBackendName | undefined;
  /** The environment variable that holds the key. */
  readonly keyEnv?: string | undefined;
  /** A folder with the base model's config.json; weights are not read. Only this folder is the server's base model. */
  readonly base?: string | undefined;
  readonly onNote?: (text: string) => void;
  /** Milliseconds in which a server that does not answer is asked again. */
  readonly patience?: number;
  /** Milliseconds between two signs of life: 10 s by default. */
  readonly heartbeat?: number;
}

/** Alpha of every adapter: servers have no other (docs/engines.md). */
const alpha = 32;

/**
 * A mean difference between the log-probabilities of forward and of forward_backward beyond this is no rounding: two different inference engines in
 * bfloat16 differ by about 0.01 nats a token.
 */
const mostDrift = 0.1;

/** A loss that waits for the step: its sequences, the log-probabilities at which it was measured, and its derivative by them. */
interface PendingLoss {
  readonly sequences: readonly Sequence[];
  readonly logprobs: readonly (readonly number[])[];
  readonly gradient: readonly (readonly number[])[];
}

interface Held {
  readonly info: ModelInfo;
  readonly rank: number;
  readonly frozen: boolean;
  readonly seed: number;
  /** The state to begin from; null for a new adapter. */
  readonly state: AdapterState | null;
  /** A copy is created on the server when it is first used: most are only kept. */
  server: Promise<ServerModel> | null;
  /** Whether the weights are still those of `state`. */
  untouched: boolean;
  pending: PendingLoss[];
  /** Whether a pending loss is not finite. */
  spoiled: boolean;
  /** URI that only this model uses, to be deleted with it. */
  own: string | null;
}

/**
 * Opens a session on a server. Throws UsageError if it cannot be reached, speaks a different protocol, refuses the key or does not serve the model.
 *
 * @example
 * const base = "models/tiny";
 * const engine = await createTinkerEngine({ url: "http://127.0.0.1:8000", model: "/models/tiny", backend: "skyrl-jax", base });
 * const { id } = await engine.loadModel(base, { adapter: { rank: 8, alpha: 32 } });
 * await engine.close();
 */
export async function createTinkerEngine(options: TinkerEngineOptions): Promise<Engine> {
  const { url, model, backend, keyEnv, base, onNote, patience, heartbeat } = options;
  const missing = Object.entries({ url, model, backend }).flatMap(([name, value]) =>
    value === undefined ? [name] : [],
  );
  if (missing.length > 0 || url === undefined || model === undefined || backend === undefined)
    throw new UsageError(
      `the engine tinker needs engine.${missing.join(" and engine.")}`,
      "As in engine: {kind: tinker, url: http://127.0.0.1:8000, model: Qwen/Qwen3-0.6B, backend: skyrl-jax}.",
    );
  if (base === undefined)
    throw new UsageError(
      "the engine tinker needs model.path: a folder of the server's base model",
      "Its config.json and tokenizer are read, its weights are not. hf://OWNER/NAME is one, too.",
    );
  const key = keyEnv === undefined ? undefined : process.env[keyEnv];
  if (keyEnv !== undefined && !key)
    throw new UsageError(
      `the environment variable ${keyEnv}, which engine.keyEnv names, is not set`,
      "Put the server's key in it.",
    );
  const config = readModelConfig(base);
  const client = await TinkerClient.open({
    ...{ url, key, keyEnv },
    ...(onNote && { onNote }),
    ...(patience !== undefined && { patience }),
    ...(heartbeat !== undefined && { heartbeat }),
  });
  try {
    await checkServed(client, model);
  } catch (error) {
    await client.close();
    throw error;
  }
  return new TinkerEngine(client, { config, base, model, backend });
}

/** Servers train whatever they were started with under any name, so the name is compared where they tell it. */
async function checkServed(client: TinkerClient, model: string): Promise<void> {
  const answer = await client.get("get_server_capabilities").catch((error) => {
    // Newer services have dropped it.
    if (error instanceof ServerRefusal && error.status === 404) return {};
    throw error;
  });
  const { supported_models: served } = answer as { supported_models?: readonly { readonly model_name?: string }[] };
  const names = served?.flatMap(({ model_name: name }) => (name === undefined ? [] : [name])) ?? [];
  if (names.length === 0 || names.includes(model)) return;
  throw new UsageError(
    `the server does not serve ${model}, which engine.model names`,
    `It serves ${names.slice(0, 20).join(", ")}: correct engine.model, and model.path with it.`,
  );
}

class TinkerEngine implements Engine {
  readonly #client: TinkerClient;
  readonly #numbers = new SessionNumbers();
  readonly #base: { readonly config: ModelConfig; readonly folder: string; readonly name: string };
  readonly #backend: TinkerBackendName;
  readonly #models = new Map<ModelId, Held>();
  #next = 1;

  constructor(
    client: TinkerClient,
    { config, base, model, backend }: { config: ModelConfig; base: string; model: string; backend: TinkerBackendName },
  ) {
    this.#client = client;
    this.#base = { config, folder: resolve(base), name: model };
    this.#backend = backend;
  }

  get #traits() {
    return backends[this.#backend];
  }

  async info() {
    const { capabilities } = this.#traits;
    // The server's own processor is not known.
    return { name: "tinker", cpu: "server", threads: 1, versions: { backend: this.#backend }, capabilities };
  }

  async usage() {
    return { nativeSeconds: this.#client.busy / 1000, residentMb: process.memoryUsage.rss() / 2 ** 20 };
  }

  async createModel(): Promise<ModelInfo> {
    throw new EngineError(
      "a server of Tinker's protocol makes no model from scratch: it trains adapters on its base model",
      "Give model.path a folder of that model.",
    );
  }

  async inspectModel(state: ModelReference) {
    if (schemeOf(state) === null) {
      this.#checkFolder(state);
      return { config: this.#base.config, heads: ["lm"] as const };
    }
    return { config: this.#configOf((await this.#stateInfo(state)).rank), heads: ["lm"] as const };
  }

  async loadModel(state: ModelReference, request: LoadModelRequest = {}): Promise<ModelInfo> {
    const { heads = ["lm"], adapter, frozen = false, optimizer = false, seed = 0 } = request;
    this.#checkHeads(heads);
    if (schemeOf(state) !== null) {
      const { rank } = await this.#stateInfo(state);
      return this.#opened({ rank, frozen, seed, state: { uri: state, optimizer } });
    }
    this.#checkFolder(state);
    if (optimizer) throw new CheckpointError(`${state} is the base model: it has no optimizer's state to go on with`);
    if (adapter) return this.#opened({ rank: this.#rankOf(adapter), frozen, seed, state: null });
    if (frozen) return this.#opened({ rank: this.#traits.frozenRank, frozen, seed, state: null });
    throw new EngineError("the engine tinker trains adapters only", "Give the configuration a section lora.");
  }

  async cloneModel(
    id: ModelId,
    { heads, optimizer = false, merge = false, into }: Parameters<Engine["cloneModel"]>[1] = {},
  ): Promise<ModelInfo> {
    const source = this.#held(id);
    this.#checkHeads(heads ?? source.info.heads);
    if (merge) throw new EngineError("the engine tinker cannot merge an adapter into weights of its own");
    // First, so that its slot is free for the copy.
    if (into !== undefined) await this.disposeModel(into);
    const { rank, frozen, seed, state, untouched } = source;
    // It begins as the source did, and without moments that the source never had.
    const same = state && { uri: state.uri, optimizer: optimizer && state.optimizer };
    if (untouched) return this.#add({ rank, frozen, seed, own: null, state: same });
    const uri = await (await this.#server(source)).save();
    return this.#add({ rank, frozen, seed, own: uri, state: { uri, optimizer } });
  }

  /** Always a state that nobody else names, and that nobody had before: whoever saved may delete it. */
  async saveModel(
    id: ModelId,
    _folder: string,
    { optimizer = false }: Parameters<Engine["saveModel"]>[2] = {},
  ): Promise<ModelReference> {
    const held = this.#held(id);
    const { own, state, untouched } = held;
    if (untouched && own !== null && (state!.optimizer || !optimizer)) {
      held.own = null;
      return own;
    }
    return (await this.#server(held)).save();
  }

  async ema(): Promise<void> {
    throw new EngineError("the engine tinker has no slow average of a model", "Set ppo.slowCritic to null.");
  }

  async disposeModel(id: ModelId): Promise<void> {
    const held = this.#held(id);
    this.#models.delete(id);
    await this.#release(held);
  }

  async #release({ server, own }: Held): Promise<void> {
    const made = await server?.catch(() => null);
    await made?.unload();
    if (own !== null) await this.deleteState(own);
  }

  async deleteState(state: ModelReference): Promise<void> {
    // A model that still is this state, such as a copy of a copy, may have yet to be loaded.
    const heir = [...this.#models.values()].find((held) => held.untouched && held.state?.uri === state);
    if (heir) {
      heir.own = state;
      return;
    }
    const [, model, name] = /^tinker:\/\/(.+)\/weights\/([^/]+)$/.exec(state) ?? [];
    // A state that stays behind takes only room.
    if (name !== undefined)
      await this.#client.delete(`training_runs/${model}/checkpoints/weights/${name}`).catch(() => {});
  }

  async sample(id: ModelId, request: SampleRequest): Promise<SampleResult> {
    const held = this.#held(id);
    const { prompts, maxNewTokens, stopTokens, temperature, topK, topP, seed, streams } = request;
    checkPrompts(prompts, { ...this.#base.config, maxNewTokens });
    // Half of the room for seeds, so that the sum with a stream stays within 31 bits, which JAX and vLLM read.
    const first = random(seed, "sample").uint32() % 2 ** 30;
    const groups = groupsOf(prompts, streams ?? prompts.map((_, i) => i));
    const params = {
      ...{ max_tokens: maxNewTokens, temperature, top_p: topP, top_k: topK > 0 ? topK : -1 },
      ...(stopTokens.length > 0 && { stop: [...stopTokens] }),
    };
    const answers = await (await this.#server(held)).sample(
      groups.map(({ prompt, stream, count }) => ({
        prompt,
        count,
        params: { ...params, seed: (first + stream) % 2 ** 31 },
      })),
    );
    const { vocabularySize } = this.#base.config;
    const { endsByItself } = this.#traits;
    const result: SampleResult = { tokens: [], logprobs: [], stopReasons: [] };
    for (const [g, { count }] of groups.entries()) {
      const samples = answers[g]!;
      if (samples.length !== count) throw wrongSample(`holds ${samples.length} answers for ${count}`);
      for (const { tokens, logprobs, stopReason } of samples) {
        const least = endsByItself && stopReason === "stop" ? 0 : 1;
        if (tokens.length < least || tokens.length > maxNewTokens)
          throw wrongSample(`has ${tokens.length} tokens, and 1 to ${maxNewTokens} were asked for`);
        if (!within(tokens, vocabularySize))
          throw wrongSample(`has a token outside the vocabulary of ${vocabularySize}`);
        if (logprobs?.length !== tokens.length || !allFinite(logprobs))
          throw wrongSample("has not a finite log-probability for each token");
        const atStop = tokens.length > 0 && stopTokens.includes(tokens.at(-1)!);
        if (stopReason === "stop" && !atStop && !endsByItself)
          throw wrongSample(`stopped at none of the tokens ${stopTokens.join(", ")}`);
        result.tokens.push(numbersOf(tokens));
        result.logprobs.push(numbersOf(logprobs));
        result.stopReasons.push(atStop ? "stop" : stopReason);
      }
    }
    return result;
  }

  async forward<Output extends ForwardOutput>(
    id: ModelId,
    { sequences, outputs, temperature = 1 }: ForwardRequest<Output>,
    { beforePass }: PassOptions = {},
  ): Promise<ForwardResult<Output>> {
    const held = this.#held(id);
    const other = (outputs as readonly ForwardOutput[]).find((output) => output !== "logprobs");
    if (other !== undefined) throw new EngineError(`the engine tinker has no output ${other}`);
    if (temperature !== 1)
      throw new EngineError(`the engine tinker has no log-probabilities at temperature ${temperature}`);
    checkSequences(sequences, this.#base.config);
    beforePass?.(0, 1);
    return { logprobs: await this.#logprobs(held, sequences) } as unknown as ForwardResult<Output>;
  }

  async forwardBackward(
    id: ModelId,
    request: LossRequest,
    { beforePass, parts }: GradientOptions = {},
  ): Promise<ForwardBackwardResult> {
    const held = this.#held(id);
    const loss = supportedLoss(request);
    if (parts) throw new EngineError("the engine tinker has no norms of the gradient by part of a minibatch");
    const { sequences } = loss;
    checkSequences(sequences, this.#base.config);
    checkPerToken(loss);
    beforePass?.(0, 1);
    const logprobs = await this.#logprobs(held, sequences);
    const { loss: total, gradient } = tokenTerms(loss, logprobs);
    const nonFinite = Number(!Number.isFinite(total)) + nonFiniteCount(gradient);
    held.pending.push({ sequences, logprobs, gradient });
    held.spoiled ||= nonFinite > 0;
    return { loss: total, nonFinite, logprobs };
  }

  async optimStep(id: ModelId, request: OptimStepRequest): Promise<OptimStepResult> {
    const held = this.#held(id);
    const { learningRate, rateFactors = {}, beta1, beta2, epsilon, weightDecay, maxGradNorm } = request;
    const { capabilities, clips } = this.#traits;
    if (Object.values(rateFactors).some((factor) => factor !== 1))
      throw new EngineError("the engine tinker has no learning rates by parameter group");
    if (capabilities.clipping === "none" && maxGradNorm !== null)
      throw new EngineError("the server does not clip gradients", "Set maxGradNorm to null.");
    const { pending, spoiled } = held;
    held.pending = [];
    held.spoiled = false;
    if (spoiled) return { gradNorm: Number.NaN, skipped: true };
    const adam = {
      ...{ learning_rate: learningRate, beta1, beta2, eps: epsilon, weight_decay: weightDecay },
      ...(clips && { grad_clip_norm: maxGradNorm ?? 0 }),
    };
    const { data, places } = this.#gradientData(pending);
    // What is finite in float64 may not be in float32, which is what crosses the wire; and JSON has no numbers that are not.
    if (data.some(({ inputs }) => Object.values(inputs).some((row) => !allFinite(row))))
      return { gradNorm: Number.NaN, skipped: true };
    for (const [name, value] of Object.entries(adam))
      if (!Number.isFinite(value)) throw new EngineError(`the step's ${name} is ${value}; it must be a finite number`);
    const server = await this.#server(held);
    held.untouched = false;
    const metrics = await server.step(data, {
      adam,
      check: (answer) => {
        if (data.length > 0 && this.#traits.tokenLosses !== (answer.elementwise_loss !== undefined))
          throw new EngineError(
            `the server's results are not those of ${this.#backend}, which engine.backend names: its gradients would have a different scale`,
            "Correct engine.backend; no step was taken.",
          );
        checkDrift(
          places.map(({ pending, b, datum }) => ({
            before: pending.logprobs[b]!,
            after: answer.logprobs![datum]!.subarray(pending.sequences[b]!.start - 1),
          })),
        );
      },
    });
    if (!capabilities.gradientNorm) return { gradNorm: null, skipped: false };
    const norm = Object.entries(metrics).find(([name]) => /(^|[./])grad_norm$/.test(name))?.[1];
    if (typeof norm !== "number") return { gradNorm: null, skipped: false };
    if (!Number.isFinite(norm))
      throw new EngineError(
        `the gradient's norm on the server is ${norm}, although every loss was finite: the weights there are spoiled`,
        "Start the server again, then continue from the last checkpoint with: ballast resume RUN",
      );
    return { gradNorm: norm, skipped: false };
  }

  async zeroGrad(id: ModelId): Promise<void> {
    const held = this.#held(id);
    held.pending = [];
    held.spoiled = false;
  }

  /** Frees the server's slots: what is left there ends with the session, minutes later. */
  async close(): Promise<void> {
    const held = [...this.#models.values()];
    this.#models.clear();
    this.#client.drain();
    // The server does one operation after the other: a model that it has yet to make is made, then unloaded.
    const unmade = [...this.#numbers.pending].map((model) => submitUnload(this.#client, model));
    const released = Promise.allSettled([...unmade, ...held.map((one) => this.#release(one))]);
    const limit = new Promise((done) => setTimeout(done, 10_000).unref());
    await Promise.race([released, limit]);
    await this.#client.close();
  }

  async #logprobs(held: Held, sequences: readonly Sequence[]): Promise<number[][]> {
    const asked = sequences.flatMap((sequence, b) => (sequence.start < sequence.tokens.length ? [b] : []));
    if (asked.length === 0) return sequences.map(() => []);
    const data = asked.map((b) => datumOf(sequences[b]!, { weights: 1 }));
    const { logprobs } = await (await this.#server(held)).forward(this.#filled(data, { weights: 0 }));
    const result: number[][] = sequences.map(() => []);
    for (const [i, b] of asked.entries()) result[b] = scoredOf(logprobs![i]!, sequences[b]!);
    return result;
  }

  /** The sequences of all losses since the last step, with factors that give the sum of the losses on this server. */
  #gradientData(losses: readonly PendingLoss[]) {
    const { reduction, sendsWeights } = this.#traits;
    const places = losses.flatMap((pending) =>
      pending.sequences.flatMap(({ tokens, start }, b) => (start < tokens.length ? [{ pending, b, datum: 0 }] : [])),
    );
    const count = this.#filledCount(places.length);
    const data = places.map((place, datum) => {
      place.datum = datum;
      const { pending, b } = place;
      const row = pending.gradient[b]!;
      // Importance sampling, -exp(log p - q) A: at q = log p its derivative is -A.
      const scale = reduction === "sum" ? 1 : row.length * count;
      const advantages = new Float32Array(row.length);
      for (let t = 0; t < row.length; t++) advantages[t] = -row[t]! * scale;
      const inputs = { logprobs: pending.logprobs[b]!, advantages };
      return datumOf(pending.sequences[b]!, sendsWeights ? { weights: 1, ...inputs } : inputs);
    });
    return { places, data: this.#filled(data, { weights: 0, logprobs: 0, advantages: 0 }) };
  }

  #filledCount(count: number): number {
    const { passMultiple } = this.#traits;
    return Math.ceil(count / passMultiple) * passMultiple;
  }

  #filled(data: readonly Datum[], inputs: Readonly<Record<string, number>>): Datum[] {
    const empty = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, Float32Array.of(value)]));
    const fill = { tokens: Int32Array.of(0), targets: Int32Array.of(0), inputs: empty };
    return [...data, ...Array.from({ length: this.#filledCount(data.length) - data.length }, () => fill)];
  }

  async #opened(options: Pick<Held, "rank" | "frozen" | "seed" | "state">): Promise<ModelInfo> {
    const info = this.#add({ ...options, own: null });
    try {
      // At once, so that what the server refuses is said before the run begins.
      await this.#server(this.#held(info.id));
      return info;
    } catch (error) {
      this.#models.delete(info.id);
      throw error;
    }
  }

  #add({ rank, frozen, seed, state, own }: Pick<Held, "rank" | "frozen" | "seed" | "state" | "own">): ModelInfo {
    const config = frozen && state === null ? this.#base.config : this.#configOf(rank);
    const specs = parameterSpecs(config, ["lm"]);
    const size = (some: typeof specs) => some.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const trained = frozen ? 0 : size(specs.filter(({ trainable }) => trainable));
    const info = {
      id: `tinker-${this.#next++}`,
      config,
      heads: ["lm"] as const,
      parameters: size(specs),
      trained,
    };
    this.#models.set(info.id, {
      ...{ info, rank, frozen, seed, state, own, server: null, untouched: true, pending: [], spoiled: false },
    });
    return info;
  }

  #configOf(rank: number): ModelConfig {
    const { config } = this.#base;
    return { ...config, adapter: newAdapter(blockProjections(config), { rank, alpha }) };
  }

  #rankOf({ rank, alpha: given, rslora = false, targets }: AdapterRequest): number {
    if (given === alpha && !rslora && targets === undefined) return rank;
    throw new EngineError(
      `a server of Tinker's protocol has adapters of alpha ${alpha} on all projections, and only their rank can be chosen`,
      `Set lora.alpha to ${alpha}, and remove lora.rslora and lora.targets.`,
    );
  }

  #server(held: Held): Promise<ServerModel> {
    const { rank, seed, state } = held;
    held.server ??= ServerModel.create(this.#client, this.#numbers, { baseModel: this.#base.name, rank, seed, state });
    return held.server;
  }

  #held(id: ModelId): Held {
    const held = this.#models.get(id);
    if (!held) throw new EngineError(`there is no model ${id}`);
    return held;
  }

  #checkHeads(heads: readonly HeadKind[]): void {
    if (heads.includes("scalar"))
      throw new EngineError(
        "the engine tinker has no scalar heads",
        "engine.critic={kind: embedded} keeps the critic on this machine.",
      );
  }

  #checkFolder(folder: string): void {
    if (resolve(folder) === this.#base.folder) return;
    throw new UsageError(
      `the server cannot read the model in ${folder}: it holds its own base model and the states that it saved`,
      `Give ${this.#base.folder}, the folder of model.path, which stands for the base model, or a URI tinker://... of a saved state.`,
    );
  }

  async #stateInfo(uri: string): Promise<{ readonly rank: number }> {
    if (schemeOf(uri) !== "tinker")
      throw new EngineError(`${uri} is a URI of a different engine: this one reads tinker://`);
    try {
      const { lora_rank: rank } = await this.#client.post("weights_info", { tinker_path: uri });
      if (typeof rank === "number" && rank > 0) return { rank };
      throw new CheckpointError(`the state ${uri} is not an adapter's`);
    } catch (error) {
      // These statuses mean that the state does not exist. A busy server, or one that wants to be paid, answers with a different status.
      if (!(error instanceof ServerRefusal && [400, 404, 410, 422].includes(error.status))) throw error;
      throw new CheckpointError(
        `the server has no state ${uri}: ${error.message}`,
        "Start it with the checkpoints and the database that it had; they hold its states.",
        { cause: error },
      );
    }
  }
}

interface Group {
  readonly prompt: readonly number[];
  readonly stream: number;
  count: number;
}

/** Neighbours with the same prompt and the next stream are one request for several answers: answer i has the seed of the first plus i. */
export function groupsOf(prompts: readonly (readonly number[])[], streams: readonly number[]): Group[] {
  const groups: Group[] = [];
  for (const [i, prompt] of prompts.entries()) {
    const last = groups.at(-1);
    const stream = streams[i]!;
    const same =
      last?.prompt === prompt ||
      (last?.prompt.length === prompt.length && last.prompt.every((x, t) => x === prompt[t]));
    if (last && same && stream === last.stream + last.count) last.count++;
    else groups.push({ prompt, stream, count: 1 });
  }
  return groups;
}

/** A sequence as the server reads it: position t predicts token t + 1. Inputs have an entry, or one number, for each scored token, and 0 elsewhere. */
function datumOf({ tokens, start }: Sequence, inputs: Readonly<Record<string, ArrayLike<number> | number>>): Datum {
  const length = tokens.length - 1;
  const ids = new Int32Array(tokens.length);
  for (let t = 0; t < tokens.length; t++) ids[t] = tokens[t]!;
  const whole = Object.entries(inputs).map(([name, row]) => {
    const filled = new Float32Array(length);
    if (typeof row === "number") filled.fill(row, start - 1);
    else for (let t = 0; t < row.length; t++) filled[start - 1 + t] = row[t]!;
    return [name, filled];
  });
  return { tokens: ids.subarray(0, -1), targets: ids.subarray(1), inputs: Object.fromEntries(whole) };
}

function scoredOf(row: Float32Array, { start }: Sequence): number[] {
  return numbersOf(row.subarray(start - 1));
}

/** The numbers as a list, which takes a loop a tenth of the time that Array.from takes. */
function numbersOf(row: Int32Array | Float32Array): number[] {
  const numbers = new Array<number>(row.length);
  for (let t = 0; t < row.length; t++) numbers[t] = row[t]!;
  return numbers;
}

function within(tokens: Int32Array, size: number): boolean {
  for (let t = 0; t < tokens.length; t++) if (tokens[t]! < 0 || tokens[t]! >= size) return false;
  return true;
}

function checkDrift(pairs: readonly { readonly before: readonly number[]; readonly after: Float32Array }[]): void {
  let total = 0;
  let count = 0;
  for (const { before, after } of pairs)
    for (let t = 0; t < before.length; t++) {
      total += Math.abs(before[t]! - after[t]!);
      count++;
    }
  if (count === 0 || total / count <= mostDrift) return;
  throw new EngineError(
    `the server's forward and forward_backward passes differ by ${(total / count).toFixed(3)} nats a token at the same weights: its numbers cannot be trusted`,
    "Start the server again, then continue from the last checkpoint with: ballast resume RUN",
  );
}

function wrongSample(problem: string): EngineError {
  return new EngineError(
    `a sample of the server ${problem}`,
    "See the server's log; start it again, then continue with: ballast resume RUN",
  );
}
