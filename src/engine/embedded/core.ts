/** The embedded engine itself: models in memory, every verb a run of a compiled graph. Lives in a worker thread. */

import { withDefaultOptions } from "../../models/family.ts";
import { withTextIds } from "../../models/model-config.ts";
import { isWhole } from "../../models/vocabulary-blocks.ts";
import { schemeOf } from "../../settings/model-reference.ts";
import { keepsMemory, type Value } from "../../tensor/session.ts";
import { CheckpointError, EngineError } from "../../util/errors.ts";
import { machineMemory } from "../../util/machine-memory.ts";
import type {
  CloneModelRequest,
  CreateModelRequest,
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
  OptimStepRequest,
  OptimStepResult,
  PolicyLoss,
  SampleOptions,
  SampleRequest,
  SampleResult,
  StateInfo,
} from "../engine.ts";
import { inspectState } from "../inspect-state.ts";
import { mostTokens, shareOfPass } from "../pass-size.ts";
import type { PassResult } from "../passes.ts";
import { adamWStep, average, gradientSums } from "./adamw-step.ts";
import { Model, parts, valuesOf } from "./held-model.ts";
import { forwardGraph, inBlocks, type LossShape, lossGraph } from "./losses.ts";
import { machineInfo } from "./machine-info.ts";
import { averageMerged, mergedValues } from "./merged-weights.ts";
import { openState } from "./open-state.ts";
import { flatten, lengthGroups, scoreBatch, tokenBatch, unflatten } from "./padded-batch.ts";
import { tokensWithin } from "./pass-memory.ts";
import type { OnePassEngine } from "./protocol.ts";
import { Sampler } from "./sampler.ts";
import { Sessions } from "./sessions.ts";
import { WeightShelf } from "./shared-weights.ts";

export class EmbeddedCore implements OnePassEngine {
  readonly #threads: number;
  readonly #recompute: boolean;
  readonly #tokensOfPass = new Map<string, number>();
  readonly #sessions: Sessions;
  readonly #sampler: Sampler;
  readonly #models = new Map<ModelId, Model>();
  readonly #shelf = new WeightShelf();
  #nextId = 1;
  /** Seconds of arithmetic outside the native runtime: the optimizer's. */
  #optimizerSeconds = 0;

  constructor({ threads, recompute = false }: { readonly threads: number; readonly recompute?: boolean }) {
    this.#threads = threads;
    this.#recompute = recompute;
    this.#sessions = new Sessions(threads);
    this.#sampler = new Sampler(this.#sessions);
  }

