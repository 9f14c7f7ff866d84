/** Every family against transformers: logits, loss, gradients and greedy texts of tiny random models, and what Ballast writes of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { gradientOf } from "../../../test/support/engine.ts";
import { familyCases, float32Of, logitsOf, relative, writeCase } from "../../../test/support/family-fixtures.ts";
import { gap } from "../../../test/support/gpt2.ts";
import { familyNames } from "../../models/family.ts";
import { readModelConfig, readModelFolder } from "../../models/hf-folder.ts";
import { frequenciesOf, type RopeParameters } from "../../models/rotary.ts";
import type { CrossEntropyLoss } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

test("every family has cases", () => {
  const tested = new Set(familyCases.map(({ title }) => title.split(":")[0]));
  expect([...tested]).toEqual(familyNames.filter((name) => name !== "gpt2"));
});

describe.each(familyCases)("$title", (one) => {
  const { sequences, prompts, greedy } = one;
  const folder = writeCase(one, one.config);

  test("the file as people write it, as transformers saves it and as Ballast writes it is one configuration", async () => {
    const config = readModelConfig(folder);
    expect(readModelConfig(writeCase(one, one.saved))).toEqual(config);
    const { id } = await core.loadModel(folder);
    const written = await core.saveModel(id, writeCase(one, {}));
    expect(readModelConfig(written)).toEqual(config);
    // Older versions of transformers read these alone.
    const json = JSON.parse(readFileSync(join(written, "config.json"), "utf8")) as Record<string, unknown>;
    const { rope_parameters: _, ...older } = json;
    expect(readModelConfig(writeCase(one, older))).toEqual(config);
    expect(readModelFolder(written).tensors).toEqual(readModelFolder(folder).tensors);
  });

  test("logits within 1e-5 of transformers'", async () => {
    const logits = await logitsOf(
      folder,
      sequences.map(({ tokens }) => tokens),
    );
    for (const [i, rows] of logits.entries()) expect(relative(rows, one.logits[i] as number[])).toBeLessThan(1e-5);
  });

  test("loss, and gradients of all parameters, within 1e-5 of transformers'", async () => {
    const { id } = await core.loadModel(folder);
    const scored = sequences.reduce((n, { tokens }) => n + tokens.length - 1, 0);
    const weights = sequences.map(({ tokens }) => tokens.slice(1).map(() => 1 / scored));
    const lessons: CrossEntropyLoss = { name: "cross_entropy", sequences, weights };
    const { loss } = await core.forwardBackward(id, lessons);
    expect(Math.abs(loss / one.loss - 1)).toBeLessThan(1e-5);
    const found = await gradientOf(core, id, [lessons]);
    expect(new Set(found.keys())).toEqual(new Set(one.gradients.keys()));
    for (const [name, gradient] of one.gradients) expect(relative(found.get(name)!, gradient), name).toBeLessThan(1e-5);
  });

  test("greedy generation is transformers', beyond windows and scaling thresholds", async () => {
    const { id } = await core.loadModel(folder);
    const shared = { prompts, maxNewTokens: greedy[0]!.length, stopTokens: [], topK: 0, topP: 1, seed: 7 };
    expect((await core.sample(id, { ...shared, temperature: 0 })).tokens).toEqual(greedy);
  });

  test("what is sampled with the cache has the log-probabilities of the forward pass without one", async () => {
    const { id } = await core.loadModel(folder);
    const shared = { prompts, maxNewTokens: 34, stopTokens: [2], topK: 0, topP: 1, seed: 7 };
    const { tokens, logprobs } = await core.sample(id, { ...shared, temperature: 1 });
    const read = prompts.map((prompt, i) => ({ tokens: [...prompt, ...tokens[i]!], start: prompt.length }));
    const forward = await core.forward(id, { sequences: read, outputs: ["logprobs"] });
    expect(gap(logprobs, forward.logprobs!)).toBeLessThan(1e-5);
  });
});

test("frequencies of published models equal transformers' to the last bit but one", () => {
  const path = new URL("../../../test/fixtures/rotary-frequencies.json", import.meta.url);
  const cases = JSON.parse(readFileSync(path, "utf8")) as {
    headDim: number;
    rope: RopeParameters;
    radians: string;
    factor: number;
  }[];
  for (const { headDim, rope, radians: expected, factor } of cases) {
    const { radians, factor: found } = frequenciesOf(rope, headDim);
    expect(found).toBeCloseTo(factor, 14);
    const worst = float32Of(expected).map((value, i) => Math.abs(radians[i]! / value - 1));
    expect(Math.max(...worst), JSON.stringify(rope)).toBeLessThan(2 ** -22);
    expect(radians).toHaveLength(headDim / 2);
  }
});
