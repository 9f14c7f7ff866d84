/** Generation compared with the forward pass: greedy and sampled tokens, their probabilities, and what they must not depend on. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gap } from "../../../test/support/gpt2.ts";
import { withDefaultOptions } from "../../models/family.ts";
import { EngineError } from "../../util/errors.ts";
import { random } from "../../util/random.ts";
import type { ModelConfig, SampleRequest, SampleResult } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";

const V = 19;
const config: ModelConfig = {
  family: "gpt2",
  vocabularySize: V,
  context: 80,
  width: 16,
  layers: 2,
  heads: 2,
  tieEmbeddings: true,
};
const core = new EmbeddedCore({ threads: 2 });
/** A Mistral whose window is smaller than its positions. */
const windowed = {
  ...withDefaultOptions({ ...config, family: "mistral", context: 12 }),
  options: {
    ...withDefaultOptions({ ...config, family: "mistral" }).options,
    sliding_window: 12,
    max_position_embeddings: 80,
  },
};
let model = "";
beforeAll(async () => {
  model = (await core.createModel({ config, heads: ["lm"], seed: 3 })).id;
});
afterAll(() => core.close());

/** Prompts of 1 to 24 tokens. */
function ragged(count: number, seed = 0): number[][] {
  const stream = random("prompts", seed);
  return Array.from({ length: count }, () => Array.from({ length: 1 + stream.integer(24) }, () => stream.integer(V)));
}

const defaults = { stopTokens: [], temperature: 1, topK: 0, topP: 1, seed: 11 };
const sample = (request: Partial<SampleRequest> & Pick<SampleRequest, "prompts" | "maxNewTokens">) =>
  core.sample(model, { ...defaults, ...request });

async function forwardLogprobs(
  prompts: readonly (readonly number[])[],
  tokens: readonly number[][],
  temperature: number,
) {
  const sequences = prompts.map((prompt, i) => ({ tokens: [...prompt, ...tokens[i]!], start: prompt.length }));
  return (await core.forward(model, { sequences, outputs: ["logprobs"], temperature })).logprobs!;
}

/** Probability of every token after each prompt, from the forward pass of each candidate. */
async function distributions(prompts: readonly (readonly number[])[], temperature: number): Promise<number[][]> {
  const sequences = prompts.flatMap((prompt) =>
    Array.from({ length: V }, (_, token) => ({ tokens: [...prompt, token], start: prompt.length })),
  );
  const { logprobs } = await core.forward(model, { sequences, outputs: ["logprobs"], temperature });
  return prompts.map((_, i) => logprobs!.slice(i * V, (i + 1) * V).map(([logprob]) => Math.exp(logprob!)));
}

describe("greedy", () => {
  test("takes the forward pass's largest logit, step by step, over several chunks", async () => {
    const prompts = ragged(4);
    const steps = 40;
    const { tokens, logprobs } = await sample({ prompts, maxNewTokens: steps, temperature: 0 });
    const naive: number[][] = prompts.map(() => []);
    for (let step = 0; step < steps; step++) {
      const next = await distributions(
        prompts.map((prompt, i) => [...prompt, ...naive[i]!]),
        1,
      );
      for (const [i, p] of next.entries()) naive[i]!.push(p.indexOf(Math.max(...p)));
    }
    expect(tokens).toEqual(naive);
    // Log-probabilities are those at temperature 1.
    expect(gap(logprobs, await forwardLogprobs(prompts, tokens, 1))).toBeLessThan(1e-4);
  });

  test("does not depend on the seed", async () => {
    const prompts = ragged(3);
    const first = await sample({ prompts, maxNewTokens: 10, temperature: 0, seed: 1 });
    expect(await sample({ prompts, maxNewTokens: 10, temperature: 0, seed: 2 })).toEqual(first);
  });
});

