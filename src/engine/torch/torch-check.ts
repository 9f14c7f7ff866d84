/** A check of the PyTorch engine on this machine: what it runs on, whether it does what every engine must, and its speed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CheckResult, checkEngine } from "../conformance/engine-conformance.ts";
import type { LossRequest, ModelConfig } from "../engine.ts";
import { createTorchEngine, type TorchEngineOptions } from "./index.ts";

export interface TorchReport {
  readonly device: string;
  readonly dtype: string;
  readonly threads: number;
  /** PyTorch's precision of float32 products; `medium` only if it was measured to be float32 here. */
  readonly matmul: string;
  readonly versions: Readonly<Record<string, string>>;
  /** How many times as long a product in bf16 takes as in float32; null but for bf16 on a CPU. */
  readonly bf16Slowdown: number | null;
  readonly checks: readonly CheckResult[];
  /** Of steps of a model of 3.3 million parameters: tokens a second, and its share of what a square product reaches. */
  readonly tokensPerSecond: number;
  readonly gflops: number;
  readonly ceilingGflops: number;
}

const small: ModelConfig = {
  ...{ family: "gpt2", vocabularySize: 29, context: 24, width: 16, layers: 2, heads: 2, tieEmbeddings: true },
};
const measured: ModelConfig = {
  ...{ family: "gpt2", vocabularySize: 512, context: 64, width: 256, layers: 4, heads: 4, tieEmbeddings: true },
};
const rows = 32;
/** Two ways of computing the same differ by float32's rounding, or by bfloat16's. */
const tolerances = { fp32: 1e-5, bf16: 0.1 } as const;

/** Takes about a minute. Throws what opening the engine throws. */
export async function checkTorch(options: TorchEngineOptions): Promise<TorchReport> {
  const engine = await createTorchEngine(options);
  const folders: string[] = [];
  const folder = () => {
    folders.push(mkdtempSync(join(tmpdir(), "ballast-check-")));
    return folders.at(-1) as string;
  };
  try {
    const { device, dtype, threads, matmul, versions, bf16Slowdown } = engine.hello;
    options.onNote?.("checking what every engine must do");
    const checks = await checkEngine(engine, { tolerance: tolerances[dtype], config: small, folder });
    options.onNote?.("measuring");
    const { gflops: ceilingGflops }: { gflops: number } = await engine.worker.call("matmulRate", {
      ...{ size: 1024, seconds: 2 },
    });
    const { id } = await engine.createModel({ config: measured, heads: ["lm"], seed: 1 });
    const sequences = Array.from({ length: rows }, (_, b) => ({
      tokens: Array.from({ length: measured.context }, (_, t) => (b * 31 + t * 7) % measured.vocabularySize),
      start: 1,
    }));
    const weights = sequences.map(({ tokens }) => tokens.slice(1).map(() => 1e-3));
    const loss: LossRequest = { name: "cross_entropy", sequences, weights };
    const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
    let best = Number.POSITIVE_INFINITY;
    const began = performance.now();
    // Ten steps, or as many as begin within ten seconds: a slow machine is known after two.
    for (let step = 0; step < 10 && (step < 2 || performance.now() - began < 10_000); step++) {
      const startedAt = performance.now();
      await engine.forwardBackward(id, loss);
      await engine.optimStep(id, adam);
      best = Math.min(best, (performance.now() - startedAt) / 1000);
    }
    const { width, layers, vocabularySize, context } = measured;
    const tokens = rows * context;
    // Products of a forward pass, and twice as many of a backward pass.
    const flops = 3 * tokens * (2 * (12 * layers * width ** 2 + width * vocabularySize) + 2 * layers * context * width);
    return {
      ...{ device, dtype, threads, matmul, versions, bf16Slowdown, checks },
      ...{ tokensPerSecond: tokens / best, gflops: flops / best / 1e9, ceilingGflops },
    };
  } finally {
    await engine.close();
    for (const one of folders) rmSync(one, { recursive: true, force: true });
  }
}
