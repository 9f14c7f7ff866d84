/** Runs generation: prefill, then chunks of tokens, dropping rows that have stopped between chunks. */
import { cacheNames, decodeGraph, prefillGraph, type SamplerShape } from "../../models/generation-graph.ts";
import { cacheSizes, contextBound } from "../../models/model-config.ts";
import type { Value } from "../../tensor/session.ts";
import { EngineError } from "../../util/errors.ts";
import { fineUniforms } from "../../util/random.ts";
import type { ModelConfig, SampleOptions, SampleRequest, SampleResult, StopReason } from "../engine.ts";
import { rowsOfSampling } from "../pass-size.ts";
import type { Model } from "./held-model.ts";
import { checkTokens, lengthGroups } from "./padded-batch.ts";
import type { Sessions } from "./sessions.ts";

/**
 * Tokens sampled in one run of the decoder: as many as there are already, within these bounds. Longer chunks copy the cache less often; shorter ones
 * drop stopped rows sooner, and most rows that stop do so early. Measured.
 */
const shortestChunk = 8;
export const longestChunk = 32;
/** Rows in one batch, and entries of its cache (keys and values of all layers): they bound the memory. */
const maxRows = 256;
const maxCacheEntries = 64 * 1024 * 1024;

interface Row {
  readonly index: number;
  readonly promptLength: number;
  readonly uniforms: () => number;
  readonly tokens: number[];
  readonly logprobs: number[];
}

