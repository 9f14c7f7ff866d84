/**
 * The losses and forward passes as graphs. Each is a sum over scored tokens of weight times term, like its slow counterpart in `objectives/`, against
 * which it is tested. Settings that may change during a run are inputs.
 */
import { type Packing, wholeSequences } from "../../models/attention.ts";
import {
  languageHead,
  languageReadout,
  parameterInputs,
  parameterSpecs,
  scalarHead,
  trunk,
} from "../../models/family.ts";
import type { Parameters } from "../../models/parameters.ts";
import { blockArgmax, blockDistribution, blockKl, mostWords, type Readout } from "../../models/vocabulary-blocks.ts";
import { product, type Shape } from "../../tensor/dims.ts";
import { gradients } from "../../tensor/gradients.ts";
import { input, type Tensor } from "../../tensor/graph.ts";
import {
  add,
  argmax,
  clamp,
  div,
  exp,
  gather,
  less,
  logSoftmax,
  matmul,
  maximum,
  minimum,
  mul,
  neg,
  pick,
  reshape,
  softplus,
  stopGradient,
  sub,
  sum,
  where,
} from "../../tensor/ops.ts";
import type { ForwardOutput, HeadKind, ModelConfig } from "../engine.ts";

/** The structure of a loss's graph; everything else about the loss is an input. */
export type LossShape =
  | { readonly name: "cross_entropy" }
  | { readonly name: "pairwise" }
  | { readonly name: "value"; readonly clip: boolean }
  | {
      readonly name: "policy";
      /** `full`: KL(old, new) over the vocabulary; `sampled`: k3 on the samples; null: the clipped loss. */
      readonly penalty: "full" | "sampled" | null;
      readonly dualClip: boolean;
      readonly entropyBonus: boolean;
      readonly kl: "k2" | "k3" | null;
    };

export interface LossGraphOptions {
  readonly recompute?: boolean;
  readonly first?: boolean;
  readonly packed?: boolean;
  readonly whole?: boolean;
}

