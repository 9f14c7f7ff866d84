/** Small models and requests for tests of an engine. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine, LossRequest, ModelConfig, ModelId, OptimStepRequest, Sequence } from "../../src/engine/engine.ts";
import { type NamedTensor, readSafetensors } from "../../src/models/safetensors.ts";
import { random } from "../../src/util/random.ts";
import { temporaryFolder } from "./gpt2.ts";

export const smallConfig: ModelConfig = {
  family: "gpt2",
  vocabularySize: 29,
  context: 24,
  width: 16,
  layers: 2,
  heads: 2,
  tieEmbeddings: true,
};

/** Ragged sequences; every fourth has no tokens to score. */
export function randomSequences(count: number, seed: number, { vocabularySize, context } = smallConfig): Sequence[] {
  const stream = random("sequences", seed);
  return Array.from({ length: count }, (_, i) => {
    const tokens = Array.from({ length: 2 + stream.integer(context - 1) }, () => stream.integer(vocabularySize));
    return { tokens, start: i % 4 === 3 ? tokens.length : 1 + stream.integer(tokens.length - 1) };
  });
}

/** One number for each scored token. */
export function randomPerToken(sequences: readonly Sequence[], seed: string, scale = 1, center = 0): number[][] {
  const stream = random("per token", seed);
  return sequences.map(({ tokens, start }) =>
    Array.from({ length: tokens.length - start }, () => Math.fround(center + scale * stream.normal())),
  );
}

export const adam: OptimStepRequest = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-5,
  weightDecay: 0,
  maxGradNorm: null,
};

export interface Saved {
  readonly folder: string;
  readonly weights: ReadonlyMap<string, NamedTensor>;
  /** The bytes of all files, for bitwise comparisons. */
  readonly bytes: string;
}

/** The model's weights, saved to a folder and read back: the only way out of an engine. */
export async function saved(
  engine: Pick<Engine, "saveModel">,
  model: ModelId,
  { optimizer = false } = {},
): Promise<Saved> {
  const folder = temporaryFolder();
  await engine.saveModel(model, folder, { optimizer });
  const files = ["config.json", "model.safetensors", ...(optimizer ? ["optimizer.safetensors"] : [])];
  return {
    folder,
    weights: readSafetensors(join(folder, "model.safetensors")).tensors,
    bytes: files.map((file) => readFileSync(join(folder, file), "hex")).join(),
  };
}

/** The gradient of losses at the model's present weights: Adam's first moment with beta1 = 0. The model is left unchanged. */
export async function gradientOf(
  engine: Omit<Engine, "forwardBackward"> & { forwardBackward(model: ModelId, loss: LossRequest): Promise<unknown> },
  model: ModelId,
  losses: readonly LossRequest[],
): Promise<Map<string, number[]>> {
  const { id } = await engine.cloneModel(model);
  for (const loss of losses) await engine.forwardBackward(id, loss);
  await engine.optimStep(id, { ...adam, learningRate: 0, beta1: 0, beta2: 0, epsilon: 1 });
  const folder = temporaryFolder();
  await engine.saveModel(id, folder, { optimizer: true });
  await engine.disposeModel(id);
  const moments = readSafetensors(join(folder, "optimizer.safetensors")).tensors;
  return new Map(
    [...moments].flatMap(([name, { data }]) => (name.startsWith("m.") ? [[name.slice(2), Array.from(data)]] : [])),
  );
}

/** |a - b| / |b|, as vectors of all parameters. */
export function relativeError(a: ReadonlyMap<string, number[]>, b: ReadonlyMap<string, number[]>): number {
  let difference = 0;
  let size = 0;
  for (const [name, values] of b) {
    for (const [i, value] of values.entries()) {
      difference += (a.get(name)![i]! - value) ** 2;
      size += value ** 2;
    }
  }
  return Math.sqrt(difference / size);
}