describe("a sampled token's log-probability is the forward pass's within 1e-4", () => {
  test.each([
    ["plain", { temperature: 1 }],
    ["cool", { temperature: 0.6 }],
    ["hot", { temperature: 1.7 }],
    ["top-k: of the whole distribution", { temperature: 0.9, topK: 4 }],
    ["top-p: of the whole distribution", { temperature: 0.9, topP: 0.5 }],
    ["both", { temperature: 1.2, topK: 6, topP: 0.8 }],
  ])("%s, rows that stop in the middle", async (_, settings) => {
    const prompts = ragged(40, 1);
    const stopTokens = [2, 5];
    const result = await sample({ prompts, maxNewTokens: 50, stopTokens, ...settings });
    expectStops(result, stopTokens, 50);
    expect(gap(result.logprobs, await forwardLogprobs(prompts, result.tokens, settings.temperature))).toBeLessThan(
      1e-4,
    );
    // This tests ragged ends: some stop early, some after several chunks.
    const lengths = result.tokens.map(({ length }) => length);
    expect(Math.min(...lengths)).toBeLessThan(8);
    expect(Math.max(...lengths)).toBeGreaterThan(24);
  });

  test("more rows than a batch holds, to the last position of the context", async () => {
    const prompts = ragged(300, 2);
    const longest = Math.max(...prompts.map(({ length }) => length));
    const maxNewTokens = config.context - longest;
    const result = await sample({ prompts, maxNewTokens, stopTokens: [4] });
    expectStops(result, [4], maxNewTokens);
    expect(gap(result.logprobs, await forwardLogprobs(prompts, result.tokens, 1))).toBeLessThan(1e-4);
  });

  test("an untied head", async () => {
    const { id } = await core.createModel({ config: { ...config, tieEmbeddings: false }, heads: ["lm"], seed: 3 });
    const prompts = ragged(5);
    const { tokens, logprobs } = await core.sample(id, { ...defaults, prompts, maxNewTokens: 20 });
    const sequences = prompts.map((prompt, i) => ({ tokens: [...prompt, ...tokens[i]!], start: prompt.length }));
    const forward = await core.forward(id, { sequences, outputs: ["logprobs"] });
    expect(gap(logprobs, forward.logprobs!)).toBeLessThan(1e-4);
  });
});

function expectStops(
  { tokens, stopReasons, logprobs }: SampleResult,
  stopTokens: number[],
  maxNewTokens: number,
): void {
  for (const [i, row] of tokens.entries()) {
    expect(logprobs[i]!.length).toBe(row.length);
    const stop = row.findIndex((token) => stopTokens.includes(token));
    expect(row.length).toBe(stop === -1 ? maxNewTokens : stop + 1);
    expect(stopReasons[i]).toBe(stop === -1 ? "length" : "stop");
  }
}

