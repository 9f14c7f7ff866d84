/** One model on a server: its adapter, the order of its operations, its sampler. */
import { randomUUID } from "node:crypto";
import { EngineError } from "../../util/errors.ts";
import {
  type FutureResult,
  ModelGone,
  type PassLimits,
  ServerRefusal,
  type Submitted,
  type TinkerClient,
} from "./tinker-client.ts";
import {
  type Datum,
  decodePass,
  decodeSamples,
  encodePass,
  type PassAnswer,
  type SampledAnswer,
} from "./tinker-messages.ts";

export interface AdapterState {
  readonly uri: string;
  readonly optimizer: boolean;
}

export interface ServerModelRequest {
  readonly baseModel: string;
  readonly rank: number;
  readonly seed: number;
  /** The state to begin from; null for a new adapter, which computes what its base does. */
  readonly state: AdapterState | null;
}

/** What a session counts and knows, over its models. */
export class SessionNumbers {
  models = 0;
  samplers = 0;
  /** Models that the server was asked for and has not answered for: they hold slots, too. */
  readonly pending = new Set<string>();
}

export class ServerModel {
  readonly #client: TinkerClient;
  readonly #numbers: SessionNumbers;
  readonly #id: string;
  #next = 1;
  /** Submissions, one after the other: the server reads them by their numbers. */
  #submitting: Promise<unknown> = Promise.resolve();
  #sampler: string | null = null;
  #samples = 0;

  private constructor(client: TinkerClient, numbers: SessionNumbers, id: string) {
    this.#client = client;
    this.#numbers = numbers;
    this.#id = id;
  }

  /** Creates the model on the server. Throws EngineError if the server trains a different base model than it is asked for. */
  static async create(
    client: TinkerClient,
    numbers: SessionNumbers,
    request: ServerModelRequest,
  ): Promise<ServerModel> {
    const { state } = request;
    for (let tries = 0; ; tries++) {
      const model = await ServerModel.#made(client, numbers, request);
      if (state === null) return model;
      try {
        await model.#operation("load_weights", "load_weights", { path: state.uri, optimizer: state.optimizer });
        return model;
      } catch (error) {
        await model.unload().catch(() => {});
        // A model takes a state only before anything else: an attempt whose answer was lost was something else. A new model has had none.
        const refused = error instanceof ServerRefusal && (error.status === 400 || error.status === 409);
        if (!refused || tries > 0) throw error;
      }
    }
  }

