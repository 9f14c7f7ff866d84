/**
 * An engine small enough to understand at once: a bigram language model and a bag-of-tokens scalar head, with hand-written gradients in float64. It
 * keeps the interface's promises to the bit and takes microseconds.
 *
 * Logits at a token are a row of W; the scalar at a position is c plus the sum of U over the tokens up to it.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Capabilities, everyCapability } from "../../src/engine/capabilities.ts";
import type {
  CloneModelRequest,
  CreateModelRequest,
  Engine,
  EngineInfo,
  EngineUsage,
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
  PolicyLoss,
  SampleRequest,
  SampleResult,
  Sequence,
} from "../../src/engine/engine.ts";
import { forwardInPasses, gradientInPasses, type PassResult } from "../../src/engine/passes.ts";
import { policyTerms } from "../../src/objectives/clipped-policy.ts";
import { valueTerms } from "../../src/objectives/clipped-value.ts";
import { crossEntropyTerms } from "../../src/objectives/cross-entropy.ts";
import { pairwiseLoss } from "../../src/objectives/pairwise.ts";
import { extraTerms } from "../../src/objectives/policy-extras.ts";
import { entropyOfLogits, logSoftmax, mean, variance } from "../../src/rl/index.ts";
import { schemeOf } from "../../src/settings/model-reference.ts";
import { CheckpointError, EngineError } from "../../src/util/errors.ts";
import { random } from "../../src/util/random.ts";

interface Bigram {
  readonly info: ModelInfo;
  /** Weights by group: `W` (V x V), `U` (V, then the bias c). */
  readonly weights: Record<string, number[]>;
  gradients: Record<string, number[]>;
  moments: { m: Record<string, number[]>; v: Record<string, number[]>; steps: number };
}

/** A hook before each verb: it may throw, as a dying process or a full disk would. */
export type BeforeVerb = (verb: keyof Engine, args: readonly unknown[]) => void;

export class BigramEngine implements Engine {
  /** Called before each verb. */
  before: BeforeVerb = () => {};
  /** May change what one pass of a gradient gives back: to make a loss NaN, say. */
  distort: (result: PassResult, loss: LossRequest) => PassResult = (result) => result;
  /** A test may take some away. */
  capabilities: Capabilities = { ...everyCapability, trainable: ["all"] };
  /** With it, states are kept here under URIs `toy://N`, as a service would keep them: another engine with the same map can load them. */
  states: Map<ModelReference, string> | null = null;
  readonly models = new Map<ModelId, Bigram>();
  #next = 1;

  async info(): Promise<EngineInfo> {
    return {
      name: "bigram",
      cpu: "none",
      threads: 1,
      versions: {},
      capabilities: { ...this.capabilities, ...(this.states && { schemes: ["toy"] }) },
    };
  }

  async usage(): Promise<EngineUsage> {
    return { nativeSeconds: 0, residentMb: 1 };
  }

  async createModel(request: CreateModelRequest): Promise<ModelInfo> {
    this.before("createModel", [request]);
    return this.#add(request.config, request.heads, request, {});
  }

  async cloneModel(id: ModelId, request: CloneModelRequest = {}): Promise<ModelInfo> {
    this.before("cloneModel", [id, request]);
    const source = this.#model(id);
    const heads = request.heads ?? source.info.heads;
    const info = this.#add(source.info.config, heads, request, structuredClone(source.weights));
    // The caller takes the answer's handle, whichever it is.
    if (request.into) await this.disposeModel(request.into);
    if (request.optimizer) this.#model(info.id).moments = structuredClone(source.moments);
    return info;
  }

  async inspectModel(state: ModelReference): Promise<Pick<ModelInfo, "config" | "heads">> {
    this.before("inspectModel", [state]);
    return this.file(state, "config.json");
  }

  async loadModel(state: ModelReference, request: LoadModelRequest = {}): Promise<ModelInfo> {
    this.before("loadModel", [state, request]);
    const { config, heads } = this.file(state, "config.json");
    const weights = this.file(state, "model.safetensors");
    if (request.freshScalar) delete weights.U;
    const info = this.#add(config, request.heads ?? heads, request, weights);
    if (request.optimizer) this.#model(info.id).moments = this.file(state, "optimizer.safetensors");
    return info;
  }

