import { describe, expect, it } from "vitest";
import { random } from "../util/random.ts";
import { penaltyTerms } from "./penalty-policy.ts";

describe("the penalty form of the policy loss", () => {
  const stream = random("penalty");
  const normals = (n: number) => Array.from({ length: n }, () => stream.normal());
  const options = {
    logits: [normals(5), normals(5)],
    oldLogits: [normals(5), normals(5)],
    tokens: [3, 0],
    advantages: [1.5, -0.5],
    penaltyBeta: 2,
    temperature: 0.7,
  };

  it("equals the obvious sums", () => {
    const terms = penaltyTerms(options);
    const softmax = (z: number[]) => z.map((x) => Math.exp(x / 0.7) / z.reduce((a, b) => a + Math.exp(b / 0.7), 0));
    for (let t = 0; t < 2; t++) {
      const [p, old] = [softmax(options.logits[t]!), softmax(options.oldLogits[t]!)];
      const ratio = p[options.tokens[t]!]! / old[options.tokens[t]!]!;
      const kl = old.reduce((sum, x, v) => sum + x * Math.log(x / p[v]!), 0);
      expect(terms.ratio[t]).toBeCloseTo(ratio, 12);
      expect(terms.kl[t]).toBeCloseTo(kl, 12);
      expect(terms.loss[t]).toBeCloseTo(-ratio * options.advantages[t]! + 2 * kl, 12);
    }
  });

  it("has the gradient that finite differences give", () => {
    const { gradient } = penaltyTerms(options);
    for (let t = 0; t < 2; t++) {
      for (let v = 0; v < 5; v++) {
        const at = (by: number) => {
          const logits = options.logits.with(t, options.logits[t]!.with(v, options.logits[t]![v]! + by));
          return penaltyTerms({ ...options, logits }).loss[t]!;
        };
        expect(gradient[t]![v]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 7);
      }
    }
  });
});