interface Loss {
  readonly loss: Tensor;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

/**
 * Loss and accumulated gradients. Inputs: the parameters, `sum.<name>` for each trainable one (the gradient so far; not if this call is the `first`),
 * ids [B, S] int32, rows [N] int32 (flat positions b*S + s whose next token is scored), and the loss's own. Outputs: loss, squaredNorm (of this call's
 * gradient), `sum.<name>`, and the loss's per-token outputs. With `recompute` the backward pass computes the activations of each block again: the same
 * bits in less memory and more time. `packed` leaves padding out of everything but attention: `rows` are then numbers of tokens without padding, and
 * there are two more inputs, places [T] int32 (b*S + s of each token) and numbers [B, S] int32 (the token at each place; 0 for padding). `whole` reads a
 * large vocabulary as one block.
 */
export function lossGraph(
  config: ModelConfig,
  heads: readonly HeadKind[],
  shape: LossShape,
  { recompute = false, first = false, packed = false, whole = false }: LossGraphOptions = {},
): Record<string, Tensor> {
  const parameters = parameterInputs(config, heads);
  const { loss, outputs } = buildLoss(config, parameters, batch({ recompute, packed, whole }), shape);
  const names = parameterSpecs(config, heads).flatMap(({ name, trainable }) => (trainable ? [name] : []));
  const grads = gradients(
    loss,
    names.map((name) => parameters.get(name) as Tensor),
  );
  const results: Record<string, Tensor> = { loss, ...outputs, squaredNorm: squaredNorm(grads) };
  for (const [i, name] of names.entries()) {
    const grad = grads[i] as Tensor;
    results[`sum.${name}`] = first ? grad : add(input(`sum.${name}`, grad.shape), grad);
  }
  return results;
}

/** A forward pass. Inputs: the parameters, ids [B, S], rows [N], what `packed` adds to a loss's, and what the outputs need: targets [N], temperature []. */
export function forwardGraph(
  config: ModelConfig,
  heads: readonly HeadKind[],
  outputs: readonly ForwardOutput[],
  options: Pick<LossGraphOptions, "packed" | "whole"> = {},
): Record<string, Tensor> {
  const parameters = parameterInputs(config, heads);
  const results: Record<string, Tensor> = {};
  const read = batch(options);
  const hidden_N_D = scoredHidden(config, parameters, read);
  if (outputs.includes("logprobs") || outputs.includes("entropy")) {
    const { logprobs_N, entropy_N } = tokenDistribution(config, parameters, hidden_N_D, read, input("temperature", []));
    if (outputs.includes("logprobs")) results.logprobs = logprobs_N;
    if (outputs.includes("entropy")) results.entropy = entropy_N;
  }
  if (outputs.includes("top1"))
    results.top1 = inBlocks(config)
      ? blockArgmax(readoutOf(config, parameters, hidden_N_D, read))
      : argmax(languageHead(config, parameters, hidden_N_D));
  if (outputs.includes("values")) results.values = scalarHead(parameters, hidden_N_D);
  if (outputs.includes("score")) results.score = scalarHead(parameters, hidden_N_D);
  return results;
}

function buildLoss(config: ModelConfig, parameters: Parameters, read: Batch, shape: LossShape): Loss {
  switch (shape.name) {
    case "cross_entropy":
      return crossEntropy(config, parameters, read);
    case "pairwise":
      return pairwise(config, parameters, read);
    case "value":
      return value(config, parameters, read, shape.clip);
    case "policy":
      return policy(config, parameters, read, shape);
  }
}

/** The cross-entropy: sum w * -log p. */
function crossEntropy(config: ModelConfig, parameters: Parameters, read: Batch): Loss {
  const { logprobs_N } = tokenDistribution(config, parameters, scoredHidden(config, parameters, read), read, null);
  return { loss: neg(sum(mul(weights(), logprobs_N))), outputs: { logprobs: logprobs_N } };
}

/** The pairwise loss: sum w * -log sigmoid(gap) = sum w * softplus(-gap), gap = score(chosen) - score(rejected) - margin (docs/PPO.md row 18). */
function pairwise(config: ModelConfig, parameters: Parameters, { ids, ...options }: Batch): Loss {
  const hidden = trunk(config, parameters, wholeSequences(ids, options));
  const score = (rows: string) =>
    scalarHead(parameters, gather(hidden, input(rows, ["N"], "int32"), { distinct: true }));
  const [chosen_N, rejected_N] = [score("chosenRows"), score("rejectedRows")];
  const gap_N = sub(sub(chosen_N, rejected_N), input("margins", ["N"]));
  return { loss: sum(mul(weights(), softplus(neg(gap_N)))), outputs: { chosen: chosen_N, rejected: rejected_N } };
}

/** The value loss (docs/PPO.md row 10): 0.5 max((V - R)^2, (clip(V, Vold - eps, Vold + eps) - R)^2). */
function value(config: ModelConfig, parameters: Parameters, read: Batch, clip: boolean): Loss {
  const values_N = scalarHead(parameters, scoredHidden(config, parameters, read));
  const returns_N = input("returns", ["N"]);
  const squared = (v: Tensor) => mul(sub(v, returns_N), sub(v, returns_N));
  let term_N = squared(values_N);
  if (clip) {
    const old_N = input("oldValues", ["N"]);
    const epsilon = input("valueClip", []);
    term_N = maximum(term_N, squared(clamp(values_N, sub(old_N, epsilon), add(old_N, epsilon))));
  }
  return { loss: mul(0.5, sum(mul(weights(), term_N))), outputs: { values: values_N } };
}

/** The policy loss (docs/PPO.md rows 7, 8 or 9, 11 and, with the KL in the loss, 2). */
function policy(config: ModelConfig, parameters: Parameters, read: Batch, shape: LossShape & { name: "policy" }): Loss {
  const hidden_N_D = scoredHidden(config, parameters, read);
  const temperature = input("temperature", []);
  const { logprobs_N, entropy_N } = tokenDistribution(config, parameters, hidden_N_D, read, temperature);
  const advantages_N = input("advantages", ["N"]);
  const logRatio_N = sub(logprobs_N, input("oldLogprobs", ["N"]));
  const ratio_N = exp(clamp(logRatio_N, -20, 20));
  const loss_N = (r: Tensor) => neg(mul(advantages_N, r));
  let term_N = loss_N(ratio_N);
  let penaltyKl_N: Tensor | null = null;
  if (shape.penalty !== null) {
    penaltyKl_N =
      shape.penalty === "full"
        ? fullKl(config, parameters, hidden_N_D, read, temperature)
        : sub(sub(ratio_N, 1), logRatio_N);
    term_N = add(term_N, mul(input("penaltyBeta", []), penaltyKl_N));
  } else {
    const clipped_N = clamp(ratio_N, sub(1, input("clipLow", [])), add(1, input("clipHigh", [])));
    term_N = maximum(term_N, loss_N(clipped_N));
    if (shape.dualClip) {
      const bounded_N = minimum(term_N, neg(mul(advantages_N, input("dualClip", []))));
      term_N = where(less(advantages_N, 0), bounded_N, term_N);
    }
  }
  if (shape.entropyBonus) term_N = sub(term_N, mul(input("entropyCoef", []), entropy_N));
  if (shape.kl !== null) {
    const d_N = sub(logprobs_N, input("refLogprobs", ["N"]));
    const kl_N = shape.kl === "k2" ? mul(0.5, mul(d_N, d_N)) : add(sub(exp(neg(d_N)), 1), d_N);
    term_N = add(term_N, mul(input("klCoef", []), kl_N));
  }
  const outputs: Record<string, Tensor> = { logprobs: logprobs_N, entropy: stopGradient(entropy_N) };
  if (penaltyKl_N !== null) outputs.penaltyKl = stopGradient(penaltyKl_N);
  return { loss: sum(mul(weights(), term_N)), outputs };
}

/** KL(old, new) = sum_v p_old (log p_old - log p), where the old model's parameters are the inputs `old.<name>` (docs/PPO.md row 9). [N] */
function fullKl(
  config: ModelConfig,
  parameters: Parameters,
  hidden_N_D: Tensor,
  read: Batch,
  temperature: Tensor,
): Tensor {
  const old = parameterInputs(config, ["lm"], "old.");
  const oldHidden_N_D = scoredHidden(config, old, read);
  if (inBlocks(config)) {
    const readout = readoutOf(config, parameters, div(hidden_N_D, temperature), read);
    return blockKl(readout, readoutOf(config, old, div(oldHidden_N_D, temperature), read));
  }
  const logprobs_N_V = allLogprobs(config, parameters, hidden_N_D, temperature);
  const oldLogprobs_N_V = stopGradient(allLogprobs(config, old, oldHidden_N_D, temperature));
  return sum(mul(exp(oldLogprobs_N_V), sub(oldLogprobs_N_V, logprobs_N_V)), { axes: [-1] });
}

function weights(): Tensor {
  return input("weights", ["N"]);
}

/** The inputs of a batch: its ids, and the rows of it that are scored. */
interface Batch {
  readonly ids: Tensor;
  readonly rows: Tensor;
  /** Whether the backward pass computes the blocks of the trunk again. */
  readonly recompute: boolean;
  readonly packing: Packing | null;
  /** Whether a large vocabulary is one block. */
  readonly whole: boolean;
}

function batch({ recompute = false, packed = false, whole: isWhole = false }: Omit<LossGraphOptions, "first">): Batch {
  const whole = (name: string, shape: Shape) => input(name, shape, "int32");
  const packing = packed ? { places: whole("places", ["T"]), numbers: whole("numbers", ["B", "S"]) } : null;
  return { ids: whole("ids", ["B", "S"]), rows: whole("rows", ["N"]), recompute, packing, whole: isWhole };
}

/** Hidden states at the scored rows. [N, D] */
function scoredHidden(config: ModelConfig, parameters: Parameters, { ids, rows, ...options }: Batch): Tensor {
  return gather(trunk(config, parameters, wholeSequences(ids, options)), rows, { distinct: true });
}

/** Log-probability of the target and entropy of the whole distribution, both at the temperature, by default 1 (docs/PPO.md rows 1, 11). */
function tokenDistribution(
  config: ModelConfig,
  parameters: Parameters,
  hidden_N_D: Tensor,
  read: Batch,
  temperature: Tensor | null,
): { logprobs_N: Tensor; entropy_N: Tensor } {
  const targets_N = input("targets", ["N"], "int32");
  if (inBlocks(config)) {
    const hidden = temperature === null ? hidden_N_D : div(hidden_N_D, temperature);
    return blockDistribution(readoutOf(config, parameters, hidden, read), targets_N);
  }
  const logprobs_N_V = allLogprobs(config, parameters, hidden_N_D, temperature);
  return {
    logprobs_N: pick(logprobs_N_V, targets_N),
    entropy_N: neg(sum(mul(exp(logprobs_N_V), logprobs_N_V), { axes: [-1] })),
  };
}

function readoutOf(config: ModelConfig, parameters: Parameters, hidden_N_D: Tensor, { whole }: Batch): Readout {
  return { ...languageReadout(config, parameters, hidden_N_D), whole };
}

/** Whether the vocabulary may be too large for arrays of all words and tokens. */
export function inBlocks({ vocabularySize }: ModelConfig): boolean {
  return vocabularySize > mostWords;
}

function allLogprobs(
  config: ModelConfig,
  parameters: Parameters,
  hidden_N_D: Tensor,
  temperature: Tensor | null,
): Tensor {
  const logits_N_V = languageHead(config, parameters, hidden_N_D);
  return logSoftmax(temperature === null ? logits_N_V : div(logits_N_V, temperature));
}

/** Sum of the squares of all entries, each tensor's as the product of a row with itself, which reads it once. */
function squaredNorm(tensors: readonly Tensor[]): Tensor {
  const parts = tensors.map((tensor) => {
    const row = reshape(tensor, [1, product(tensor.shape)]);
    return reshape(matmul(row, row, { transB: true }), []);
  });
  return parts.reduce((total, part) => add(total, part));
}