export class Sampler {
  readonly #sessions: Sessions;
  /** Buffers of the caches, reused so that memory does not grow from call to call. Only one call at a time uses them. */
  #buffers: Float32Array[] = [];

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  async sample(model: Model, request: SampleRequest, { onProgress }: SampleOptions = {}): Promise<SampleResult> {
    const { prompts, maxNewTokens, temperature, topK, topP } = request;
    const { config } = model.info;
    if (!model.info.heads.includes("lm"))
      throw new EngineError(`model ${model.info.id} has no language head to sample from`);
    checkSettings(request);
    for (const [i, prompt] of prompts.entries()) {
      checkTokens(config, prompt, `prompt ${i}`);
      if (prompt.length + maxNewTokens > config.context) {
        const { says, remedy } = contextBound(config);
        throw new EngineError(
          `prompt ${i} has ${prompt.length} tokens; with ${maxNewTokens} new ones it exceeds the context of ${says}`,
          `Shorten prompts, lower maxNewTokens, or ${remedy}.`,
        );
      }
    }
    const shape: SamplerShape = { greedy: temperature === 0, topK, topP: topP < 1 };
    const atOnce = rowsAtOnce(config, Math.max(...prompts.map((p) => p.length)) + maxNewTokens);
    const result: SampleResult = { tokens: [], logprobs: [], stopReasons: [] };
    const order = lengthGroups(prompts, Number.POSITIVE_INFINITY)[0] ?? [];
    for (let at = 0; at < order.length; at += atOnce) {
      const rows = order.slice(at, at + atOnce).map((index): Row => {
        const uniforms = fineUniforms(request.seed, "sample", request.streams?.[index] ?? index);
        const promptLength = (prompts[index] as readonly number[]).length;
        return { index, promptLength, uniforms, tokens: [], logprobs: [] };
      });
      const most = prompts.length * maxNewTokens;
      await this.#batch(model, request, shape, rows, (steps) =>
        onProgress?.(at * maxNewTokens + rows.length * steps, most),
      );
      for (const { index, tokens, logprobs } of rows) {
        result.tokens[index] = tokens;
        result.logprobs[index] = logprobs;
        const stopped = request.stopTokens.includes(tokens.at(-1) as number);
        result.stopReasons[index] = (stopped ? "stop" : "length") satisfies StopReason;
      }
    }
    return result;
  }

  /** Fills the rows. `tell` is called between two chunks with the tokens that every row has, or would have if it had not ended; it may throw. */
  async #batch(
    model: Model,
    request: SampleRequest,
    shape: SamplerShape,
    all: readonly Row[],
    tell: (steps: number) => void,
  ): Promise<void> {
    const { config } = model.info;
    const { maxNewTokens, stopTokens } = request;
    const padded = Math.max(...all.map((row) => row.promptLength));
    const parameters = model.inputs();
    const ids = new Int32Array(all.length * padded);
    for (const [b, { index }] of all.entries()) ids.set(request.prompts[index] as readonly number[], b * padded);
    const last = Int32Array.from(all, (row, b) => b * padded + row.promptLength - 1);
    const prefill = await this.#sessions.get(["prefill", config], () => prefillGraph(config));
    const decode = await this.#sessions.get(["decode", config, shape], () => decodeGraph(config, shape));
    const names = Array.from({ length: config.layers }, (_, layer) => Object.values(cacheNames(layer))).flat();
    const block = cacheSizes(config);
    const perToken = cacheEntries(config);
    const buffers = this.#reserve(names.length, all.length * perToken * (padded + maxNewTokens));
    const views = (B: number, T: number) =>
      Object.fromEntries(
        names.map((name, i) => [
          name,
          {
            data: (buffers[i] as Float32Array).subarray(0, B * perToken * T),
            shape: [B, block.kvHeads, T, block.headDim],
          },
        ]),
      );
    let length = padded;
    const feeds = {
      ...parameters,
      ids: { data: ids, shape: [all.length, padded] },
      last: { data: last, shape: [all.length] },
    };
    const first = await prefill.run(feeds, { into: views(all.length, length) });
    let hidden = first.hidden as Value;
    let live = [...all];
    for (let done = 0; live.length > 0; ) {
      const steps = Math.min(Math.max(shortestChunk, Math.min(longestChunk, done)), maxNewTokens - done);
      const out = await decode.run({
        ...parameters,
        ...views(live.length, length),
        ...samplerInputs(request, shape, live, steps),
        hidden,
        mask: maskOf(live, padded, length),
        positions: { data: Int32Array.from(live, (row) => row.promptLength + done), shape: [live.length] },
        steps: { data: BigInt64Array.of(BigInt(steps)), shape: [] },
      });
      appendTokens(live, out.tokens as Value, out.logprobs as Value, stopTokens);
      done += steps;
      if (done === maxNewTokens) return;
      tell(done);
      const kept = live.map((_, b) => b).filter((b) => !stopTokens.includes((live[b] as Row).tokens.at(-1) as number));
      for (const [i, name] of names.entries()) {
        const recent = (out[name] as Value).data as Float32Array;
        appendToCache(buffers[i] as Float32Array, recent, kept, block, length, steps);
      }
      const states = (out.hidden as Value).data as Float32Array;
      keepRows(states, kept, config.width);
      hidden = { data: states.subarray(0, kept.length * config.width), shape: [kept.length, config.width] };
      live = kept.map((b) => live[b] as Row);
      length += steps;
    }
  }

  #reserve(count: number, capacity: number): readonly Float32Array[] {
    if (this.#buffers.length < count || (this.#buffers[0] as Float32Array).length < capacity)
      this.#buffers = Array.from({ length: count }, () => new Float32Array(capacity));
    return this.#buffers;
  }
}

function checkSettings({ prompts, maxNewTokens, temperature, topK, topP, streams }: SampleRequest): void {
  const need = (name: string, value: number, wanted: string, holds: boolean) => {
    if (!holds) throw new EngineError(`${name} is ${value}; it must be ${wanted}`);
  };
  need(
    "maxNewTokens",
    maxNewTokens,
    "a whole number of at least 1",
    Number.isInteger(maxNewTokens) && maxNewTokens >= 1,
  );
  need("temperature", temperature, "0 or more", temperature >= 0 && temperature < Number.POSITIVE_INFINITY);
  need("topK", topK, "a whole number, 0 for all", Number.isInteger(topK) && topK >= 0);
  need("topP", topP, "above 0 and at most 1", topP > 0 && topP <= 1);
  if (streams !== undefined && streams.length !== prompts.length) {
    throw new EngineError(`${streams.length} streams for ${prompts.length} prompts`);
  }
}

