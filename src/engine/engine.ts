/**
 * The engine interface: everything that the trainer may ask of whatever holds the weights.
 *
 * Its verbs are those of distributed training services, so that an engine may be a worker thread, a separate process or a remote service. Everything
 * that crosses it is plain data; every call is asynchronous; weights never cross.
 *
 * Alignment. A sequence has `tokens` of length n and a `start` (>= 1). Its scored tokens are `tokens[start..n)`, and every per-token array here has n
 * - start entries, in that order: entry t belongs to token start + t. Its log-probability is conditioned on all tokens before it; its value is the
 * scalar head at the position BEFORE it, which is the state in which that token was chosen.
 */

import type { AdapterRequest } from "../models/adapter.ts";
import type { DecoderConfig, Head, TextIds } from "../models/model-config.ts";
import type { ModelReference } from "../settings/model-reference.ts";

export type { AdapterRequest, ModelReference, TextIds };

import type { EngineAbilities, ModelRole } from "./capabilities.ts";

/** A handle to a model held by the engine. */
export type ModelId = string;

/** The model's family and sizes, as plain data. An engine refuses a family that it lacks. */
export type ModelConfig = DecoderConfig;

export type HeadKind = Head;

export interface ModelInfo {
  readonly id: ModelId;
  readonly config: ModelConfig;
  readonly heads: readonly HeadKind[];
  /** Number of parameters, tied ones counted once. */
  readonly parameters: number;
  /** Number of parameters that are trained: all of them, those of an adapter, or none of a frozen model. */
  readonly trained: number;
  /** Padded tokens that one pass takes if the engine chooses; absent if it knows no bound. */
  readonly tokensOfPass?: number;
}

/** The initial values of a new scalar head: `zero` for values, `normal` (sd 1/sqrt(width + 1), bias 0) for rewards (docs/PPO.md row 19). */
export type ScalarInit = "zero" | "normal";

export interface CreateModelRequest {
  readonly config: ModelConfig;
  readonly heads: readonly HeadKind[];
  readonly scalarInit?: ScalarInit;
  readonly seed: number;
  readonly role?: ModelRole;
}

export interface CloneModelRequest {
  /** Heads of the copy; the source's by default. A head the source lacks is initialised. */
  readonly heads?: readonly HeadKind[];
  readonly scalarInit?: ScalarInit;
  readonly seed?: number;
  /** Copy, or load, the optimizer's state as well; an error if there is none to load. */
  readonly optimizer?: boolean;
  /** Merge an adapter into the copy's weights: a model without adapter that computes the same, and of which nothing is trained. */
  readonly merge?: boolean;
  /** A model with the same configuration and heads that is no longer needed: its memory is reused for the copy. */
  readonly into?: ModelId;
}

export interface LoadModelRequest extends Omit<CloneModelRequest, "into" | "merge"> {
  /** The ids that text can have; all by default. */
  readonly textIds?: TextIds;
  readonly role?: ModelRole;
  /** Whether a scalar head is initialised even if the folder has one. */
  readonly freshScalar?: boolean;
  /** Train an adapter beside frozen weights, and a scalar head: the state's adapter if it is one, which keeps its own settings, else a new one. */
  readonly adapter?: AdapterRequest;
  /** Nothing of the model will be trained. Frozen weights of one state exist once in the engine, however many models stand on them. */
  readonly frozen?: boolean;
}

/** What a model's state holds. */
export interface StateInfo extends Pick<ModelInfo, "config" | "heads"> {
  /** What its user should know, in whole sentences. */
  readonly notes?: readonly string[];
}

export interface Sequence {
  readonly tokens: readonly number[];
  readonly start: number;
}

export interface SampleRequest {
  readonly prompts: readonly (readonly number[])[];
  readonly maxNewTokens: number;
  readonly stopTokens: readonly number[];
  /** Sampling temperature; 0 is greedy. */
  readonly temperature: number;
  /** Keep only this many of the most likely tokens; 0 keeps every token. */
  readonly topK: number;
  /** Keep the most likely tokens up to this share of probability; 1 keeps every token. */
  readonly topP: number;
  /** The seed: prompt i draws from the stream (seed, streams[i] or i), so its tokens do not depend on the rest of the batch. */
  readonly seed: number;
  readonly streams?: readonly number[];
}

export interface SampleOptions {
  /**
   * Called now and then, by an engine that can, with the tokens chosen so far and the most that the call may come to, padding and rows that have
   * ended included. It may throw to leave the call, which then rejects with what was thrown.
   */
  readonly onProgress?: (done: number, most: number) => void;
}

export type StopReason = "stop" | "length";

export interface SampleResult {
  /** Response tokens of each prompt, including the stop token if there is one. Empty only where a server left out the stop token of an answer that had no other. */
  readonly tokens: number[][];
  /** Log-probability of each response token, at the request's temperature (before top-k and top-p), in nats. */
  readonly logprobs: number[][];
  /** `stop`: the answer is finished; on a server perhaps without a stop token in it. */
  readonly stopReasons: StopReason[];
}

