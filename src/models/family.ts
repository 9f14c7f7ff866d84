/**
 * The families of models: a total table with one row per family, and the parameters and graph that follow from a configuration's row. To add a
 * family, add one file, its name in the union and its row in the table.
 */
import type { Dim } from "../tensor/dims.ts";
import { constant, input, type Tensor } from "../tensor/graph.ts";
import { add, matmul, reshape } from "../tensor/ops.ts";
import { UsageError } from "../util/errors.ts";
import { factorNames, type Projection, projectionsOf, scaleOf, withAdapter } from "./adapter.ts";
import type { Architecture, OptionalSize } from "./architecture.ts";
import type { Reading } from "./attention.ts";
import { gemma3 } from "./gemma3.ts";
import { gptNeox } from "./gpt-neox.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import type { AdapterConfig, DecoderConfig, Head } from "./model-config.ts";
import { type ParameterSpec, type Parameters, parameter, specsOf } from "./parameters.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import type { Readout } from "./vocabulary-blocks.ts";

/** A family's name is Hugging Face's `model_type`. */
export type Family = "gpt2" | "llama" | "mistral" | "qwen2" | "qwen3" | "gemma3_text" | "gpt_neox";

export const families: { readonly [F in Family]: Architecture } = {
  gpt2,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma3_text: gemma3,
  gpt_neox: gptNeox,
};

export const familyNames = Object.keys(families) as [Family, ...Family[]];

/** A family's row. Throws a UsageError for a family that the table lacks. */
export function architectureOf({ family }: Pick<DecoderConfig, "family">): Architecture {
  if (Object.hasOwn(families, family)) return families[family as Family];
  throw new UsageError(
    `there is no family of models named ${family}`,
    `Ballast has ${Object.keys(families).join(", ")}.`,
  );
}

/** The configuration of a model from scratch, with its family's defaults for missing sizes and options. */
export function withDefaultOptions(
  config: DecoderConfig,
  sizes: { readonly ropeTheta?: number | undefined } = {},
): DecoderConfig {
  const { fromScratch } = architectureOf(config);
  if (fromScratch === undefined) return config;
  const { options, ...widths } = fromScratch(config, sizes);
  return { ...widths, ...config, options: { ...options, ...config.options } };
}

/** A model from scratch, as the configuration's section `model` describes it. */
export type ScratchSizes = Pick<
  DecoderConfig,
  "family" | "vocabularySize" | "context" | "width" | "layers" | "heads" | "tieEmbeddings"
> & { readonly [S in OptionalSize]?: number | undefined };

/** The configuration of a model from scratch. Sizes that its family does not take must be absent. */
export function scratchConfig(sizes: ScratchSizes): DecoderConfig {
  const { family, vocabularySize, context, width, layers, heads, tieEmbeddings, ropeTheta } = sizes;
  const given = Object.fromEntries(
    (["kvHeads", "headDim", "innerWidth"] as const).flatMap((size) =>
      sizes[size] === undefined ? [] : [[size, sizes[size]]],
    ),
  );
  const config = { family, vocabularySize, context, width, layers, heads, ...given, tieEmbeddings };
  return withDefaultOptions(config, { ropeTheta });
}

/** Every parameter in storage order. A tied language head has no parameter of its own. */
export function parameterSpecs(
  config: DecoderConfig,
  heads: readonly Head[],
  scalarInit: "zero" | "normal" = "zero",
): ParameterSpec[] {
  const { vocabularySize, width, tieEmbeddings } = config;
  const { parameters, languageHead, layout } = architectureOf(config);
  const specs = [...parameters(withDefaultOptions(config))];
  if (heads.includes("lm") && !tieEmbeddings)
    specs.push(specsOf("lm_head").matrix(languageHead.own, [vocabularySize, width], 1 / Math.sqrt(width)));
  if (heads.includes("scalar")) {
    const { matrix, zeros } = specsOf("score");
    // docs/PPO.md row 19: a value head starts at 0, a reward head at sd 1/sqrt(d + 1) (Stiennon et al. 2020).
    specs.push(matrix("score.weight", [1, width], scalarInit === "zero" ? 0 : 1 / Math.sqrt(width + 1)));
    specs.push(zeros("score.bias", 1));
  }
  return config.adapter === undefined ? specs : withAdapter(specs, config.adapter, layout);
}

/** The projections of the blocks, which adapters may stand beside, in storage order. */
export function blockProjections(config: DecoderConfig): Projection[] {
  const { parameters, layout } = architectureOf(config);
  return projectionsOf(parameters(withDefaultOptions(config)), layout);
}

/** The parameters as inputs. `prefix` precedes the inputs' names, for a second model in one graph; the parameters keep their names. */
export function parameterInputs(config: DecoderConfig, heads: readonly Head[], prefix = ""): Parameters {
  const { adapter } = config;
  const specs = parameterSpecs(config, heads);
  const inputs = new Map<string, Tensor>(specs.map(({ name, shape }) => [name, input(`${prefix}${name}`, shape)]));
  for (const module of adapter?.modules ?? [])
    inputs.set(factorNames(module.name).scale, constant(scaleOf(adapter as AdapterConfig, module)));
  return inputs;
}

/** Hidden states after the last norm, [N, D]. */
export function trunk(config: DecoderConfig, parameters: Parameters, reading: Reading): Tensor {
  return architectureOf(config).trunk(config, parameters, reading);
}

/**
 * The language head on hidden states [N, D]: the tied embedding or a separate matrix.
 *
 * An id that no text has gets a logit of -1e30: probability 0 at every temperature above 1e-8, and no gradient.
 */
export function languageReadout(config: DecoderConfig, parameters: Parameters, hidden_N_D: Tensor): Readout {
  const { tieEmbeddings, textIds, vocabularySize } = config;
  const { tied, own } = architectureOf(config).languageHead;
  const readout = { hidden: hidden_N_D, matrix: parameter(parameters, tieEmbeddings ? tied : own) };
  if (textIds === undefined) return { ...readout, mask: null };
  const mask_V = new Array<number>(vocabularySize).fill(0).fill(-1e30, textIds.below);
  for (const id of textIds.missing) mask_V[id] = -1e30;
  return { ...readout, mask: constant(mask_V) };
}

/** Logits over the vocabulary. [N, D] -> [N, V] */
export function languageHead(config: DecoderConfig, parameters: Parameters, hidden_N_D: Tensor): Tensor {
  const { hidden, matrix, mask } = languageReadout(config, parameters, hidden_N_D);
  const logits_N_V = matmul(hidden, matrix, { transB: true });
  return mask === null ? logits_N_V : add(logits_N_V, mask);
}

/** One number per position. [N, D] -> [N] */
export function scalarHead(parameters: Parameters, hidden_N_D: Tensor): Tensor {
  const weighted_N_1 = matmul(hidden_N_D, parameter(parameters, "score.weight"), { transB: true });
  return reshape(add(weighted_N_1, parameter(parameters, "score.bias")), [hidden_N_D.shape[0] as Dim]);
}
