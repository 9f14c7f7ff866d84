/** The distribution in blocks of the vocabulary, against slow loops over whole rows, and its gradients, against finite differences. */
import { describe, expect, test } from "vitest";
import { distance, runOnce, uniformGrid } from "../../test/support/graphs.ts";
import type { Grid } from "../../test/support/interpreter.ts";
import { gradients } from "../tensor/gradients.ts";
import { constant, input, type Tensor, topological } from "../tensor/graph.ts";
import { add, mul, sum } from "../tensor/ops.ts";
import { blockArgmax, blockDistribution, blockKl, mostWords, type Readout, wordsOfBlock } from "./vocabulary-blocks.ts";

const width = 3;

/** Vocabularies that fill their blocks or not (the last, a prime), in one block, two, or three. */
const vocabularies = [1, 7, mostWords, mostWords + 1, 2 * mostWords, 2 * 1031, 2 * mostWords + 351];

test.each([
  [2062, 1031],
  [50_257, 1733],
  [49_152, 1024],
  [151_936, 1187],
  [128_256, 1002],
  [32_000, 1000],
  // 2,399 and 50,261 are primes.
  [2399, 800],
  [50_261, 1006],
])("a vocabulary of %i is read in blocks of %i words", (vocabulary, words) => {
  expect(wordsOfBlock(vocabulary)).toBe(words);
});

const readoutOf = (V: number, name = "", missing: readonly number[] = [], whole = false): Readout => {
  const mask = new Array<number>(V).fill(0);
  for (const id of missing) mask[id] = -1e30;
  return {
    hidden: input(`${name}hidden`, ["N", width]),
    matrix: input(`${name}matrix`, [V, width]),
    mask: missing.length === 0 ? null : constant(mask),
    whole,
  };
};

function feedsOf(N: number, V: number, name = ""): Record<string, Grid> {
  return {
    [`${name}hidden`]: uniformGrid(`hidden ${name}`, [N, width], [-3, 3]),
    [`${name}matrix`]: uniformGrid(`matrix ${name}`, [V, width], [-2, 2]),
  };
}

/** The rows' log-probabilities, word by word, in float64. */
function slowLogs(feeds: Record<string, Grid>, name = "", missing: readonly number[] = []): number[][] {
  const [hidden, matrix] = [feeds[`${name}hidden`]!, feeds[`${name}matrix`]!];
  const row = (grid: Grid, i: number) => grid.data.slice(i * width, (i + 1) * width);
  return Array.from({ length: hidden.shape[0]! }, (_, n) => {
    const logits = Array.from({ length: matrix.shape[0]! }, (_, v) =>
      missing.includes(v) ? -Infinity : row(hidden, n).reduce((dot, x, d) => dot + x * row(matrix, v)[d]!, 0),
    );
    const top = logits.reduce((a, b) => Math.max(a, b));
    const norm = top + Math.log(logits.reduce((total, z) => total + Math.exp(z - top), 0));
    return logits.map((z) => z - norm);
  });
}

const slowEntropy = (logs: readonly number[]) =>
  -logs.reduce((total, x) => total + (x === -Infinity ? 0 : Math.exp(x) * x), 0);

const targetsOf = (N: number, V: number): Grid => ({
  shape: [N],
  data: Array.from({ length: N }, (_, n) => (n * 619 + V - 1) % V),
});

const targets = input("targets", ["N"], "int32");
const grid = (data: readonly number[]): Grid => ({ shape: [data.length], data });

const cases = vocabularies.flatMap((V) =>
  (V === mostWords + 1 ? [false, true] : [false]).map((whole) => ({ V, whole })),
);