  async info(): Promise<EngineInfo> {
    return machineInfo(this.#threads);
  }

  async usage(): Promise<EngineUsage> {
    return {
      nativeSeconds: this.#sessions.seconds + this.#optimizerSeconds,
      residentMb: process.memoryUsage.rss() / 2 ** 20,
    };
  }

  async createModel({ config, heads, scalarInit = "zero", seed }: CreateModelRequest): Promise<ModelInfo> {
    const own = withDefaultOptions(withTextIds(config, config.textIds));
    return this.#add(new Model({ id: this.#id(), config: own, heads, scalarInit, seed }));
  }

  async cloneModel(id: ModelId, request: CloneModelRequest = {}): Promise<ModelInfo> {
    const source = this.#model(id);
    const { adapter, ...whole } = source.info.config;
    const { scalarInit = "zero", seed = 0, into } = request;
    const merge = request.merge === true && adapter !== undefined;
    const options = {
      config: merge ? whole : source.info.config,
      heads: request.heads ?? source.info.heads,
      ...{ scalarInit, seed, trunk: source.trunk },
      from: merge ? await mergedValues(source, this.#sessions) : source.values(),
      frozen: merge || source.frozen,
    };
    if (into !== undefined) {
      const target = this.#model(into);
      const shape = (one: { config: ModelConfig; heads: readonly HeadKind[] }) =>
        JSON.stringify([one.config, one.heads]);
      if (shape(target.info) !== shape(options))
        throw new EngineError(`model ${into} is not of the shape of the copy that it is to become`);
      target.become(options);
      if (request.optimizer) target.copyOptimizer(source);
      return this.#told(target);
    }
    const model = new Model({ id: this.#id(), ...options });
    if (request.optimizer) model.copyOptimizer(source);
    return this.#add(model);
  }

  async loadModel(state: ModelReference, request: LoadModelRequest = {}): Promise<ModelInfo> {
    const { scalarInit = "zero", seed = 0, optimizer = false, frozen = false } = request;
    const folder = folderOf(state);
    const opened = { ...openState(folder, request, this.#shelf), scalarInit, seed };
    const { adapter, ...whole } = opened.config;
    // To train or to save everything, an adapter is merged into weights of the model's own.
    const merges = adapter !== undefined && request.adapter === undefined && !frozen;
    const model = new Model({ ...opened, id: this.#id(), frozen: frozen || merges });
    if (merges) {
      if (optimizer) throw new CheckpointError(`${folder} is an adapter: its optimizer is not one of all weights`);
      const from = await mergedValues(model, this.#sessions);
      const merged = { ...opened, config: whole, from: { shapes: from.shapes, read: from.read }, trunk: null };
      return this.#add(new Model({ ...merged, id: model.info.id }));
    }
    if (optimizer) model.loadOptimizer(folder);
    return this.#add(model);
  }

  async inspectModel(state: ModelReference): Promise<StateInfo> {
    return inspectState(folderOf(state));
  }

  /** A model's parameters, for tests of what is shared. */
  parametersOf(
    id: ModelId,
  ): { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[] {
    return [...this.#model(id).named()].map(([name, tensor]) => ({ name, ...tensor }));
  }

  async saveModel(id: ModelId, folder: string, { optimizer = false }: { optimizer?: boolean } = {}): Promise<string> {
    this.#model(id).save(folder, { optimizer });
    return folder;
  }

  async disposeModel(id: ModelId): Promise<void> {
    this.#model(id);
    this.#models.delete(id);
    this.#shelf.keepOnly(new Set([...this.#models.values()].map(({ trunk }) => trunk)));
  }

  async ema(targetId: ModelId, sourceId: ModelId, decay: number): Promise<void> {
    const [averaged, followed] = [this.#model(targetId), this.#model(sourceId)];
    if (followed.info.config.adapter !== undefined) return averageMerged(averaged, followed, decay, this.#sessions);
    const [target, source] = [averaged.weights, followed.weights];
    if (target.length !== source.length) {
      throw new EngineError(`ema: models of ${target.length} and ${source.length} parameters differ`);
    }
    this.#timed(() => average(target, source, decay));
  }

  async sample(id: ModelId, request: SampleRequest, options: SampleOptions = {}): Promise<SampleResult> {
    return this.#sampler.sample(this.#model(id), request, options);
  }

  async forward<Output extends ForwardOutput>(
    id: ModelId,
    { sequences, outputs: asked, temperature = 1 }: ForwardRequest<Output>,
  ): Promise<ForwardResult<Output>> {
    const outputs: readonly ForwardOutput[] = asked;
    const model = this.#model(id);
    const { config, heads } = model.info;
    if (outputs.length === 0) throw new EngineError("forward: no outputs were asked for");
    const wantsScore = outputs.includes("score");
    if (wantsScore && outputs.length > 1)
      throw new EngineError('forward: "score" stands alone; ask for the others in a second call');
    this.#requireHeads(model, outputs.some((output) => output === "values" || output === "score") ? "scalar" : null);
    const speaks = outputs.some((output) => ["logprobs", "entropy", "top1"].includes(output));
    this.#requireHeads(model, speaks ? "lm" : null);
    const parameters = model.inputs();
    const rows: Record<string, number[][]> = Object.fromEntries(outputs.map((output) => [output, []]));
    for (const group of lengthGroups(
      sequences.map(({ tokens }) => tokens),
      mostTokens,
    )) {
      const part = group.map((i) => sequences[i] as (typeof sequences)[number]);
      const batch = wantsScore
        ? { ...scoreBatch(config, part), targets: undefined, lengths: part.map(() => 1) }
        : tokenBatch(config, part);
      const scored = outputs.includes("logprobs") || outputs.includes("entropy");
      const packed = batch.packing !== null;
      const whole = speaks && readsWhole(config, batch.lengths);
      const session = await this.#sessions.get(["forward", config, heads, outputs, packed, whole], () =>
        forwardGraph(config, heads, outputs, { packed, whole }),
      );
      const results = await session.run({
        ...parameters,
        ...batch.packing,
        ids: batch.ids,
        rows: batch.rows,
        ...(scored && { temperature: scalar(temperature) }),
        ...(batch.targets !== undefined && { targets: batch.targets }),
      });
      for (const output of outputs) {
        const values = unflatten(results[output] as Value, batch.lengths);
        for (const [j, i] of group.entries()) (rows[output] as number[][])[i] = values[j] as number[];
      }
    }
    const { score, ...perToken } = rows;
    const scores = score === undefined ? {} : { scores: score.map(([value]) => value as number) };
    return { ...perToken, ...scores } as ForwardResult<Output>;
  }

  async forwardBackward(id: ModelId, loss: LossRequest): Promise<PassResult> {
    const model = this.#model(id);
    const { config, heads } = model.info;
    this.#requireHeads(model, loss.name === "value" || loss.name === "pairwise" ? "scalar" : "lm");
    if (model.trainable.length === 0) throw new EngineError(`model ${id} has no parameter to train: all are frozen`);
    const old = loss.name === "policy" ? this.#oldParameters(model, loss) : {};
    const shape = shapeOf(loss);
    // The first pass of a step has nothing to add to. A small model's graphs keep their memory, so one of them serves every pass.
    const first = model.accumulated === 0 && !keepsMemory(4 * model.info.trained);
    const { feeds, lengths, packed } = lossFeeds(model, loss);
    const whole = loss.name !== "value" && loss.name !== "pairwise" && readsWhole(config, lengths);
    const session = await this.#sessions.get(["loss", config, heads, shape, first, packed, whole], () =>
      lossGraph(config, heads, shape, { recompute: this.#recompute, first, packed, whole }),
    );
    // The sums are read and written in place: each is the result of an entry-by-entry addition.
    const gradients = model.gradients();
    if (model.accumulated === 0 && !first) for (const { part } of gradients) part.fill(0);
    const sums = valuesOf("sum.", gradients);
    const read = first ? {} : sums;
    const results = await session.run({ ...model.inputs(), ...read, ...feeds, ...old }, { into: sums });
    model.accumulated++;
    const rows = (name: string) => (results[name] === undefined ? undefined : unflatten(results[name], lengths));
    const flat = (name: string) =>
      results[name] === undefined ? undefined : Array.from(results[name].data as Float32Array);
    return {
      loss: scalarOf(results.loss),
      gradSquaredNorm: scalarOf(results.squaredNorm),
      logprobs: rows("logprobs"),
      entropy: rows("entropy"),
      values: rows("values"),
      penaltyKl: rows("penaltyKl"),
      chosenScores: flat("chosen"),
      rejectedScores: flat("rejected"),
    };
  }

  async optimStep(id: ModelId, request: OptimStepRequest): Promise<OptimStepResult> {
    const model = this.#model(id);
    if (model.accumulated === 0) throw new EngineError(`optimStep: no gradient was accumulated for model ${id}`);
    const { learningRate, rateFactors = {}, beta1, beta2, epsilon, weightDecay, maxGradNorm } = request;
    const gradients = model.gradients();
    const groups: Record<string, { squares: number; total: number; entries: number }> = {};
    this.#timed(() => {
      for (const { spec, part } of gradients) {
        const { squares, total, entries } = groups[spec.group] ?? { squares: 0, total: 0, entries: 0 };
        const sums = gradientSums(part);
        groups[spec.group] = {
          squares: squares + sums.squares,
          total: total + sums.total,
          entries: entries + part.length,
        };
      }
    });
    const squares = Object.values(groups).reduce((all, { squares }) => all + squares, 0);
    const gradNorm = Math.sqrt(squares);
    // The second moments are kept in float32, so the squares must be finite there.
    const skipped = !Number.isFinite(Math.fround(squares));
    if (!skipped) {
      model.steps++;
      // docs/PPO.md row 15
      const clip = maxGradNorm === null ? 1 : Math.min(1, maxGradNorm / (gradNorm + 1e-6));
      const { m, v } = model.moments();
      const [ms, vs] = [parts(model.trainable, m), parts(model.trainable, v)];
      this.#timed(() => {
        for (const [i, { spec, part }] of model.trainableWeights().entries()) {
          const arrays = { weights: part, m: ms[i]!.part, v: vs[i]!.part, gradient: gradients[i]!.part };
          adamWStep(arrays, {
            learningRate: learningRate * (rateFactors[spec.group] ?? 1),
            weightDecay: spec.decays ? weightDecay : 0,
            ...{ beta1, beta2, epsilon, clip, step: model.steps },
          });
        }
      });
    }
    model.clearGradients();
    const byGroup = Object.entries(groups);
    const groupNorms = Object.fromEntries(byGroup.map(([group, { squares }]) => [group, Math.sqrt(squares)]));
    const groupMoments = Object.fromEntries(
      byGroup.map(([group, { squares, total, entries }]) => {
        const mean = total / entries;
        return [group, { mean, variance: Math.max(0, squares / entries - mean * mean) }];
      }),
    );
    return { gradNorm, skipped, groupNorms, groupMoments };
  }

  async zeroGrad(id: ModelId): Promise<void> {
    this.#model(id).clearGradients();
  }

  async close(): Promise<void> {
    this.#models.clear();
    await this.#sessions.close();
  }

  #timed(arithmetic: () => void): void {
    const start = performance.now();
    arithmetic();
    this.#optimizerSeconds += (performance.now() - start) / 1000;
  }

  #id(): ModelId {
    return `model-${this.#nextId++}`;
  }

  #add(model: Model): ModelInfo {
    this.#models.set(model.info.id, model);
    this.#shelf.keepOnly(new Set([...this.#models.values()].map(({ trunk }) => trunk)));
    return this.#told(model);
  }

  /** What a caller hears of a model: its sizes, and the passes that this machine can hold. */
  #told({ info }: Model): ModelInfo {
    const { textIds: _, ...sizes } = info.config;
    const key = JSON.stringify(sizes);
    const known = this.#tokensOfPass.get(key);
    const budget = shareOfPass * machineMemory();
    const tokensOfPass = known ?? tokensWithin(info.config, { recompute: this.#recompute, budget });
    this.#tokensOfPass.set(key, tokensOfPass);
    return { ...info, tokensOfPass };
  }

  #model(id: ModelId): Model {
    const model = this.#models.get(id);
    if (model === undefined) throw new EngineError(`there is no model ${id}; it may have been disposed of`);
    return model;
  }

  /** The parameters of the policy that sampled, if the loss uses its whole distribution. */
  #oldParameters(model: Model, { config: { penalty } }: PolicyLoss): Record<string, Value> {
    if (!penalty || penalty.oldModel === null) return {};
    const old = this.#model(penalty.oldModel);
    this.#requireHeads(old, "lm");
    if (JSON.stringify(old.info.config) !== JSON.stringify(model.info.config))
      throw new EngineError(`policy: model ${old.info.id} is not of the same shape as ${model.info.id}`);
    return old.inputs("old.");
  }

  #requireHeads(model: Model, head: "lm" | "scalar" | null): void {
    if (head !== null && !model.info.heads.includes(head)) {
      throw new EngineError(`model ${model.info.id} has no ${head} head (it has ${model.info.heads.join(", ")})`);
    }
  }
}

function shapeOf(loss: LossRequest): LossShape {
  switch (loss.name) {
    case "cross_entropy":
    case "pairwise":
      return { name: loss.name };
    case "value":
      return { name: "value", clip: loss.config.valueClip !== null };
    case "policy": {
      const { penalty, dualClip, entropyCoef, kl } = loss.config;
      return {
        name: "policy",
        penalty: penalty ? (penalty.oldModel === null ? "sampled" : "full") : null,
        dualClip: !penalty && dualClip !== null,
        entropyBonus: entropyCoef !== 0,
        kl: kl?.estimator ?? null,
      };
    }
  }
}

interface LossFeeds {
  readonly feeds: Record<string, Value>;
  /** Numbers of scored tokens; none for pairs. */
  readonly lengths: readonly number[];
  readonly packed: boolean;
}

function lossFeeds(model: Model, loss: LossRequest): LossFeeds {
  const { config } = model.info;
  if (loss.name === "pairwise") {
    const { chosen, rejected, margins, weights } = loss;
    const pairs = chosen.length;
    if (rejected.length !== pairs || margins.length !== pairs || weights.length !== pairs) {
      throw new EngineError(
        `pairwise: ${pairs} chosen, ${rejected.length} rejected, ${margins.length} margins, ${weights.length} weights`,
      );
    }
    const { ids, rows, packing } = scoreBatch(config, [...chosen, ...rejected]);
    const half = (from: number) => ({ data: (rows.data as Int32Array).slice(from, from + pairs), shape: [pairs] });
    const feeds = {
      ids,
      ...packing,
      chosenRows: half(0),
      rejectedRows: half(pairs),
      margins: vector(margins),
      weights: vector(weights),
    };
    return { feeds, lengths: [], packed: packing !== null };
  }
  const { ids, rows, targets, lengths, packing } = tokenBatch(config, loss.sequences);
  const flat = (name: string, values: readonly (readonly number[])[]) => flatten(name, values, lengths);
  const feeds: Record<string, Value> = { ids, ...packing, rows, targets, weights: flat("weights", loss.weights) };
  if (loss.name === "value") {
    feeds.returns = flat("returns", loss.returns);
    feeds.oldValues = flat("oldValues", loss.oldValues);
    if (loss.config.valueClip !== null) feeds.valueClip = scalar(loss.config.valueClip);
  } else if (loss.name === "policy") {
    const { clipLow, clipHigh, dualClip, entropyCoef, kl, penalty, temperature } = loss.config;
    feeds.oldLogprobs = flat("oldLogprobs", loss.oldLogprobs);
    feeds.advantages = flat("advantages", loss.advantages);
    feeds.temperature = scalar(temperature);
    feeds.clipLow = scalar(clipLow);
    feeds.clipHigh = scalar(clipHigh);
    feeds.entropyCoef = scalar(entropyCoef);
    if (penalty) feeds.penaltyBeta = scalar(penalty.beta);
    if (dualClip !== null) feeds.dualClip = scalar(dualClip);
    if (kl !== null) {
      if (loss.refLogprobs === undefined) throw new EngineError("policy: a KL term in the loss needs refLogprobs");
      feeds.refLogprobs = flat("refLogprobs", loss.refLogprobs);
      feeds.klCoef = scalar(kl.coef);
    }
  }
  return { feeds, lengths, packed: packing !== null };
}

/** Whether a pass reads a large vocabulary as one block. */
function readsWhole(config: ModelConfig, lengths: readonly number[]): boolean {
  const scored = lengths.reduce((total, length) => total + length, 0);
  return inBlocks(config) && isWhole(config.vocabularySize, scored);
}

function scalar(value: number): Value {
  return { data: Float32Array.of(value), shape: [] };
}

function vector(values: readonly number[]): Value {
  return { data: Float32Array.from(values), shape: [values.length] };
}

function scalarOf(value: Value | undefined): number {
  return (value as { data: Float32Array }).data[0] as number;
}

/** The folder that a reference names. Throws EngineError for a URI. */
function folderOf(state: ModelReference): string {
  if (schemeOf(state) === null) return state;
  throw new EngineError(`${state} is a URI of a different engine: the embedded engine reads folders`);
}
