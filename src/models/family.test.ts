/** Parameters: Hugging Face's names and shapes, groups, and the statistics of initial values. */
import { describe, expect, test } from "vitest";
import { fixture, tiedConfig, untiedConfig } from "../../test/support/gpt2.ts";
import { families, familyNames, parameterSpecs, scratchConfig } from "./family.ts";
import type { DecoderConfig } from "./model-config.ts";
import { checkConfig, parameterCount } from "./model-size.ts";
import { initialValues } from "./parameters.ts";

const shapes = (specs: ReturnType<typeof parameterSpecs>) =>
  Object.fromEntries(specs.map(({ name, shape }) => [name, shape]));
const shapesOf = (tensors: Readonly<Record<string, { readonly shape: readonly number[] }>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));

describe("parameterSpecs", () => {
  test("has Hugging Face's names and shapes, for every combination of heads", () => {
    const trunk = shapesOf(fixture.parameters);
    const score = shapesOf(fixture.score);
    expect(shapes(parameterSpecs(tiedConfig, ["lm"]))).toEqual(trunk);
    expect(shapes(parameterSpecs(untiedConfig, ["lm"]))).toEqual({ ...trunk, ...shapesOf(fixture.untied) });
    expect(shapes(parameterSpecs(tiedConfig, ["scalar"]))).toEqual({ ...trunk, ...score });
    expect(shapes(parameterSpecs(untiedConfig, ["scalar"]))).toEqual({ ...trunk, ...score });
    expect(shapes(parameterSpecs(untiedConfig, ["lm", "scalar"]))).toEqual({
      ...trunk,
      ...shapesOf(fixture.untied),
      ...score,
    });
  });

  test("groups are the engine's, and only matrices decay", () => {
    const specs = parameterSpecs(untiedConfig, ["lm", "scalar"]);
    expect([...new Set(specs.map(({ group }) => group))]).toEqual([
      "embeddings",
      "block.0",
      "block.1",
      "final",
      "lm_head",
      "score",
    ]);
    for (const { name, shape, decays } of specs) expect({ name, decays }).toEqual({ name, decays: shape.length === 2 });
  });
});

describe("initialValues", () => {
  const config: DecoderConfig = { ...tiedConfig, vocabularySize: 300, context: 100, width: 64, layers: 3, heads: 4 };
  const specs = parameterSpecs(config, ["lm", "scalar"], "normal");
  const moments = (values: Float32Array) => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return { mean, sd: Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length) };
  };

  test("biases are 0, scales 1, matrices normal around 0, the residual's smaller by sqrt(2 layers)", () => {
    for (const spec of specs) {
      const values = initialValues(spec, 7);
      expect(values.length).toBe(spec.shape.reduce((a, b) => a * b, 1));
      const { mean, sd } = moments(values);
      if (spec.name.endsWith(".bias")) expect(new Set(values)).toEqual(new Set([0]));
      else if (spec.shape.length === 1) expect(new Set(values)).toEqual(new Set([1]));
      else {
        const residual = spec.name.endsWith("c_proj.weight") ? Math.sqrt(2 * config.layers) : 1;
        const expected = spec.name === "score.weight" ? 1 / Math.sqrt(65) : 1 / Math.sqrt(64) / residual;
        // Four standard errors.
        const error = 4 / Math.sqrt(values.length);
        expect(Math.abs(mean) / expected).toBeLessThan(error);
        expect(Math.abs(sd / expected - 1)).toBeLessThan(error);
        // A normal tail: some beyond two deviations, none beyond six.
        const beyond = (n: number) => values.filter((v) => Math.abs(v) > n * expected).length / values.length;
        expect(beyond(6)).toBe(0);
        if (values.length > 1000) expect(Math.abs(beyond(2) - 0.0455)).toBeLessThan(0.02);
      }
    }
  });

  test("a value head starts at 0", () => {
    const [spec] = parameterSpecs(config, ["scalar"], "zero").filter(({ name }) => name === "score.weight");
    expect(new Set(initialValues(spec!, 7))).toEqual(new Set([0]));
  });

  test("are a function of only the seed and the name", () => {
    const find = (list: typeof specs, name: string) => list.find((spec) => spec.name === name)!;
    const name = "transformer.h.1.mlp.c_fc.weight";
    const values = initialValues(find(specs, name), 7);
    expect(initialValues(find(parameterSpecs(config, ["lm"]), name), 7)).toEqual(values);
    expect(initialValues(find(specs, name), 8)).not.toEqual(values);
    expect(initialValues(find(specs, "transformer.h.2.mlp.c_fc.weight"), 7)).not.toEqual(values);
  });
});