/** `top1`: the most likely token at each scored position. `score`: the scalar head at the last token, one number per sequence. */
export type ForwardOutput = "logprobs" | "entropy" | "top1" | "values" | "score";

export interface ForwardRequest<Output extends ForwardOutput = ForwardOutput> {
  readonly sequences: readonly Sequence[];
  readonly outputs: readonly Output[];
  /** Divides the logits before the softmax; 1 by default. */
  readonly temperature?: number;
}

/** The requested outputs, in the order of the sequences; that of `score` is `scores`. */
export type ForwardResult<Output extends ForwardOutput = ForwardOutput> = {
  readonly [Key in Output as Key extends "score" ? "scores" : Key]: Key extends "score" ? number[] : number[][];
};

/** How an engine may cut a call's sequences into passes, each of which its memory can hold. */
export interface PassOptions {
  /** Sequences (pairs) in one pass; 0, the default, lets the engine choose. An engine whose memory is elsewhere may ignore it. */
  readonly microBatch?: number;
  /**
   * Called before every pass, at least once per call, with the passes that are done and all of the call's. It may throw to leave the call; the
   * gradient of earlier passes stays accumulated.
   */
  readonly beforePass?: ((done: number, passes: number) => void) | undefined;
}

export interface GradientOptions extends PassOptions {
  /** The call's sequences (pairs) in parts, by index: the result then has the norm of each part's own gradient. Each part is one pass. */
  readonly parts?: readonly (readonly number[])[];
}

/**
 * A loss by name. Every loss is a SUM over scored tokens (over pairs for `pairwise`) of weight times the term: the caller's weights carry the mean,
 * so that passes add up to one big batch. A token with weight 0 contributes nothing. Per-token arrays are aligned as described at the top of this
 * file.
 */
export type LossRequest = CrossEntropyLoss | PairwiseLoss | PolicyLoss | ValueLoss;

/** The cross-entropy: sum w * -log p(token). */
export interface CrossEntropyLoss {
  readonly name: "cross_entropy";
  readonly sequences: readonly Sequence[];
  readonly weights: readonly (readonly number[])[];
}

/** The pairwise loss: sum w * -log sigmoid(score(chosen) - score(rejected) - margin) (docs/PPO.md row 18). `start` of the sequences is not used. */
export interface PairwiseLoss {
  readonly name: "pairwise";
  readonly chosen: readonly Sequence[];
  readonly rejected: readonly Sequence[];
  readonly margins: readonly number[];
  readonly weights: readonly number[];
}

/** The policy loss: PPO-clip, or with `penalty` PPO-penalty (docs/PPO.md rows 7, 8, 9, 11 and, with `kl` set, row 2 in the loss). */
export interface PolicyLoss {
  readonly name: "policy";
  readonly sequences: readonly Sequence[];
  readonly weights: readonly (readonly number[])[];
  readonly oldLogprobs: readonly (readonly number[])[];
  readonly advantages: readonly (readonly number[])[];
  /** Required with `kl`. */
  readonly refLogprobs?: readonly (readonly number[])[];
  readonly config: {
    readonly clipLow: number;
    readonly clipHigh: number;
    /** The constant c > 1 of dual clip, or null. */
    readonly dualClip: number | null;
    readonly entropyCoef: number;
    /**
     * -r A + beta KL(old, new), over the whole vocabulary, in place of the clipped term: `oldModel` is the sampling policy. If it is null, the KL is
     * k3 on the samples, (r - 1) - ln r, for engines that cannot hold two models in one pass.
     */
    readonly penalty?: { readonly beta: number; readonly oldModel: ModelId | null } | null;
    /** KL(policy, reference) added to the loss, if the KL is not in the reward. */
    readonly kl: { readonly coef: number; readonly estimator: "k2" | "k3" } | null;
    readonly temperature: number;
  };
}

/** The clipped value loss: 0.5 max((V - R)^2, (clip(V, Vold - eps, Vold + eps) - R)^2) (docs/PPO.md row 10). */
export interface ValueLoss {
  readonly name: "value";
  readonly sequences: readonly Sequence[];
  readonly weights: readonly (readonly number[])[];
  readonly returns: readonly (readonly number[])[];
  readonly oldValues: readonly (readonly number[])[];
  readonly config: { readonly valueClip: number | null };
}

export interface ForwardBackwardResult {
  /** The weighted sum, computed in float32 for each pass. May be NaN or infinite: the caller decides what follows. */
  readonly loss: number;
  /** How many losses and gradient norms of the call's passes are not finite. Unless it is 0, the accumulated gradient is useless. */
  readonly nonFinite: number;
  /** Squared L2 norm of the gradient of each of the request's `parts`; absent unless it has them. */
  readonly partSquaredNorms?: readonly number[];
  /** Per-token outputs before the update: `logprobs` and `entropy` (policy), `logprobs` (cross_entropy), `values` (value). */
  readonly logprobs?: number[][];
  readonly entropy?: number[][];
  readonly values?: number[][];
  /** KL(old, new) at each scored token, in nats (policy with `penalty`). */
  readonly penaltyKl?: number[][];
  /** Scores of the chosen and rejected responses (pairwise). */
  readonly chosenScores?: number[];
  readonly rejectedScores?: number[];
}