describe("frequencies of sampled tokens match the distribution", () => {
  const prompt = [3, 1, 4, 1, 5];
  const draws = 2000;

  /** Chi-square against probabilities, and its bound: the mean, and five standard deviations. */
  async function chiSquare(settings: Partial<SampleRequest>, keep: (p: number[]) => number[]) {
    const { tokens } = await sample({
      prompts: Array.from({ length: draws }, () => prompt),
      maxNewTokens: 1,
      ...settings,
    });
    const [p] = await distributions([prompt], settings.temperature ?? 1);
    const kept = keep(p!);
    const total = kept.reduce((a, b) => a + b, 0);
    const counts = p!.map(() => 0);
    for (const [token] of tokens) counts[token!]!++;
    const support = kept.flatMap((weight, token) => (weight > 0 ? [token] : []));
    expect(counts.flatMap((count, token) => (count > 0 && kept[token] === 0 ? [token] : []))).toEqual([]);
    const statistic = support.reduce((sum, token) => {
      const expected = (draws * kept[token]!) / total;
      return sum + (counts[token]! - expected) ** 2 / expected;
    }, 0);
    const freedom = support.length - 1;
    expect(statistic).toBeLessThan(freedom + 5 * Math.sqrt(2 * freedom) + 1e-6);
    return support.length;
  }

  const sorted = (p: number[]) => [...p.keys()].sort((a, b) => p[b]! - p[a]!);
  const topK = (p: number[], k: number) => p.map((weight, token) => (sorted(p).indexOf(token) < k ? weight : 0));
  /** The most likely tokens until they hold a share of all. */
  function topP(p: number[], share: number): number[] {
    const total = p.reduce((a, b) => a + b, 0);
    let before = 0;
    const kept = p.map(() => 0);
    for (const token of sorted(p)) {
      if (before < share * total) kept[token] = p[token]!;
      before += p[token]!;
    }
    return kept;
  }

  test.each([0.5, 1, 2])("temperature %d", async (temperature) => {
    expect(await chiSquare({ temperature }, (p) => p)).toBe(V);
  });

  test("top-k keeps exactly k", async () => {
    expect(await chiSquare({ topK: 5 }, (p) => topK(p, 5))).toBe(5);
    expect(await chiSquare({ topK: 1 }, (p) => topK(p, 1))).toBe(1);
    expect(await chiSquare({ topK: 1000 }, (p) => p)).toBe(V);
  });

  test("top-p keeps exactly the most likely that hold p", async () => {
    expect(await chiSquare({ topP: 0.7 }, (p) => topP(p, 0.7))).toBeLessThan(V);
    expect(await chiSquare({ topP: 1e-6 }, (p) => topP(p, 1e-6))).toBe(1);
  });

  test("top-k, then top-p of what is left", async () => {
    const support = await chiSquare({ topK: 6, topP: 0.6 }, (p) => topP(topK(p, 6), 0.6));
    expect(support).toBeGreaterThan(1);
    expect(support).toBeLessThan(6);
  });
});

describe("what tokens depend on", () => {
  const prompts = ragged(9, 4);
  const request = { prompts, maxNewTokens: 30, stopTokens: [2], temperature: 0.9 };

  test("the same seed gives the same bits, in another engine too; another seed others", async () => {
    const first = await sample(request);
    expect(await sample(request)).toEqual(first);
    const other = new EmbeddedCore({ threads: 2 });
    const { id } = await other.createModel({ config, heads: ["lm"], seed: 3 });
    expect(await other.sample(id, { ...defaults, ...request })).toEqual(first);
    await other.close();
    expect((await sample({ ...request, seed: 12 })).tokens).not.toEqual(first.tokens);
  });

  test("not on the rest of the batch, nor its order", async () => {
    const together = await sample(request);
    for (const order of [[3], [8, 0, 5], [8, 7, 6, 5, 4, 3, 2, 1, 0]]) {
      const part = await sample({ ...request, prompts: order.map((i) => prompts[i]!), streams: order });
      expect(part.tokens).toEqual(order.map((i) => together.tokens[i]));
      expect(part.stopReasons).toEqual(order.map((i) => together.stopReasons[i]));
      expect(
        gap(
          part.logprobs,
          order.map((i) => together.logprobs[i]!),
        ),
      ).toBeLessThan(1e-5);
    }
  });

  test("on the stream: equal ones repeat, others do not", async () => {
    const { tokens } = await sample({
      ...request,
      prompts: [prompts[0]!, prompts[0]!, prompts[0]!],
      streams: [7, 7, 8],
    });
    expect(tokens[1]).toEqual(tokens[0]);
    expect(tokens[2]).not.toEqual(tokens[0]);
  });

  test("not on how many are asked for: a shorter request is the start of a longer one", async () => {
    const long = await sample({ ...request, stopTokens: [], maxNewTokens: 45 });
    const short = await sample({ ...request, stopTokens: [], maxNewTokens: 21 });
    expect(short.tokens).toEqual(long.tokens.map((row) => row.slice(0, 21)));
  });

  test("sampling leaves no trace in what follows", async () => {
    const before = await sample(request);
    await sample({ prompts: ragged(60, 9), maxNewTokens: 50 });
    await sample({ prompts: [[1]], maxNewTokens: 1 });
    expect(await sample(request)).toEqual(before);
  });

  test("no prompts, no samples", async () => {
    expect(await sample({ prompts: [], maxNewTokens: 5 })).toEqual({ tokens: [], logprobs: [], stopReasons: [] });
  });
});