test("a width that heads do not divide is refused, with the numbers", () => {
  expect(() => checkConfig({ ...tiedConfig, width: 10, heads: 4 }, ["lm"])).toThrow(
    "model width 10 is not divisible by 4 heads",
  );
});

test("parameters are counted without listing layers, and more than the machine holds are refused with the numbers", () => {
  const listed = parameterSpecs(tiedConfig, ["lm", "scalar"]).reduce(
    (n, { shape }) => n + shape.reduce((a, b) => a * b, 1),
    0,
  );
  expect(parameterCount(tiedConfig, ["lm", "scalar"])).toBe(listed);
  for (const sizes of [
    { layers: 10 ** 12 },
    { width: 8 * 10 ** 7 },
    { context: 10 ** 12 },
    { vocabularySize: 10 ** 12 },
  ])
    expect(() => checkConfig({ ...tiedConfig, ...sizes }, ["lm"])).toThrow(
      /is too large: its [\d,]+ parameters take [\d,.]+ GiB in float32, and this machine has [\d.,]+ GiB/,
    );
});

describe("a model from scratch", () => {
  const sizes = { vocabularySize: 40, context: 16, width: 32, layers: 2, heads: 4, tieEmbeddings: false };
  const total = (specs: ReturnType<typeof parameterSpecs>) =>
    specs.reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0);

  test.each(familyNames)(
    "%s: every size that the family takes has an effect, and its defaults are complete",
    (family) => {
      const plain = scratchConfig({ ...sizes, family });
      const { takes = [] } = families[family];
      const other = { kvHeads: 2, headDim: 6, innerWidth: 48, ropeTheta: 77 };
      for (const size of takes) {
        const changed = scratchConfig({ ...sizes, family, [size]: other[size] });
        if (size === "ropeTheta") expect(JSON.stringify(changed.options)).toContain('"rope_theta":77');
        else expect(total(parameterSpecs(changed, ["lm"]))).not.toBe(total(parameterSpecs(plain, ["lm"])));
        expect(changed).not.toEqual(plain);
      }
      expect(scratchConfig({ ...sizes, family, kvHeads: undefined, ropeTheta: undefined })).toEqual(plain);
      // The second default is the first: nothing is left to fill in.
      expect(scratchConfig({ ...plain })).toEqual(plain);
    },
  );

  test("GPT-NeoX's initial values are its paper's, a gated decoder's follow from the inputs of each matrix", () => {
    const deviations = (family: string) =>
      Object.fromEntries(parameterSpecs(scratchConfig({ ...sizes, family }), ["lm"]).map((s) => [s.name, s.deviation]));
    const neox = deviations("gpt_neox");
    expect(neox["gpt_neox.layers.0.mlp.dense_h_to_4h.weight"]).toBeCloseTo(Math.sqrt(2 / (5 * 32)), 12);
    expect(neox["gpt_neox.layers.1.attention.dense.weight"]).toBeCloseTo(2 / (2 * Math.sqrt(32)), 12);
    const llama = deviations("llama");
    expect(llama["model.layers.0.self_attn.q_proj.weight"]).toBeCloseTo(1 / Math.sqrt(32), 12);
    // 8/3 of the width, rounded up to a multiple of 32.
    expect(llama["model.layers.0.mlp.down_proj.weight"]).toBeCloseTo(1 / Math.sqrt(96) / Math.sqrt(4), 12);
    expect(llama["model.layers.0.input_layernorm.weight"]).toBeNull();
    expect(deviations("gemma3_text")["model.layers.0.input_layernorm.weight"]).toBe(0);
  });
});
