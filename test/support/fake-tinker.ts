/**
 * A server of Tinker's protocol in this process, written from its wire format, whose models are bigrams: `means` adds up losses as SkyRL's JAX backend
 * does, `sum` as the others. It proves nothing about real servers; those are tried by the tests in the mode `tinker`.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { ModelConfig, Sequence } from "../../src/engine/engine.ts";
import { bytesOf, listOf, MessageWriter, numberOf, readMessage, textOf } from "../../src/engine/tinker/protobuf.ts";
import { BigramEngine } from "./bigram-engine.ts";

/**
 * What goes wrong with a request: a status in place of an answer; `cut`: the connection ends before the work; `lost`: it ends after the work. Undefined:
 * nothing.
 */
type Trouble = (path: string, body: Buffer) => number | "cut" | "lost" | undefined;

/** What outlives a server: its states, and the number of the next model. */
export interface FakeDisk {
  readonly states: Map<string, string>;
  models: number;
}

export const newDisk = (): FakeDisk => ({ states: new Map(), models: 0 });

interface FakeModel {
  readonly id: string;
  operations: number;
  /** Sequences since the last step. */
  sequences: number;
  sampler: string | null;
}

interface Datum {
  readonly tokens: number[];
  readonly targets: number[];
  readonly inputs: Readonly<Record<string, number[]>>;
}

type Answer = { readonly json: object } | { readonly bytes: Uint8Array } | { readonly fails: string };

export class FakeTinker {
  readonly engine = new BigramEngine();
  readonly asked: { readonly path: string; readonly headers: IncomingMessage["headers"] }[] = [];
  readonly models = new Map<string, FakeModel>();
  readonly #futures: Answer[] = [];
  readonly #server: Server;
  readonly #disk: FakeDisk;
  readonly #config: ModelConfig;
  #queue: Promise<unknown> = Promise.resolve();
  #base: string | null = null;
  sessions = new Set<string>();
  /** Names that saved weights and samplers have taken. */
  readonly #names = new Set<string>();
  readonly #numbered = new Map<string, Promise<[number, object | Uint8Array]>>();
  /** Models made so far. */
  made = 0;
  /** Models are made when this is. */
  hold: Promise<unknown> = Promise.resolve();
  slots = 3;
  key: string | null = null;
  baseModel = "tiny";
  /** What the list of served models says; by default the base model. */
  served: string[] | null = null;
  reduction: "means" | "sum" = "means";
  trouble: Trouble = () => undefined;
  /** May change the log-probabilities of a pass. */
  distort: (rows: number[][], kind: "forward" | "backward") => number[][] = (rows) => rows;
  /** A token at which an answer ends besides those that are asked for, as vLLM ends at those of generation_config.json. */
  ownEnd: number | null = null;
  /** Whether answers are without the token that ended them. */
  leavesOutEnds = false;
  /** The sampler's log-probabilities are higher by this. */
  samplerGap = 0;

