/** The engine by itself: one optimizer step at three widths, and sampling, as shares of the ceiling. */
import { createEmbeddedEngine } from "../src/engine/embedded/index.ts";
import type { Engine } from "../src/engine/engine.ts";
import { forwardFlops, gpt2, median, times } from "./measure.ts";

const layoutTokens = 4096;
const sequenceLength = 64;

export interface UpdateResult {
  readonly width: number;
  readonly milliseconds: number;
  readonly gflops: number;
  readonly share: number;
}

/** Forward, backward, clipping and AdamW over 4,096 tokens: 64 sequences of 64, in micro-batches of 2,048 tokens. */
export async function benchUpdate(engine: Engine, width: number, ceilingGflops: number): Promise<UpdateResult> {
  const config = gpt2(width, sequenceLength + 1);
  const { id } = await engine.createModel({ config, heads: ["lm"], seed: 1 });
  const sequences = Array.from({ length: layoutTokens / sequenceLength }, (_, b) => ({
    tokens: Array.from({ length: sequenceLength + 1 }, (_, t) => (b * 31 + t * 7) % config.vocabularySize),
    start: 1,
  }));
  const weights = new Array<number>(sequenceLength).fill(1 / layoutTokens);
  const microBatch = 32;
  const step = async () => {
    for (let at = 0; at < sequences.length; at += microBatch) {
      const part = sequences.slice(at, at + microBatch);
      await engine.forwardBackward(id, { name: "cross_entropy", sequences: part, weights: part.map(() => weights) });
    }
    await engine.optimStep(id, {
      learningRate: 1e-4,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0.01,
      maxGradNorm: 1,
    });
  };
  const seconds = median(await times(width > 256 ? 7 : 15, step));
  await engine.disposeModel(id);
  // Backward costs twice the forward pass; the padded square of attention is computed completely.
  const gflops = (3 * forwardFlops(config, layoutTokens, sequenceLength)) / seconds / 1e9;
  return { width, milliseconds: seconds * 1000, gflops, share: gflops / ceilingGflops };
}

export interface SamplingResult {
  readonly tokensPerSecond: number;
  readonly share: number;
}

/** Sampling at width 256: 64 prompts of 16 tokens, 128 new tokens each, none of which stops. */
export async function benchSampling(engine: Engine, ceilingGflops: number): Promise<SamplingResult> {
  const promptLength = 16;
  const newTokens = 128;
  const rows = 64;
  const config = gpt2(256, promptLength + newTokens);
  const { id } = await engine.createModel({ config, heads: ["lm"], seed: 1 });
  const prompts = Array.from({ length: rows }, (_, b) =>
    Array.from({ length: promptLength }, (_, t) => (b * 31 + t * 7) % config.vocabularySize),
  );
  const request = { prompts, maxNewTokens: newTokens, stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 1 };
  const seconds = median(await times(7, () => engine.sample(id, request)));
  await engine.disposeModel(id);
  const flops = forwardFlops(config, rows * newTokens, promptLength + newTokens / 2);
  return { tokensPerSecond: (rows * newTokens) / seconds, share: flops / seconds / 1e9 / ceilingGflops };
}

export function startEngine(threads: number): Promise<Engine> {
  return createEmbeddedEngine({ threads });
}
