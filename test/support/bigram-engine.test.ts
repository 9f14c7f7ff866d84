import { describe, expect, it } from "vitest";
import type { LossRequest } from "../../src/engine/engine.ts";
import { random } from "../../src/util/random.ts";
import { BigramEngine } from "./bigram-engine.ts";
import { sizes } from "./stage.ts";

const sequences = [
  { tokens: [4, 6, 7, 8, 6], start: 2 },
  { tokens: [4, 9, 1], start: 1 },
];
const rows = (name: string) => {
  const stream = random("bigram", name);
  return sequences.map(({ tokens, start }) => tokens.slice(start).map(() => stream.normal()));
};
const weights = rows("weights").map((row) => row.map(Math.abs));
const clip = { clipLow: 0.2, clipHigh: 0.3, dualClip: 3 };

const losses: LossRequest[] = [
  { name: "cross_entropy", sequences, weights },
  { name: "pairwise", chosen: [sequences[0]!], rejected: [sequences[1]!], margins: [0.3], weights: [2] },
  { name: "value", sequences, weights, returns: rows("returns"), oldValues: rows("old"), config: { valueClip: 0.5 } },
  ...(["k2", "k3"] as const).map(
    (estimator): LossRequest => ({
      name: "policy",
      sequences,
      weights,
      oldLogprobs: rows("old").map((row) => row.map((x) => -2.5 + 0.3 * x)),
      refLogprobs: rows("ref").map((row) => row.map((x) => -2.5 + 0.3 * x)),
      advantages: rows("advantages"),
      config: { ...clip, entropyCoef: 0.7, kl: { coef: 0.4, estimator }, temperature: 0.8 },
    }),
  ),
  ...["bigram-2", null].map(
    (oldModel): LossRequest => ({
      name: "policy",
      sequences,
      weights,
      oldLogprobs: rows("old").map((row) => row.map((x) => -2.5 + 0.3 * x)),
      advantages: rows("advantages"),
      config: { ...clip, entropyCoef: 0.7, kl: null, penalty: { beta: 0.6, oldModel }, temperature: 0.8 },
    }),
  ),
];

describe("the bigram engine's gradients", () => {
  it.each(losses)("$name: as finite differences have them", async (loss) => {
    const engine = new BigramEngine();
    const { id } = await engine.createModel({ config: sizes, heads: ["lm", "scalar"], scalarInit: "normal", seed: 2 });
    await engine.createModel({ config: sizes, heads: ["lm"], seed: 3 });
    await engine.forwardBackward(id, loss);
    const gradients = structuredClone(engine.models.get(id)!.gradients);
    const h = 1e-5;
    for (const [group, values] of Object.entries(engine.models.get(id)!.weights)) {
      for (const [i, value] of values.entries()) {
        const at = async (x: number) => {
          values[i] = x;
          const { loss: found } = await engine.forwardBackward(id, loss);
          values[i] = value;
          return found;
        };
        expect(gradients[group]![i]).toBeCloseTo(((await at(value + h)) - (await at(value - h))) / (2 * h), 6);
      }
    }
  });
});