  constructor(config: ModelConfig, disk: FakeDisk = newDisk()) {
    this.#config = config;
    this.#disk = disk;
    this.engine.states = disk.states;
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", async () => {
        const path = request.url!.replace("/api/v1/", "");
        const body = Buffer.concat(parts);
        this.asked.push({ path, headers: request.headers });
        const trouble = this.trouble(path, body);
        if (trouble === "cut") return void request.socket.destroy();
        const send = (status: number, content: object | Uint8Array) => {
          const bytes = content instanceof Uint8Array;
          response.writeHead(status, { "content-type": bytes ? "application/x-protobuf" : "application/json" });
          response.end(status === 204 ? undefined : bytes ? content : JSON.stringify(content));
        };
        if (typeof trouble === "number") return send(trouble, { detail: `trouble ${trouble}` });
        if (this.key !== null && request.headers["x-api-key"] !== this.key) return send(401, { detail: "bad key" });
        try {
          const [status, content] = await this.#answerOnce(request.method!, path, {
            body,
            type: request.headers["content-type"],
          });
          if (trouble === "lost") return void request.socket.destroy();
          send(status, content);
        } catch (error) {
          send(500, { detail: String(error) });
        }
      });
    });
  }

  /** Ends all sessions, as a real server does that hears nothing for minutes. */
  expire(): void {
    this.sessions.clear();
    this.models.clear();
  }

  /** What it keeps on its disk. */
  get states(): Map<string, string> {
    return this.#disk.states;
  }

  /** Starts it and returns its address. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(port, "127.0.0.1", done));
    return this.address;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends it as a kill would: open requests are cut, models are gone. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** A pass or a step with the number and the content of an earlier one is that one: it is done once. */
  async #answerOnce(
    method: string,
    path: string,
    content: { readonly body: Buffer; readonly type: string | undefined },
  ): Promise<[number, object | Uint8Array]> {
    if (path !== "forward_backward" && path !== "optim_step") return this.#answer(method, path, content);
    const key = `${path} ${content.body.toString("base64")}`;
    const answer = this.#numbered.get(key) ?? this.#answer(method, path, content);
    this.#numbered.set(key, answer);
    return answer;
  }

  async #answer(
    method: string,
    path: string,
    { body, type }: { readonly body: Buffer; readonly type: string | undefined },
  ): Promise<[number, object | Uint8Array]> {
    if (method === "DELETE") {
      const [, model, name] = /^training_runs\/(.+)\/checkpoints\/weights\/(.+)$/.exec(path) ?? [];
      return this.#disk.states.delete(`tinker://${model}/weights/${name}`) ? [204, {}] : [404, { detail: "none" }];
    }
    if (path === "forward_backward") {
      if (type !== "application/x-protobuf") return [415, { detail: "protobuf only" }];
      return this.#submit(this.#pass(body));
    }
    const request = body.length > 0 ? JSON.parse(body.toString()) : {};
    const model = this.models.get(request.model_id);
    const gone = { fails: `Model ${request.model_id} not loaded` };
    switch (path) {
      case "client/config":
        return [200, { pjwt_auth_enabled: false }];
      case "get_server_capabilities":
        return [200, { supported_models: (this.served ?? [this.baseModel]).map((model_name) => ({ model_name })) }];
      case "create_session": {
        const session_id = `session_${this.sessions.size + 1}`;
        this.sessions.add(session_id);
        return [200, { type: "create_session", session_id }];
      }
      case "session_heartbeat":
        return this.sessions.has(request.session_id) ? [200, {}] : [404, { detail: "Session not found" }];
      case "create_model": {
        const model_id = `model_${++this.#disk.models}`;
        const [status, answer] = this.#submit(this.#create(model_id, request));
        return [status, { ...answer, model_id }];
      }
      case "unload_model":
        return this.#submit(
          this.#after(async () => {
            if (!this.models.delete(request.model_id)) return gone;
            return { json: { model_id: request.model_id, status: "unloaded", type: "unload_model" } };
          }),
        );
      case "optim_step":
        return this.#submit(this.#after(async () => (model ? this.#step(model, request.adam_params) : gone)));
      case "save_weights":
        if (!this.#take(`${request.model_id}/${request.path}`)) return [409, { detail: "the name is taken" }];
        return this.#submit(
          this.#after(async () => {
            if (!model) return gone;
            model.operations++;
            const state = await this.engine.saveModel(model.id, "", { optimizer: true });
            const uri = `tinker://${request.model_id}/weights/${request.path}`;
            this.#disk.states.set(uri, this.#disk.states.get(state)!);
            this.#disk.states.delete(state);
            return { json: { path: uri, type: "save_weights" } };
          }),
        );
      case "load_weights": {
        if (model && model.operations > 0)
          return [400, { detail: `LoadWeights is not permitted with seq_id ${request.seq_id}` }];
        return this.#submit(
          this.#after(async () => {
            if (!model) return gone;
            const { id } = await this.engine.loadModel(request.path, { optimizer: request.optimizer });
            this.models.set(request.model_id, { ...model, id, operations: 1 });
            return { json: { type: "load_weights" } };
          }),
        );
      }
      case "weights_info":
        return this.#disk.states.has(request.tinker_path)
          ? [200, { base_model: this.baseModel, is_lora: true, lora_rank: 4 }]
          : [404, { detail: "Checkpoint not found" }];
      case "save_weights_for_sampler":
        if (!this.#take(`${request.model_id}/sampler ${request.sampling_session_seq_id}`))
          return [409, { detail: "the name is taken" }];
        return this.#submit(
          this.#after(async () => {
            if (!model) return gone;
            model.operations++;
            model.sampler = `sampling_${request.model_id}_${model.operations}`;
            return { json: { path: null, sampling_session_id: model.sampler } };
          }),
        );
      case "asample":
        return this.#submit(this.#after(() => this.#sample(request)));
      case "retrieve_future": {
        const answer = await this.#futures[Number(request.request_id)];
        if (answer === undefined) return [404, { detail: "Future not found" }];
        if ("fails" in answer) return [400, { detail: answer.fails }];
        return [200, "bytes" in answer ? answer.bytes : answer.json];
      }
      default:
        return [404, { detail: "Not Found" }];
    }
  }

  /** Whether the name was free. */
  #take(name: string): boolean {
    const free = !this.#names.has(name);
    this.#names.add(name);
    return free;
  }

  #submit(answer: Promise<Answer>): [number, object] {
    this.#futures.push(answer as unknown as Answer);
    return [200, { request_id: String(this.#futures.length - 1), status: "pending" }];
  }

  /** Operations are done one after the other, as they came. */
  #after(work: () => Promise<Answer>): Promise<Answer> {
    const done = this.#queue.then(work).catch((error): Answer => ({ fails: String(error) }));
    this.#queue = done;
    return done;
  }

  #create(model_id: string, { lora_config: { rank } }: { lora_config: { rank: number } }): Promise<Answer> {
    return this.#after(async () => {
      await this.hold;
      if (this.models.size >= this.slots)
        return { fails: `Maximum number of LoRA adapters (${this.slots + 1}) reached` };
      if (!(rank >= 1 && rank <= 8)) return { fails: `LoRA rank ${rank} must be between 1 and 8` };
      this.#base ??= (await this.engine.createModel({ config: this.#config, heads: ["lm"], seed: 1 })).id;
      const { id } = await this.engine.cloneModel(this.#base);
      this.made++;
      this.models.set(model_id, { id, operations: 0, sequences: 0, sampler: null });
      return { json: { model_id, base_model: this.baseModel, lora_config: { rank, alpha: 32 } } };
    });
  }

  #pass(body: Buffer): Promise<Answer> {
    const message = readMessage(body);
    const name = textOf(message, 1);
    const data = listOf(message, 3).map(datumOf);
    const forwardOnly = numberOf(message, 6) === 1;
    const model = this.models.get(name);
    const means = this.reduction === "means";
    return this.#after(async () => {
      if (!model) return { fails: `Model ${name} not loaded` };
      model.operations++;
      for (const { tokens, targets, inputs } of data)
        for (const row of [targets, ...Object.values(inputs)])
          if (row.length !== tokens.length || !row.every(Number.isFinite))
            return { fails: "a client should never send this" };
      const sequences = data.map(({ tokens, targets }): Sequence => ({ tokens: [tokens[0]!, ...targets], start: 1 }));
      const { logprobs } = await this.engine.forward(model.id, { sequences, outputs: ["logprobs"] });
      const rows = this.distort(logprobs, forwardOnly ? "forward" : "backward");
      if (forwardOnly) return { bytes: passResult({ logprobs: rows }) };
      const weightsOf = ({ inputs, tokens }: Datum) => inputs.weights ?? tokens.map(() => 1);
      const sum = (row: readonly number[]) => row.reduce((total, x) => total + x, 0);
      await this.engine.forwardBackward(model.id, {
        ...{ name: "policy", sequences, oldLogprobs: data.map(({ inputs }) => inputs.logprobs!) },
        advantages: data.map(({ inputs }) => inputs.advantages!),
        weights: data.map((one) => weightsOf(one).map((w) => (means ? w / Math.max(sum(weightsOf(one)), 1e-9) : w))),
        config: { ...{ clipLow: 1, clipHigh: 1e9, dualClip: null, entropyCoef: 0, kl: null, temperature: 1 } },
      });
      model.sequences += data.length;
      return {
        bytes: passResult({ logprobs: rows, ...(means && { elementwise_loss: rows.map((row) => row.map(() => 0)) }) }),
      };
    });
  }

  async #step(model: FakeModel, adam: Record<string, number>): Promise<Answer> {
    model.operations++;
    model.sampler = null;
    const factor = this.reduction === "means" ? 1 / Math.max(1, model.sequences) : 1;
    model.sequences = 0;
    const { gradients } = this.engine.models.get(model.id)!;
    for (const row of Object.values(gradients)) for (const [i, g] of row.entries()) row[i] = g * factor;
    const { learning_rate: learningRate, beta1, beta2, eps: epsilon, weight_decay: weightDecay } = adam;
    const { gradNorm } = await this.engine.optimStep(model.id, {
      ...{ learningRate: learningRate!, beta1: beta1!, beta2: beta2!, epsilon: epsilon!, weightDecay: weightDecay! },
      maxGradNorm: adam.grad_clip_norm || null,
    });
    return { json: { metrics: { "skyrl.ai/grad_norm": gradNorm } } };
  }

  async #sample(request: {
    sampling_session_id: string;
    num_samples: number;
    prompt: { chunks: { tokens: number[] }[] };
    sampling_params: {
      seed: number;
      max_tokens: number;
      temperature: number;
      top_k: number;
      top_p: number;
      stop?: number[];
    };
  }): Promise<Answer> {
    const model = [...this.models.values()].find(({ sampler }) => sampler === request.sampling_session_id);
    // A real server would load the old weights into the model.
    if (!model) return { fails: "an old sampler was used" };
    const { seed, max_tokens, temperature, top_k, top_p, stop = [] } = request.sampling_params;
    const stopTokens = this.ownEnd === null ? stop : [...stop, this.ownEnd];
    const message = new MessageWriter();
    for (let i = 0; i < request.num_samples; i++) {
      const { tokens, logprobs, stopReasons } = await this.engine.sample(model.id, {
        ...{ prompts: [request.prompt.chunks.flatMap((chunk) => chunk.tokens)], streams: [0], seed: seed + i },
        ...{ maxNewTokens: max_tokens, stopTokens, temperature, topK: Math.max(0, top_k), topP: top_p },
      });
      const length = tokens[0]!.length - Number(this.leavesOutEnds && stopReasons[0] === "stop");
      const gapped = logprobs[0]!.slice(0, length).map((x) => x + this.samplerGap);
      const sequence = new MessageWriter()
        .varint(1, stopReasons[0] === "length")
        .bytes(2, new Uint8Array(Int32Array.from(tokens[0]!.slice(0, length)).buffer))
        .bytes(3, new Uint8Array(Float32Array.from(gapped).buffer), { always: true });
      message.bytes(1, sequence, { always: true });
    }
    return { bytes: message.finish() };
  }
}