  /** A new adapter on the base model. */
  static async #made(
    client: TinkerClient,
    numbers: SessionNumbers,
    { baseModel, rank, seed }: ServerModelRequest,
  ): Promise<ServerModel> {
    const body = {
      session_id: client.session,
      model_seq_id: numbers.models++,
      base_model: baseModel,
      lora_config: { rank, seed, train_unembed: true, train_mlp: true, train_attn: true },
      user_metadata: {},
      type: "create_model",
    };
    const submitted = await client.submit("create_model", () => body, { urgent: true });
    if (submitted.model !== null) numbers.pending.add(submitted.model);
    const made = jsonOf(await client.result(submitted, "create_model"), "create_model");
    if (submitted.model !== null) numbers.pending.delete(submitted.model);
    const id = made.model_id ?? submitted.model;
    if (typeof id !== "string") throw new EngineError("the server made a model and gave it no id", otherVersion);
    const model = new ServerModel(client, numbers, id);
    if (typeof made.base_model !== "string" || made.base_model === baseModel) return model;
    await model.unload().catch(() => {});
    throw new EngineError(
      `the server trains ${made.base_model}, and engine.model is ${baseModel}`,
      "Servers take any name: correct engine.model and model.path, or start the server with the other model.",
    );
  }

  /** Log-probabilities at every position; no gradient is kept. */
  async forward(data: readonly Datum[]): Promise<PassAnswer> {
    const results = await this.#passes(data, { lossName: "cross_entropy", forwardOnly: true });
    return this.#answers(results, "forward");
  }

  /**
   * Adds the gradient, then takes a step. The step is submitted when the gradient is there: SkyRL 0.4 looks for passes and for steps in two queries, and a
   * pass and a step that both arrive in between are done in the wrong order, which gives a step without a gradient (docs/engines.md).
   */
  async step(
    data: readonly Datum[],
    {
      adam,
      check,
    }: {
      readonly adam: object /** Throws if the gradient is not what it should be: no step is taken then. */;
      readonly check: (answer: PassAnswer) => void;
    },
  ): Promise<Readonly<Record<string, unknown>>> {
    this.#sampler = null;
    const passes = await this.#passes(data, { lossName: "importance_sampling", forwardOnly: false });
    check(await this.#answers(passes, "forward_backward"));
    const { metrics } = await this.#operation("optim_step", "optim_step", { adam_params: adam });
    return (metrics ?? {}) as Readonly<Record<string, unknown>>;
  }

  /** Saves weights and optimizer under a new name, and returns the URI. */
  async save(): Promise<string> {
    const { path } = await this.#named("save_weights", () => ({ path: `ballast-${randomUUID()}` }));
    if (typeof path !== "string") throw new EngineError("the server saved the weights and gave no URI", otherVersion);
    return path;
  }

  /** Samples from the present weights; each request has a prompt and the number of its answers. */
  async sample(
    requests: readonly { readonly prompt: readonly number[]; readonly count: number; readonly params: object }[],
  ): Promise<SampledAnswer[][]> {
    // A sampler of older weights must never be used again: a server may load them into the model that is trained.
    this.#sampler ??= await this.#openSampler();
    const session = this.#sampler;
    const submitted = await Promise.all(
      requests.map(({ prompt, count, params }) => {
        const number = this.#samples++;
        return this.#client.submit("asample", () => ({
          sampling_session_id: session,
          seq_id: number,
          num_samples: count,
          prompt: { chunks: [{ type: "encoded_text", tokens: prompt }] },
          sampling_params: params,
          type: "sample",
        }));
      }),
    );
    return Promise.all(
      submitted.map(async (one) =>
        messageOf(await this.#client.result(one, "sample"), { what: "sample", decode: decodeSamples }),
      ),
    );
  }

  async unload(): Promise<void> {
    try {
      await this.#client.result(await submitUnload(this.#client, this.#id), "unload_model");
    } catch (error) {
      // Of an earlier attempt whose answer was lost, or of the server's own accord.
      if (!(error instanceof ModelGone)) throw error;
    }
  }

  async #openSampler(): Promise<string> {
    this.#samples = 0;
    const { sampling_session_id: id } = await this.#named("save_weights_for_sampler", () => ({
      sampling_session_seq_id: this.#numbers.samplers++,
    }));
    if (typeof id !== "string") throw new EngineError("the server gave no sampler for the weights", otherVersion);
    return id;
  }

  /** Submits the sequences in requests of the SDK's sizes; returns each request's future and its sequences. */
  async #passes(
    data: readonly Datum[],
    { lossName, forwardOnly }: { readonly lossName: string; readonly forwardOnly: boolean },
  ) {
    const passes: Pass[] = [];
    for (const part of requestsOf(data, this.#client.limits))
      passes.push({
        part,
        submitted: await this.#numbered("forward_backward", (sequenceNumber) =>
          encodePass({ model: this.#id, sequenceNumber, lossName, data: part, forwardOnly }),
        ),
      });
    return passes;
  }

  async #answers(passes: readonly Pass[], what: string): Promise<PassAnswer> {
    const whole: Record<string, Float32Array[]> = {};
    const answers = await Promise.all(
      passes.map(async ({ submitted, part }) => {
        const answer = messageOf(await this.#client.result(submitted, what), { what, decode: decodePass });
        checkRows(answer, part, what);
        return answer;
      }),
    );
    for (const answer of answers) {
      for (const [name, rows] of Object.entries(answer)) {
        whole[name] ??= [];
        whole[name].push(...rows);
      }
    }
    return whole;
  }

  /**
   * An operation under a name that nothing had before. If the name is taken, the server did what an earlier attempt asked, and its answer or its result was
   * lost: it is asked once more, under a new name.
   */
  async #named(path: string, body: () => object): Promise<Readonly<Record<string, unknown>>> {
    const number = this.#next;
    try {
      return await this.#operation(path, path, body());
    } catch (error) {
      if (!(error instanceof ServerRefusal && error.status === 409)) throw error;
      // A lost attempt has taken its number; one whose result was lost has been counted.
      if (this.#next === number) this.#next++;
      return this.#operation(path, path, body());
    }
  }

  async #operation(path: string, what: string, body: object): Promise<Readonly<Record<string, unknown>>> {
    return jsonOf(await this.#client.result(await this.#submit(path, body), what), what);
  }

  #submit(path: string, body: object): Promise<Submitted> {
    return this.#numbered(path, (number) => ({ model_id: this.#id, seq_id: number, ...body, type: path }));
  }

  /** A request with the model's next number, which it takes only if the server takes the request. */
  #numbered(path: string, body: (number: number) => object | Uint8Array): Promise<Submitted> {
    const submitted = this.#submitting.then(async () => {
      const number = this.#next;
      const taken = await this.#client.submit(path, () => body(number));
      this.#next++;
      return taken;
    });
    this.#submitting = submitted.catch(() => {});
    return submitted;
  }
}