/** A group of parameters: `embeddings`, `block.0` ... `block.N-1`, `final` (last norm), `lm_head` (untied), `score` (scalar head). */
export type ParameterGroup = string;

export interface OptimStepRequest {
  readonly learningRate: number;
  /** Factors on `learningRate` by group; groups that are not named have 1. */
  readonly rateFactors?: Readonly<Record<ParameterGroup, number>>;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled weight decay (AdamW), only on matrices. */
  readonly weightDecay: number;
  /** Global norm to clip to (docs/PPO.md row 15); null does not clip. */
  readonly maxGradNorm: number | null;
}

export interface OptimStepResult {
  /** Global norm of the accumulated gradient before clipping; null from an engine that does not tell it. */
  readonly gradNorm: number | null;
  /** True if the norm was not finite: weights and optimizer are untouched, and the gradient is dropped. */
  readonly skipped: boolean;
  /** L2 norm of the gradient by parameter group; absent, as the moments are, from an engine without norms by group. */
  readonly groupNorms?: Record<ParameterGroup, number>;
  /** Mean and biased variance of the gradient's entries by parameter group, before clipping. */
  readonly groupMoments?: Record<ParameterGroup, { readonly mean: number; readonly variance: number }>;
}

export interface EngineInfo extends EngineAbilities {
  /** The processor; a run repeats to the bit only on the same one. */
  readonly cpu: string;
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
}

export interface EngineUsage {
  /** Seconds of arithmetic since the engine started: in the native runtime and in the optimizer. */
  readonly nativeSeconds: number;
  /** MiB of the host's memory. */
  readonly residentMb: number;
  /** MiB that the engine holds on devices of its own; absent if it computes on the CPU, or elsewhere. */
  readonly deviceMb?: number;
}

export interface Engine {
  info(): Promise<EngineInfo>;
  usage(): Promise<EngineUsage>;
  createModel(request: CreateModelRequest): Promise<ModelInfo>;
  cloneModel(model: ModelId, request?: CloneModelRequest): Promise<ModelInfo>;
  /** The content of a model's state, without its weights. Fails if its parts do not fit each other. */
  inspectModel(state: ModelReference, request?: Pick<LoadModelRequest, "role">): Promise<StateInfo>;
  /**
   * Reads a Hugging Face folder (`config.json`, and `model.safetensors` or shards), an adapter in PEFT's format (merged, unless `adapter` or `frozen`
   * asks for it as it is) or a URI of a scheme that is among the engine's capabilities. Fails if the state
   * cannot give a requested head.
   */
  loadModel(state: ModelReference, request?: LoadModelRequest): Promise<ModelInfo>;
  /**
   * Saves the model and, on request, its optimizer; answers with the reference under which `loadModel` finds them. An engine of folders writes
   * `config.json`, the weights and `optimizer.safetensors`, each flushed to disk, and answers the folder. An engine that keeps its states
   * elsewhere leaves the folder empty and answers a URI. The folder must exist.
   */
  saveModel(model: ModelId, folder: string, options?: { optimizer?: boolean }): Promise<ModelReference>;
  /**
   * Deletes a state that the engine keeps elsewhere, with the last model that it holds and that still is this state; a URI of a different engine, and a state that
   * cannot be deleted, stay. Absent in engines of folders.
   */
  deleteState?(state: ModelReference): Promise<void>;
  /**
   * Averages weights: target = decay * target + (1 - decay) * source, parameter by parameter. A source with an adapter counts as merged, and its target
   * is a copy with `merge`: products are averaged, not factors.
   */
  ema(target: ModelId, source: ModelId, decay: number): Promise<void>;
  disposeModel(model: ModelId): Promise<void>;
  sample(model: ModelId, request: SampleRequest, options?: SampleOptions): Promise<SampleResult>;
  /** Computes outputs for any number of sequences; the engine cuts them into passes. */
  forward<Output extends ForwardOutput>(
    model: ModelId,
    request: ForwardRequest<Output>,
    options?: PassOptions,
  ): Promise<ForwardResult<Output>>;
  /** Adds the gradient of the loss to the model's accumulated gradient. Takes a whole minibatch; the engine cuts it into passes. */
  forwardBackward(model: ModelId, loss: LossRequest, options?: GradientOptions): Promise<ForwardBackwardResult>;
  /** Applies the accumulated gradient with AdamW (PyTorch's placement of epsilon) and clears it. */
  optimStep(model: ModelId, request: OptimStepRequest): Promise<OptimStepResult>;
  /** Drops the accumulated gradient. */
  zeroGrad(model: ModelId): Promise<void>;
  close(): Promise<void>;
}