  async saveModel(id: ModelId, folder: string, { optimizer = false }: { optimizer?: boolean } = {}): Promise<string> {
    this.before("saveModel", [id, folder]);
    const { info, weights, moments } = this.#model(id);
    const files = {
      "config.json": { config: info.config, heads: info.heads },
      "model.safetensors": weights,
      ...(optimizer && { "optimizer.safetensors": moments }),
    };
    const state = this.states ? `toy://${this.states.size + 1}` : folder;
    if (this.states) this.states.set(state, JSON.stringify(files));
    else for (const [name, file] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(file));
    return state;
  }

  /** A file of a state. Throws CheckpointError if there is no such state, or it lacks the file. */
  file(state: ModelReference, name: string) {
    const kept = this.states?.get(state);
    const found = kept && JSON.parse(kept)[name];
    if (found !== undefined) return found;
    const path = join(state, name);
    if (schemeOf(state) !== null || !existsSync(path)) throw new CheckpointError(`cannot read ${state}/${name}`);
    return JSON.parse(readFileSync(path, "utf8"));
  }

  async ema(target: ModelId, source: ModelId, decay: number): Promise<void> {
    this.before("ema", [target, source, decay]);
    const from = this.#model(source).weights;
    for (const [name, weights] of Object.entries(this.#model(target).weights))
      for (let i = 0; i < weights.length; i++) weights[i] = decay * weights[i]! + (1 - decay) * from[name]![i]!;
  }

  async disposeModel(id: ModelId): Promise<void> {
    this.#model(id);
    this.models.delete(id);
  }

  async sample(id: ModelId, request: SampleRequest): Promise<SampleResult> {
    this.before("sample", [id, request]);
    const { prompts, maxNewTokens, stopTokens, temperature, seed, streams } = request;
    const result: SampleResult = { tokens: [], logprobs: [], stopReasons: [] };
    for (const [b, prompt] of prompts.entries()) {
      const stream = random(seed, "sample", streams?.[b] ?? b);
      const tokens: number[] = [];
      const logprobs: number[] = [];
      while (tokens.length < maxNewTokens && !stopTokens.includes(tokens.at(-1) ?? -1)) {
        const logp_V = logSoftmax(this.#logits(id, (tokens.at(-1) ?? prompt.at(-1))!), temperature || 1);
        const kept_V = truncate(logp_V, request);
        const token = temperature === 0 ? logp_V.indexOf(Math.max(...logp_V)) : draw(kept_V, stream.uniform());
        tokens.push(token);
        logprobs.push(logp_V[token]!);
      }
      result.tokens.push(tokens);
      result.logprobs.push(logprobs);
      result.stopReasons.push(stopTokens.includes(tokens.at(-1)!) ? "stop" : "length");
    }
    return result;
  }

  forward<Output extends ForwardOutput>(
    id: ModelId,
    request: ForwardRequest<Output>,
    options: PassOptions = {},
  ): Promise<ForwardResult<Output>> {
    return forwardInPasses(request, options, (part) => this.#forward(id, part));
  }

  async #forward<Output extends ForwardOutput>(
    id: ModelId,
    request: ForwardRequest<Output>,
  ): Promise<ForwardResult<Output>> {
    this.before("forward", [id, request]);
    const { sequences, outputs, temperature = 1 } = request;
    const result: Record<string, number[][] | number[]> = {};
    const rows = (f: (before: number, token: number, at: number, tokens: readonly number[]) => number) =>
      sequences.map(({ tokens, start }) =>
        tokens.slice(start).map((x, t) => f(tokens[start + t - 1]!, x, start + t, tokens)),
      );
    for (const output of outputs as readonly ForwardOutput[]) {
      if (output === "logprobs")
        result.logprobs = rows((before, token) => logSoftmax(this.#logits(id, before), temperature)[token]!);
      if (output === "entropy")
        result.entropy = rows((before) => entropyOfLogits(this.#logits(id, before), temperature));
      if (output === "top1")
        result.top1 = rows((before) => {
          const logits_V = this.#logits(id, before);
          return logits_V.indexOf(Math.max(...logits_V));
        });
      if (output === "values") result.values = rows((_, __, at, tokens) => this.#scalar(id, tokens.slice(0, at)));
      if (output === "score") result.scores = sequences.map(({ tokens }) => this.#scalar(id, tokens));
    }
    return result as unknown as ForwardResult<Output>;
  }

  forwardBackward(id: ModelId, loss: LossRequest, options: GradientOptions = {}): Promise<ForwardBackwardResult> {
    return gradientInPasses(loss, options, (part) => this.pass(id, part));
  }

  /** One pass of a gradient. */
  async pass(id: ModelId, loss: LossRequest): Promise<PassResult> {
    this.before("forwardBackward", [id, loss]);
    const model = this.#model(id);
    const before = structuredClone(model.gradients);
    const result = await this.#loss(id, loss);
    let gradSquaredNorm = 0;
    for (const [group, gradient] of Object.entries(model.gradients))
      for (const [i, g] of gradient.entries()) gradSquaredNorm += (g - before[group]![i]!) ** 2;
    return this.distort({ ...result, gradSquaredNorm }, loss);
  }

  async optimStep(id: ModelId, request: OptimStepRequest): Promise<OptimStepResult> {
    this.before("optimStep", [id, request]);
    const model = this.#model(id);
    const { learningRate, rateFactors = {}, beta1, beta2, epsilon, weightDecay, maxGradNorm } = request;
    const { tieEmbeddings } = model.info.config;
    const groupOf = (name: string) => (name === "U" ? "score" : tieEmbeddings ? "embeddings" : "lm_head");
    const gradNorm = Math.sqrt(
      Object.values(model.gradients)
        .flat()
        .reduce((sum, g) => sum + g * g, 0),
    );
    const skipped = !Number.isFinite(gradNorm);
    if (!skipped) {
      const scale = maxGradNorm === null ? 1 : Math.min(1, maxGradNorm / (gradNorm + 1e-6));
      const { m, v } = model.moments;
      const steps = ++model.moments.steps;
      for (const [group, weights] of Object.entries(model.weights)) {
        const rate = learningRate * (rateFactors[groupOf(group)] ?? 1);
        for (let i = 0; i < weights.length; i++) {
          const g = model.gradients[group]![i]! * scale;
          m[group]![i] = beta1 * m[group]![i]! + (1 - beta1) * g;
          v[group]![i] = beta2 * v[group]![i]! + (1 - beta2) * g * g;
          const mHat = m[group]![i]! / (1 - beta1 ** steps);
          const vHat = v[group]![i]! / (1 - beta2 ** steps);
          weights[i] = weights[i]! * (1 - rate * weightDecay) - (rate * mHat) / (Math.sqrt(vHat) + epsilon);
        }
      }
    }
    const groupNorms: Record<string, number> = {};
    const groupMoments: Record<string, { mean: number; variance: number }> = {};
    for (const [name, gradient] of Object.entries(model.gradients)) {
      const group = groupOf(name);
      groupNorms[group] = Math.hypot(...gradient);
      groupMoments[group] = { mean: mean(gradient), variance: variance(gradient) };
    }
    await this.zeroGrad(id);
    return { gradNorm, skipped, ...(this.capabilities.groupNorms && { groupNorms, groupMoments }) };
  }

  async zeroGrad(id: ModelId): Promise<void> {
    const model = this.#model(id);
    model.gradients = zerosLike(model.weights);
  }

  async close(): Promise<void> {
    this.models.clear();
  }

  async #loss(id: ModelId, loss: LossRequest): Promise<Omit<PassResult, "gradSquaredNorm">> {
    if (loss.name === "pairwise") {
      const score = (sequences: readonly Sequence[]) => sequences.map(({ tokens }) => this.#scalar(id, tokens));
      const chosenScores = score(loss.chosen);
      const rejectedScores = score(loss.rejected);
      let total = 0;
      for (const [i, weight] of loss.weights.entries()) {
        const pair = { chosen: [chosenScores[i]!], rejected: [rejectedScores[i]!], margins: [loss.margins[i]!] };
        const { loss: one, gradChosen, gradRejected } = pairwiseLoss(pair);
        total += weight * one;
        this.#addScalar(id, loss.chosen[i]!.tokens, weight * gradChosen[0]!);
        this.#addScalar(id, loss.rejected[i]!.tokens, weight * gradRejected[0]!);
      }
      return { loss: total, chosenScores, rejectedScores };
    }
    const { sequences, weights } = loss;
    let total = 0;
    const each = (f: (b: number, t: number, weight: number, tokens: readonly number[], at: number) => void) => {
      for (const [b, { tokens, start }] of sequences.entries())
        for (let at = start; at < tokens.length; at++)
          if (weights[b]![at - start] !== 0) f(b, at - start, weights[b]![at - start]!, tokens, at);
    };
    if (loss.name === "value") {
      const { values } = await this.forward(id, { sequences, outputs: ["values"] });
      const { oldValues, returns, config } = loss;
      const terms = valueTerms({ values: values!, oldValues, returns, ...config });
      each((b, t, weight, tokens, at) => {
        total += weight * terms.loss[b]![t]!;
        this.#addScalar(id, tokens.slice(0, at), weight * terms.gradient[b]![t]!);
      });
      return { loss: total, values: values! };
    }
    const temperature = loss.name === "policy" ? loss.config.temperature : 1;
    const { logprobs, entropy } = await this.forward(id, { sequences, outputs: ["logprobs", "entropy"], temperature });
    if (loss.name === "cross_entropy") {
      const plain = crossEntropyTerms(logprobs!);
      each((b, t, weight, tokens, at) => {
        total += weight * plain.loss[b]![t]!;
        this.#addLogprob(id, tokens[at - 1]!, tokens[at]!, weight * plain.gradient[b]![t]!, temperature);
      });
      return { loss: total, logprobs: logprobs! };
    }
    const { oldLogprobs, advantages, refLogprobs, config } = loss;
    const terms = config.penalty
      ? this.#penaltyTerms(id, loss, logprobs!)
      : policyTerms({ logprobs: logprobs!, oldLogprobs, advantages, ...config });
    const extra = extraTerms({ logprobs: logprobs!, refLogprobs, entropy: entropy!, ...config });
    each((b, t, weight, tokens, at) => {
      total += weight * (terms.loss[b]![t]! + extra.loss[b]![t]!);
      const gradient = terms.gradient[b]![t]! + extra.klGradient[b]![t]!;
      this.#addLogprob(id, tokens[at - 1]!, tokens[at]!, weight * gradient, temperature);
      this.#addEntropy(id, tokens[at - 1]!, -weight * config.entropyCoef, temperature);
      if (config.penalty?.oldModel) this.#addFullKl(id, tokens[at - 1]!, weight, config);
    });
    const penaltyKl = "kl" in terms ? { penaltyKl: terms.kl } : {};
    return { loss: total, logprobs: logprobs!, entropy: entropy!, ...penaltyKl };
  }

  /** -A r + beta KL(old, new), with the gradient by the token's log-probability, excluding that of a full KL. */
  #penaltyTerms(id: ModelId, { sequences, oldLogprobs, advantages, config }: PolicyLoss, logprobs: number[][]) {
    const { beta, oldModel } = config.penalty!;
    const rows = (f: (logRatio: number, advantage: number, before: number) => number) =>
      sequences.map(({ tokens, start }, b) =>
        logprobs[b]!.map((x, t) => f(x - oldLogprobs[b]![t]!, advantages[b]![t]!, tokens[start + t - 1]!)),
      );
    const sampled = (logRatio: number) => Math.expm1(logRatio) - logRatio;
    const kl = rows((logRatio, _, before) =>
      oldModel === null ? sampled(logRatio) : this.#fullKl(id, oldModel, before, config.temperature),
    );
    const gain = rows((logRatio, advantage) => -advantage * Math.exp(logRatio));
    return {
      kl,
      loss: gain.map((row, b) => row.map((x, t) => x + beta * kl[b]![t]!)),
      gradient: rows(
        (logRatio, advantage) =>
          -advantage * Math.exp(logRatio) + (oldModel === null ? beta * Math.expm1(logRatio) : 0),
      ),
    };
  }

  #fullKl(id: ModelId, oldModel: ModelId, before: number, temperature: number): number {
    const logp_V = logSoftmax(this.#logits(id, before), temperature);
    const oldLogp_V = logSoftmax(this.#logits(oldModel, before), temperature);
    return oldLogp_V.reduce((total, old, v) => total + Math.exp(old) * (old - logp_V[v]!), 0);
  }

  /** Adds the gradient of a full KL: dKL(old, new) / dz_v = (p_v - p_old_v) / temperature. */
  #addFullKl(id: ModelId, before: number, weight: number, { penalty, temperature }: PolicyLoss["config"]): void {
    const { info, gradients } = this.#model(id);
    const logp_V = logSoftmax(this.#logits(id, before), temperature);
    const oldLogp_V = logSoftmax(this.#logits(penalty!.oldModel!, before), temperature);
    for (const [v, logp] of logp_V.entries())
      gradients.W![before * info.config.vocabularySize + v]! +=
        (weight * penalty!.beta * (Math.exp(logp) - Math.exp(oldLogp_V[v]!))) / temperature;
  }

  #logits(id: ModelId, token: number): number[] {
    const { info, weights } = this.#model(id);
    const V = info.config.vocabularySize;
    if (!weights.W) throw new EngineError(`model ${id} has no lm head`);
    if (token >= V) throw new EngineError(`token ${token} is outside the vocabulary of ${V}`);
    return weights.W.slice(token * V, (token + 1) * V);
  }

  #scalar(id: ModelId, tokens: readonly number[]): number {
    const { U } = this.#model(id).weights;
    if (!U) throw new EngineError(`model ${id} has no scalar head`);
    return tokens.reduce((sum, token) => sum + U[token]!, U.at(-1)!);
  }

  #addScalar(id: ModelId, tokens: readonly number[], g: number): void {
    const { U } = this.#model(id).gradients;
    for (const token of tokens) U![token]! += g;
    U![U!.length - 1]! += g;
  }

  /** Adds the gradient of a log-probability: d log p(token) / dz_v = (1[v = token] - p_v) / temperature. */
  #addLogprob(id: ModelId, before: number, token: number, g: number, temperature: number): void {
    const { info, gradients } = this.#model(id);
    const logp_V = logSoftmax(this.#logits(id, before), temperature);
    for (const [v, logp] of logp_V.entries())
      gradients.W![before * info.config.vocabularySize + v]! +=
        (g * (Number(v === token) - Math.exp(logp))) / temperature;
  }

  /** Adds the gradient of the entropy: dH / dz_v = -p_v (log p_v + H) / temperature. */
  #addEntropy(id: ModelId, before: number, g: number, temperature: number): void {
    const { info, gradients } = this.#model(id);
    const logp_V = logSoftmax(this.#logits(id, before), temperature);
    const entropy = -logp_V.reduce((sum, logp) => sum + Math.exp(logp) * logp, 0);
    for (const [v, logp] of logp_V.entries())
      gradients.W![before * info.config.vocabularySize + v]! -= (g * Math.exp(logp) * (logp + entropy)) / temperature;
  }

  #add(
    config: ModelConfig,
    heads: readonly HeadKind[],
    { scalarInit = "zero", seed = 0 }: CloneModelRequest,
    from: Record<string, number[]>,
  ): ModelInfo {
    const V = config.vocabularySize;
    const stream = random(seed, "init");
    const weights: Record<string, number[]> = {};
    if (heads.includes("lm")) weights.W = from.W ?? Array.from({ length: V * V }, () => 0.1 * stream.normal());
    if (heads.includes("scalar"))
      weights.U = from.U ?? Array.from({ length: V + 1 }, () => (scalarInit === "zero" ? 0 : 0.1 * stream.normal()));
    const parameters = Object.values(weights).flat().length;
    const info = { id: `bigram-${this.#next++}`, config, heads, parameters, trained: parameters };
    const moments = { m: zerosLike(weights), v: zerosLike(weights), steps: 0 };
    this.models.set(info.id, { info, weights, gradients: zerosLike(weights), moments });
    return info;
  }

  #model(id: ModelId): Bigram {
    const model = this.models.get(id);
    if (!model) throw new EngineError(`there is no model ${id}`);
    return model;
  }
}

function zerosLike(groups: Record<string, number[]>): Record<string, number[]> {
  return Object.fromEntries(Object.entries(groups).map(([name, values]) => [name, values.map(() => 0)]));
}

/** Log-probabilities of only the likeliest tokens, renormalised to sum to 1. */
function truncate(logp_V: readonly number[], { topK, topP }: SampleRequest): number[] {
  const order = logp_V.map((_, v) => v).sort((a, b) => logp_V[b]! - logp_V[a]!);
  const kept = new Set<number>();
  let total = 0;
  for (const v of order) {
    if ((topK > 0 && kept.size === topK) || total >= topP) break;
    kept.add(v);
    total += Math.exp(logp_V[v]!);
  }
  return logp_V.map((logp, v) => (kept.has(v) ? logp - Math.log(total) : -Infinity));
}

function draw(logp_V: readonly number[], uniform: number): number {
  let total = 0;
  for (const [v, logp] of logp_V.entries()) {
    total += Math.exp(logp);
    if (uniform < total) return v;
  }
  return logp_V.length - 1;
}