describe("requests that cannot be met are EngineErrors", () => {
  const long = Array.from({ length: 70 }, () => 1);
  test.each<[string, Partial<SampleRequest>, string]>([
    ["an empty prompt", { prompts: [[1], []] }, "prompt 1 is empty"],
    [
      "a token outside the vocabulary",
      { prompts: [[1, V]] },
      `prompt 0 holds token ${V}; the model's vocabulary has ${V}`,
    ],
    ["a negative token", { prompts: [[-1]] }, "prompt 0 holds token -1"],
    ["a token that is not whole", { prompts: [[1.5]] }, "prompt 0 holds token 1.5"],
    [
      "more than the context",
      { prompts: [[1], long], maxNewTokens: 11 },
      "prompt 1 has 70 tokens; with 11 new ones it exceeds the context of 80",
    ],
    ["no new tokens", { maxNewTokens: 0 }, "maxNewTokens is 0"],
    ["a part of a token", { maxNewTokens: 2.5 }, "maxNewTokens is 2.5"],
    ["a negative temperature", { temperature: -1 }, "temperature is -1"],
    ["a temperature that is no number", { temperature: Number.NaN }, "temperature is NaN"],
    ["a negative top-k", { topK: -1 }, "topK is -1"],
    ["a top-k that is not whole", { topK: 1.5 }, "topK is 1.5"],
    ["a top-p of 0", { topP: 0 }, "topP is 0"],
    ["a top-p above 1", { topP: 1.01 }, "topP is 1.01"],
    ["streams of another number", { streams: [1, 2] }, "2 streams for 1 prompts"],
  ])("%s", async (_, settings, message) => {
    const call = sample({ prompts: [[1]], maxNewTokens: 4, ...settings });
    await expect(call).rejects.toBeInstanceOf(EngineError);
    await expect(call).rejects.toThrow(message);
  });

  test("weights that are no numbers give log-probabilities that are none, and tokens of the vocabulary", async () => {
    const { id } = await core.cloneModel(model);
    await core.ema(id, model, Number.NaN);
    for (const settings of [{}, { temperature: 0 }, { topK: 3 }, { topP: 0.5 }]) {
      const { tokens, logprobs } = await core.sample(id, {
        ...defaults,
        prompts: [[1], [2]],
        maxNewTokens: 3,
        ...settings,
      });
      expect(tokens.flat().every((token) => token >= 0 && token < V)).toBe(true);
      expect(logprobs.flat()).toEqual(Array.from({ length: 6 }, () => Number.NaN));
    }
  });

  test("a model without a language head", async () => {
    const { id } = await core.createModel({ config, heads: ["scalar"], seed: 1 });
    await expect(core.sample(id, { ...defaults, prompts: [[1]], maxNewTokens: 1 })).rejects.toThrow(
      /has no language head to sample from/,
    );
  });
});

test("texts longer than a window are refused by its name, in generation and in a pass", async () => {
  const { id } = await core.createModel({ config: windowed, heads: ["lm"], seed: 1 });
  const tokens = new Array<number>(13).fill(1);
  const calls = [
    core.sample(id, { ...defaults, prompts: [[1, 2]], maxNewTokens: 11 }),
    core.forward(id, { sequences: [{ tokens, start: 1 }], outputs: ["logprobs"] }),
  ];
  for (const call of calls)
    await expect(call).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/context (of|is) 12, its sliding_window \(its max_position_embeddings is 80\)$/),
        hint: expect.stringContaining("take a model with a larger window"),
      }),
    );
});
