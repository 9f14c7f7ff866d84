/**
 * A server of Tinker's protocol that computes nothing and answers at once, so that what remains is the client's side. It runs in a process of its own;
 * log-probabilities are about -1 and change by about 0.01 with each step, and a sample is one of some sequences that were drawn before. It measures
 * Ballast and proves nothing about servers.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { bytesOf, listOf, MessageWriter, numberOf, readMessage, textOf } from "../src/engine/tinker/protobuf.ts";

const [baseModel = "base", vocabularySize = "151000"] = process.argv.slice(2);
const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
const raw = (array: Int32Array | Float32Array | BigInt64Array) => new Uint8Array(array.buffer);

let state = 1;
/** From 0 to 1, by a multiplicative generator. */
function uniform(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** Log-probabilities by position from a sequence's end, after 0, 1, ... steps; then again. */
const longest = 8192;
const base = Array.from({ length: longest }, () => Math.log(uniform() + 1e-3));
const afterSteps = Array.from({ length: 16 }, () => Float32Array.from(base, (x) => x + 0.02 * (uniform() - 0.5)));

/** A pool of samples of one length: tokens as skewed as text's. */
const pools = new Map<number, Uint8Array[]>();
function poolOf(length: number): Uint8Array[] {
  const known = pools.get(length);
  if (known) return known;
  const made = Array.from({ length: 256 }, () => {
    const tokens = Int32Array.from({ length }, () => Math.floor(uniform() ** 4 * Number(vocabularySize)));
    const sample = new MessageWriter()
      .varint(1, 1)
      .bytes(2, raw(tokens))
      .bytes(3, raw(afterSteps[0]!.slice(-length)));
    return new MessageWriter().bytes(1, sample, { always: true }).finish();
  });
  pools.set(length, made);
  return made;
}

const results = new Map<number, Uint8Array | (() => Uint8Array)>();
const steps = new Map<string, number>();
let futures = 0;
let models = 0;
let samples = 0;
let received = 0;
let sent = 0;

function later(result: Uint8Array | (() => Uint8Array), more: object = {}): Uint8Array {
  results.set(++futures, result);
  return json({ request_id: String(futures), status: "pending", ...more });
}

/** A pass: a number for each token of each sequence. */
function passed(body: Buffer): () => Uint8Array {
  const message = readMessage(body);
  const ends = [0];
  for (const datum of listOf(message, 3)) {
    const [chunk] = listOf(readMessage(datum), 1);
    ends.push(ends.at(-1)! + bytesOf(readMessage(bytesOf(readMessage(chunk!), 1)), 1).length);
  }
  if (numberOf(message, 6) === 0 && bytesOf(message, 4).length === 0) throw new Error("a pass has a loss");
  const logprobs = afterSteps[(steps.get(textOf(message, 1)) ?? 0) % afterSteps.length]!;
  return () => {
    const data = new Float32Array(ends.at(-1)! / 4);
    for (const [i, end] of ends.slice(1).entries()) data.set(logprobs.subarray((ends[i]! - end) / 4), ends[i]! / 4);
    const tensor = new MessageWriter()
      .bytes(1, raw(data))
      .bytes(2, raw(BigInt64Array.from(ends, BigInt)))
      .varint(3, 1);
    const field = new MessageWriter().bytes(1, "logprobs").bytes(2, tensor, { always: true });
    const record = new MessageWriter().bytes(2, field, { always: true });
    return new MessageWriter().bytes(1, "scalar").bytes(2, record, { always: true }).finish();
  };
}

function answer(path: string, body: Buffer): Uint8Array {
  if (path === "forward_backward") return later(passed(body));
  const request = body.length > 0 ? JSON.parse(body.toString()) : {};
  switch (path) {
    case "client/config":
      return json({ pjwt_auth_enabled: false });
    case "get_server_capabilities":
      return json({ supported_models: [{ model_name: baseModel }] });
    case "create_session":
      return json({ session_id: "session_1" });
    case "create_model": {
      const model_id = `model_${++models}`;
      return later(json({ model_id, base_model: baseModel, lora_config: request.lora_config }), { model_id });
    }
    case "weights_info":
      return json({ base_model: baseModel, is_lora: true, lora_rank: 8 });
    case "save_weights":
      return later(json({ path: `tinker://${request.model_id}/weights/${request.path}` }));
    case "save_weights_for_sampler":
      return later(json({ path: null, sampling_session_id: `sampling_${futures}` }));
    case "optim_step":
      steps.set(request.model_id, (steps.get(request.model_id) ?? 0) + 1);
      return later(json({ metrics: {} }));
    case "asample": {
      const pool = poolOf(request.sampling_params.max_tokens);
      const first = samples;
      samples += request.num_samples;
      return later(() =>
        Buffer.concat(Array.from({ length: request.num_samples }, (_, i) => pool[(first + i) % pool.length]!)),
      );
    }
    case "mock/bytes":
      return json({ received, sent });
    default:
      return later(json({}));
  }
}

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const path = request.url!.replace("/api/v1/", "");
    const body = Buffer.concat(parts);
    received += body.length;
    let content: Uint8Array;
    let type = "application/json";
    if (path === "retrieve_future") {
      const id = Number(JSON.parse(body.toString()).request_id);
      const result = results.get(id)!;
      results.delete(id);
      if (typeof result === "function") type = "application/x-protobuf";
      content = typeof result === "function" ? result() : result;
    } else content = answer(path, body);
    sent += content.length;
    response.writeHead(200, { "content-type": type, "content-length": content.length }).end(content);
  });
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit());