describe.each(cases)("a vocabulary of $V, in one block: $whole", ({ V, whole }) => {
  const readout = (name = "") => readoutOf(V, name, [], whole);

  test.each([1, 5])("log-probabilities, entropies and the most likely words of %i rows", async (N) => {
    const feeds: Record<string, Grid> = { ...feedsOf(N, V), targets: targetsOf(N, V) };
    const own = readout();
    const { logprobs_N, entropy_N } = blockDistribution(own, targets);
    const out = await runOnce({ logprobs_N, entropy_N, top1: blockArgmax(own) }, feeds);
    const logs = slowLogs(feeds);
    expect(distance(out.logprobs_N!, grid(logs.map((row, n) => row[feeds.targets!.data[n]!]!)))).toBeLessThan(2e-6);
    expect(distance(out.entropy_N!, grid(logs.map(slowEntropy)))).toBeLessThan(2e-6);
    expect(out.top1!.data).toEqual(logs.map((row) => row.indexOf(row.reduce((a, b) => Math.max(a, b)))));
  });

  test("KL of two distributions, 0 with itself", async () => {
    const feeds: Record<string, Grid> = { ...feedsOf(4, V), ...feedsOf(4, V, "old.") };
    const own = readout();
    const out = await runOnce({ kl: blockKl(own, readout("old.")), own: blockKl(own, own) }, feeds);
    const [logs, oldLogs] = [slowLogs(feeds), slowLogs(feeds, "old.")];
    const slow = oldLogs.map((row, n) => row.reduce((kl, x, v) => kl + Math.exp(x) * (x - logs[n]![v]!), 0));
    expect(distance(out.kl!, grid(slow))).toBeLessThan(3e-6);
    expect(Math.max(...out.own!.data.map(Math.abs))).toBe(0);
  });

  test.each(["logprobs", "entropy", "both", "kl"] as const)("the gradients of %s", async (of) => {
    const N = 3;
    const feeds: Record<string, Grid> = {
      ...feedsOf(N, V),
      ...feedsOf(N, V, "old."),
      targets: targetsOf(N, V),
      weights: uniformGrid("w", [N]),
    };
    const own = readout();
    const { logprobs_N, entropy_N } = blockDistribution(own, targets);
    const terms = {
      logprobs: () => logprobs_N,
      entropy: () => entropy_N,
      both: () => add(mul(logprobs_N, entropy_N), entropy_N),
      kl: () => blockKl(own, readout("old.")),
    };
    const loss = sum(mul(input("weights", ["N"]), terms[of]()));
    const [hidden, matrix] = gradients(loss, [own.hidden, own.matrix]) as [Tensor, Tensor];
    const out = await runOnce({ hidden, matrix }, feeds);
    const slowLoss = (values: Record<string, Grid>) => {
      const [logs, oldLogs] = [slowLogs(values), of === "kl" ? slowLogs(values, "old.") : []];
      return logs.reduce((total, row, n) => {
        const logprob = row[values.targets!.data[n]!]!;
        const H = slowEntropy(row);
        const kl = oldLogs[n]?.reduce((sum, x, v) => sum + Math.exp(x) * (x - row[v]!), 0) ?? 0;
        const term = { logprobs: logprob, entropy: H, both: logprob * H + H, kl }[of];
        return total + values.weights!.data[n]! * term;
      }, 0);
    };
    const slope = (name: string, at: number) => {
      const moved = (by: number) => {
        const { shape, data } = feeds[name]!;
        return slowLoss({ ...feeds, [name]: { shape, data: data.map((x, i) => (i === at ? x + by : x)) } });
      };
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    };
    for (let i = 0; i < N * width; i++) expect(out.hidden!.data[i]).toBeCloseTo(slope("hidden", i), 4);
    // The first and last words of blocks, and the targets.
    const edges = [0, V - 1, wordsOfBlock(V) - 1, wordsOfBlock(V), ...feeds.targets!.data].filter((v) => v < V);
    for (const v of new Set(edges))
      for (let d = 0; d < width; d++)
        expect(out.matrix!.data[v * width + d]).toBeCloseTo(slope("matrix", v * width + d), 4);
    expect(out.matrix!.shape).toEqual([V, width]);
  });
});

test("words that no text has get probability 0, no gradient, and are never the most likely", async () => {
  const V = 2 * mostWords + 9;
  const missing = [0, 3, mostWords, ...Array.from({ length: 40 }, (_, i) => V - 40 + i)];
  const own = readoutOf(V, "", missing);
  const feeds: Record<string, Grid> = { ...feedsOf(2, V), targets: grid([5, mostWords + 1]) };
  feeds.matrix = {
    ...feeds.matrix!,
    data: feeds.matrix!.data.map((x, i) => (missing.includes(Math.floor(i / width)) ? 90 : x)),
  };
  const { logprobs_N, entropy_N } = blockDistribution(own, targets);
  const [matrix] = gradients(sum(add(logprobs_N, entropy_N)), [own.matrix]) as [Tensor];
  const out = await runOnce({ logprobs_N, entropy_N, matrix, top1: blockArgmax(own) }, feeds);
  const logs = slowLogs(feeds, "", missing);
  expect(distance(out.logprobs_N!, grid(logs.map((row, n) => row[feeds.targets!.data[n]!]!)))).toBeLessThan(2e-6);
  expect(distance(out.entropy_N!, grid(logs.map(slowEntropy)))).toBeLessThan(2e-6);
  expect(out.top1!.data.filter((v) => missing.includes(v))).toEqual([]);
  for (const v of missing) expect(out.matrix!.data.slice(v * width, (v + 1) * width).map(Math.abs)).toEqual([0, 0, 0]);
});

test("a value that is not finite reaches the row's results, wherever it is, and no other row's", async () => {
  const V = 2 * mostWords + 9;
  const { logprobs_N, entropy_N } = blockDistribution(readoutOf(V), targets);
  for (const bad of [NaN, Infinity]) {
    const feeds: Record<string, Grid> = { ...feedsOf(2, V), targets: grid([5, 6]) };
    feeds.hidden = { ...feeds.hidden!, data: feeds.hidden!.data.map((x, i) => (i === 1 ? bad : x)) };
    const out = await runOnce({ logprobs_N, entropy_N }, feeds);
    expect(Object.values(out).map(({ data }) => data.map(Number.isFinite))).toEqual([
      [false, true],
      [false, true],
    ]);
  }
  for (const word of [0, mostWords + 3, V - 1]) {
    const feeds: Record<string, Grid> = { ...feedsOf(2, V), targets: grid([5, 6]) };
    feeds.matrix = { ...feeds.matrix!, data: feeds.matrix!.data.map((x, i) => (i === word * width ? NaN : x)) };
    const out = await runOnce({ logprobs_N, entropy_N }, feeds);
    expect(Object.values(out).flatMap(({ data }) => data)).toEqual([NaN, NaN, NaN, NaN]);
  }
});

test("a frozen matrix costs no product of its size", () => {
  const own = readoutOf(2 * mostWords + 351);
  const { logprobs_N } = blockDistribution(own, targets);
  const sizes = (wrt: readonly Tensor[]) =>
    topological(gradients(sum(logprobs_N), wrt)).flatMap(({ op, shape }) => (op === "concat" ? [shape] : []));
  expect(sizes([own.hidden])).toEqual([]);
  expect(sizes([own.hidden, own.matrix])).toEqual([[2 * mostWords + 351, width]]);
});
