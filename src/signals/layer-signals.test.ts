import { expect, it } from "vitest";
import { layerSignals } from "./layer-signals.ts";

const step = (a: number, b: number) => ({
  norms: { embeddings: a, "block.0": b },
  moments: { embeddings: { mean: a / 10, variance: a * a }, "block.0": { mean: -b, variance: 2 * b } },
});

it("averages each group over steps, then looks at the norms over groups", () => {
  const signals = layerSignals("critic", [step(1, 4), step(3, 8)]);
  expect(signals).toEqual({
    "gradient/critic/embeddings_norm": 2,
    "gradient/critic/embeddings_mean": expect.closeTo(0.2, 12),
    "gradient/critic/embeddings_variance": 5,
    "gradient/critic/block.0_norm": 6,
    "gradient/critic/block.0_mean": -6,
    "gradient/critic/block.0_variance": 12,
    // Norms 2 and 6: the mean is 4, each 2 away from it.
    "gradient/critic_layer_norm_mean": 4,
    "gradient/critic_layer_norm_variance": 4,
  });
});

it("has nothing to say without a step or a group, and keeps NaN", () => {
  expect(layerSignals("policy", [])).toEqual({});
  expect(layerSignals("policy", [{ norms: {}, moments: {} }])).toEqual({});
  expect(layerSignals("policy", [step(1, 2), step(Number.NaN, 2)])["gradient/policy/embeddings_norm"]).toBeNaN();
});