/** Entries of a token's keys and values in all layers. */
export function cacheEntriesPerToken(config: ModelConfig): number {
  return 2 * config.layers * cacheEntries(config);
}

/** Rows that sample at once, if none grows beyond `length` tokens. */
export function rowsAtOnce(config: ModelConfig, length: number): number {
  const bounds = [
    maxRows,
    Math.floor(maxCacheEntries / (cacheEntriesPerToken(config) * length)),
    rowsOfSampling(config.vocabularySize),
  ];
  return Math.max(1, Math.min(...bounds));
}

/** Entries of a token's keys, and of its values, in one layer. */
function cacheEntries(config: ModelConfig): number {
  const { kvHeads, headDim } = cacheSizes(config);
  return kvHeads * headDim;
}

function samplerInputs(
  request: SampleRequest,
  shape: SamplerShape,
  live: readonly Row[],
  steps: number,
): Record<string, Value> {
  if (shape.greedy) return {};
  const uniforms = new Float64Array(steps * live.length);
  for (const [b, row] of live.entries()) {
    for (let u = 0; u < steps; u++) uniforms[u * live.length + b] = row.uniforms();
  }
  return {
    uniforms: { data: uniforms, shape: [steps, live.length] },
    temperature: { data: Float32Array.of(request.temperature), shape: [] },
    ...(shape.topP ? { topP: { data: Float64Array.of(request.topP), shape: [] } } : {}),
  };
}

/** -1e30 over the padding between a prompt and the first new token. [B, T] */
function maskOf(live: readonly Row[], padded: number, length: number): Value {
  const data = new Float32Array(live.length * length);
  for (const [b, row] of live.entries()) data.fill(-1e30, b * length + row.promptLength, b * length + padded);
  return { data, shape: [live.length, length] };
}

function appendTokens(live: readonly Row[], tokens: Value, logprobs: Value, stopTokens: readonly number[]): void {
  const steps = tokens.shape[0] as number;
  for (const [b, row] of live.entries()) {
    for (let u = 0; u < steps; u++) {
      const token = (tokens.data as Int32Array)[u * live.length + b] as number;
      row.tokens.push(token);
      row.logprobs.push((logprobs.data as Float32Array)[u * live.length + b] as number);
      if (stopTokens.includes(token)) break;
    }
  }
}

/** Moves the kept rows of `size` entries to the front, in place. */
function keepRows(data: Float32Array, kept: readonly number[], size: number): void {
  for (const [to, from] of kept.entries()) if (to !== from) data.copyWithin(to * size, from * size, (from + 1) * size);
}

/**
 * [B, G, T, K] and [B, G, U, K] become [kept, G, T + U, K], in place. The graph does not do this, because ONNX Runtime's binding copies every output
 * once more, and the cache is the largest.
 */
function appendToCache(
  cache: Float32Array,
  recent: Float32Array,
  kept: readonly number[],
  { kvHeads: heads, headDim: size }: { kvHeads: number; headDim: number },
  T: number,
  U: number,
): void {
  const [old, added] = [T * size, U * size];
  keepRows(cache, kept, heads * old);
  // Backwards, since every block moves to the right.
  for (let row = kept.length - 1; row >= 0; row--) {
    for (let head = heads - 1; head >= 0; head--) {
      const to = row * heads + head;
      const from = (kept[row] as number) * heads + head;
      cache.copyWithin(to * (old + added), to * old, (to + 1) * old);
      cache.set(recent.subarray(from * added, (from + 1) * added), to * (old + added) + old);
    }
  }
}