interface Pass {
  readonly submitted: Submitted;
  readonly part: readonly Datum[];
}

/** Frees a model's slot. */
export function submitUnload(client: TinkerClient, model: string): Promise<Submitted> {
  return client.submit("unload_model", () => ({ model_id: model, type: "unload_model" }), { urgent: true });
}

/** The sequences in parts that one request may hold. */
export function requestsOf(data: readonly Datum[], limits: PassLimits): Datum[][] {
  const parts: Datum[][] = [];
  let bytes = 0;
  for (const datum of data) {
    const size = datum.tokens.length * (4 + 8 + 4 * Object.keys(datum.inputs).length);
    const last = parts.at(-1);
    if (last === undefined || last.length === limits.sequences || bytes + size > limits.bytes) {
      parts.push([datum]);
      bytes = size;
    } else {
      last.push(datum);
      bytes += size;
    }
  }
  return parts;
}

/** Throws EngineError if an output has not one number for each position, or one that is not finite. */
function checkRows(answer: PassAnswer, part: readonly Datum[], what: string): void {
  const rows = answer.logprobs;
  const spoiled = (problem: string) =>
    new EngineError(
      `the server's result of ${what} ${problem}: it cannot be trusted`,
      "Start the server again before anything else, since all its models may be affected; then continue with: ballast resume RUN",
    );
  if (rows === undefined) throw spoiled("has no log-probabilities");
  if (rows.length !== part.length) throw spoiled(`has ${rows.length} sequences for ${part.length}`);
  for (const [i, row] of rows.entries()) {
    if (row.length !== part[i]!.tokens.length)
      throw spoiled(`has ${row.length} log-probabilities for ${part[i]!.tokens.length} tokens`);
    if (!allFinite(row)) throw spoiled("has numbers that are not finite");
  }
  const losses = answer.elementwise_loss;
  if (losses !== undefined && losses.length !== part.length)
    throw spoiled(`has losses of ${losses.length} sequences for ${part.length}`);
  if (losses?.some((row) => !allFinite(row))) throw spoiled("has losses that are not finite");
}

/** Whether every number is finite: only then is each less itself 0. */
export function allFinite(row: Float32Array): boolean {
  let zero = 0;
  for (let t = 0; t < row.length; t++) zero += row[t]! - row[t]!;
  return zero === 0;
}

const otherVersion =
  "It speaks a different version of the protocol: docs/engines.md names the versions that were tried.";

function messageOf<Message>(
  result: FutureResult,
  { what, decode }: { readonly what: string; readonly decode: (bytes: Uint8Array) => Message },
): Message {
  if (!("bytes" in result)) throw new EngineError(`the server answered ${what} in JSON, not protobuf`, otherVersion);
  try {
    return decode(result.bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new EngineError(
      `the server's result of ${what} is not what this client reads: ${error.message}`,
      otherVersion,
      {
        cause: error,
      },
    );
  }
}

function jsonOf(result: FutureResult, what: string): Readonly<Record<string, unknown>> {
  if ("json" in result) return result.json;
  throw new EngineError(`the server answered ${what} with a protobuf message, not JSON`, otherVersion);
}
