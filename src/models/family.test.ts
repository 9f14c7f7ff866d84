/** Parameters: Hugging Face's names and shapes, groups, and the statistics of initial values. */
import { describe, expect, test } from "vitest";
import { fixture, tiedConfig, untiedConfig } from "../../test/support/gpt2.ts";
import { parameterSpecs } from "./family.ts";
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

  test("are a function of the seed and the name alone", () => {
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
