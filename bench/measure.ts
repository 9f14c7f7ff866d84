/** Shared parts of the benchmarks: the machine's ceiling, medians, and FLOPs of a GPT-2. */
import type { ModelConfig } from "../src/engine/engine.ts";
import { constant, input } from "../src/tensor/graph.ts";
import { add, matmul, mul, slice } from "../src/tensor/ops.ts";
import { Session } from "../src/tensor/session.ts";

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

/** Seconds of each of `repeats` runs, after one that is not counted. */
export async function times(repeats: number, run: () => Promise<unknown>): Promise<number[]> {
  await run();
  const seconds: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await run();
    seconds.push((performance.now() - start) / 1000);
  }
  return seconds;
}

/** The better of two fp32 matrix products through ONNX Runtime, in GFLOP/s: the fastest run of each counts. */
export async function ceiling(threads: number): Promise<number> {
  const shapes = [
    [2048, 2048, 2048],
    [4096, 256, 1024],
  ] as const;
  let best = 0;
  for (const [m, k, n] of shapes) {
    const products = 6;
    const a = input("a", [m, k]);
    const b = input("b", [k, n]);
    // With equal operands the graph optimizer would compute only one product; one row of each is kept.
    const parts = Array.from({ length: products }, (_, i) => slice(matmul(a, mul(b, constant(1 + i / 8))), 0, 0, 1));
    const session = await Session.compile({ out: parts.reduce((x, y) => add(x, y)) }, { threads });
    const feeds = {
      a: { data: new Float32Array(m * k).fill(0.5), shape: [m, k] },
      b: { data: new Float32Array(k * n).fill(0.25), shape: [k, n] },
    };
    const seconds = Math.min(...(await times(5, () => session.run(feeds))));
    best = Math.max(best, (products * 2 * m * k * n) / seconds / 1e9);
    await session.release();
  }
  return best;
}

/** FLOPs of one forward pass over `tokens` tokens that attend to `seen` positions each on average; only products count. */
export function forwardFlops({ width, layers, vocabularySize }: ModelConfig, tokens: number, seen: number): number {
  return tokens * (2 * (12 * layers * width ** 2 + width * vocabularySize) + 4 * layers * seen * width);
}

export function gpt2(width: number, context: number): ModelConfig {
  return { family: "gpt2", vocabularySize: 512, context, width, layers: 4, heads: 4, tieEmbeddings: true };
}
