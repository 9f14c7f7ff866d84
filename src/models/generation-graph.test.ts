/** The sampler's choice over large vocabularies, against the exact distribution function. */
import { expect, test } from "vitest";
import { input } from "../tensor/graph.ts";
import { Session } from "../tensor/session.ts";
import { fineUniforms, random } from "../util/random.ts";
import { sample } from "./generation-graph.ts";

/** Tokens drawn from rows with the same logits, one uniform number each. */
async function draw(logits: Float32Array, uniforms: readonly number[], shape: { topK: number; topP: number }) {
  const [V, B] = [logits.length, uniforms.length];
  const graph = sample(
    { greedy: false, topK: shape.topK, topP: shape.topP < 1 },
    input("logits", ["B", V]),
    input("step", [], "int64"),
  );
  const session = await Session.compile({ token: graph.token_B, logprob: graph.logprob_B }, { threads: 2 });
  const rows = new Float32Array(B * V);
  for (let b = 0; b < B; b++) rows.set(logits, b * V);
  const out = await session.run({
    logits: { data: rows, shape: [B, V] },
    uniforms: { data: Float64Array.from(uniforms), shape: [1, B] },
    temperature: { data: Float32Array.of(1), shape: [] },
    topP: { data: Float64Array.of(shape.topP), shape: [] },
    step: { data: BigInt64Array.of(0n), shape: [] },
  });
  await session.release();
  return { tokens: Array.from(out.token!.data, Number), logprobs: Array.from(out.logprob!.data, Number) };
}

/** Probabilities of logits, in float64. */
function softmax(logits: Float32Array): number[] {
  const weights = Array.from(logits, Math.exp);
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** One token that takes nearly all, and a tail in which each is below float32's last bit next to 1. */
function headAndTail(V: number): Float32Array {
  const stream = random("logits", V);
  return Float32Array.from({ length: V }, (_, v) => (v === 3 ? 0 : -18 - 2 * stream.uniform()));
}

test.each([50_257, 152_064])("draws in a tail of %d tokens follow the exact probabilities", async (V) => {
  const logits = headAndTail(V);
  const p = softmax(logits);
  const running: number[] = [];
  for (const [v, weight] of p.entries()) running.push((running[v - 1] ?? 0) + weight);
  const from = running[3]!;
  const uniform = fineUniforms("draws", V);
  const uniforms = Array.from({ length: 24 }, () => from + (1 - from) * uniform());
  const { tokens, logprobs } = await draw(logits, uniforms, { topK: 0, topP: 1 });
  for (const [i, token] of tokens.entries()) {
    // The distribution function at the token covers the number, up to rounding in the tail.
    const slack = 1e-5 * (1 - from);
    expect(running[token - 1]!).toBeLessThanOrEqual(uniforms[i]! + slack);
    expect(running[token]!).toBeGreaterThan(uniforms[i]! - slack);
    expect(logprobs[i]!).toBeCloseTo(Math.log(p[token]!), 3);
  }
  expect(new Set(tokens).size).toBeGreaterThan(20);
});

test("top-p cuts where the exact share is reached, far down a flat tail", async () => {
  const V = 50_257;
  const logits = headAndTail(V);
  const sorted = softmax(logits).sort((a, b) => b - a);
  const share = sorted.slice(0, V / 2).reduce((a, b) => a + b, 0);
  const { logprobs } = await draw(logits, [1 - 2 ** -46, 1 - 2 ** -40], { topK: 0, topP: share });
  expect(Math.exp(logprobs[0]!) / sorted[Math.floor(V / 2)]!).toBeCloseTo(1, 2);
});

test("a weight of 0 is never chosen, at either end of a block or of the uniform numbers", async () => {
  const logits = Float32Array.from({ length: 40 }, (_, v) => (v % 8 === 3 ? 0 : -1e30));
  const uniforms = [0, 2 ** -46, 0.3, 0.5, 0.7, 0.9, 1 - 2 ** -23, 1 - 2 ** -46];
  const { tokens } = await draw(logits, uniforms, { topK: 0, topP: 1 });
  expect(tokens).toEqual([3, 3, 11, 19, 27, 35, 35, 35]);
});

test("uniform numbers are finer than float32's, below 1, and begin as the coarse stream does", () => {
  const coarse = random(5, "x");
  const uniform = fineUniforms(5, "x");
  const drawn = Array.from({ length: 100 }, () => [uniform(), coarse.uniform()] as const);
  expect(drawn.every(([u, c]) => u >= c && u < c + 2 ** -23 && u < 1)).toBe(true);
  expect(drawn.filter(([u]) => Number.isInteger(u * 2 ** 23)).length).toBeLessThan(2);
});