function datumOf(bytes: Uint8Array): Datum {
  const message = readMessage(bytes);
  const copy = (part: Uint8Array) => Uint8Array.from(part).buffer;
  const tokens = listOf(message, 1).flatMap((chunk) =>
    Array.from(new Int32Array(copy(bytesOf(readMessage(bytesOf(readMessage(chunk), 1)), 1)))),
  );
  const inputs: Record<string, number[]> = {};
  for (const entry of listOf(message, 2)) {
    const field = readMessage(entry);
    const tensor = readMessage(bytesOf(field, 2));
    const data = copy(bytesOf(tensor, 1));
    inputs[textOf(field, 1)] =
      numberOf(tensor, 3) === 2 ? Array.from(new BigInt64Array(data), Number) : Array.from(new Float32Array(data));
  }
  const { target_tokens: targets = [], ...others } = inputs;
  return { tokens, targets, inputs: others };
}

function passResult(fields: Readonly<Record<string, readonly (readonly number[])[]>>): Uint8Array {
  const record = new MessageWriter();
  for (const [name, rows] of Object.entries(fields)) {
    const ends = [0];
    for (const row of rows) ends.push(ends.at(-1)! + 4 * row.length);
    const tensor = new MessageWriter()
      .bytes(1, new Uint8Array(Float32Array.from(rows.flat()).buffer))
      .bytes(2, new Uint8Array(BigInt64Array.from(ends, BigInt).buffer))
      .varint(3, 1);
    record.bytes(2, new MessageWriter().bytes(1, name).bytes(2, tensor, { always: true }), { always: true });
  }
  return new MessageWriter().bytes(1, "scalar").bytes(2, record, { always: true }).finish();
}
