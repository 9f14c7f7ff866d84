import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { adamW, clipByGlobalNorm } from "./adamw.ts";

describe("gradient clipping", () => {
  const gradients = fc.array(fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { maxLength: 4 }), { minLength: 1 });

  it("leaves the direction, and a norm of at most the maximum", () => {
    fc.assert(
      fc.property(gradients, fc.double({ min: 0.1, max: 20, noNaN: true }), (g, maxNorm) => {
        const { norm, clipped } = clipByGlobalNorm(g, maxNorm);
        expect(norm).toBeCloseTo(Math.hypot(...g.flat()), 9);
        expect(Math.hypot(...clipped.flat())).toBeLessThanOrEqual(maxNorm * (1 + 1e-9));
        const factor = norm + 1e-6 > maxNorm ? maxNorm / (norm + 1e-6) : 1;
        for (const [i, x] of g.flat().entries()) expect(clipped.flat()[i]).toBeCloseTo(x * factor, 9);
      }),
    );
  });

  it("gives back gradients whose norm is not finite, and says so", () => {
    expect(clipByGlobalNorm([[1, Infinity]], 1)).toEqual({ norm: Infinity, clipped: [[1, Infinity]] });
    expect(clipByGlobalNorm([[NaN]], 1).norm).toBeNaN();
  });
});

describe("AdamW", () => {
  const settings = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-5, weightDecay: 0 };

  it("takes the same steps for gradients twice as large, up to epsilon: a separate critic's loss needs no coefficient", () => {
    const gradients = Array.from({ length: 50 }, (_, i) => [Math.sin(i), 0.2 * Math.cos(3 * i)]);
    const of = (factor: number) =>
      adamW({ weights: [1, -1], gradients: gradients.map((g) => g.map((x) => factor * x)), ...settings }).at(-1)!;
    const [once, twice] = [of(1), of(2)];
    // Each step differs by a share of at most epsilon / sqrt(vHat), which is about 1e-4 here.
    for (const [i, weight] of once.entries()) expect(Math.abs(weight - twice[i]!)).toBeLessThan(50 * 0.1 * 1e-4);
    expect(Math.abs(once[0]! - 1)).toBeGreaterThan(0.1);
  });

  it("equals the moments written out as sums over all gradients so far", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 1, maxLength: 6 }), (g) => {
        const path = adamW({ weights: [1], gradients: g.map((x) => [x]), ...settings, weightDecay: 0.05 });
        let weight = 1;
        g.forEach((_, last) => {
          let m = 0;
          let v = 0;
          for (let i = 0; i <= last; i++) {
            m += 0.1 * 0.9 ** (last - i) * g[i]!;
            v += 0.01 * 0.99 ** (last - i) * g[i]! ** 2;
          }
          const step = m / (1 - 0.9 ** (last + 1)) / (Math.sqrt(v / (1 - 0.99 ** (last + 1))) + 1e-5);
          weight = weight - 0.1 * 0.05 * weight - 0.1 * step;
          expect(path[last]![0]).toBeCloseTo(weight, 9);
        });
      }),
    );
  });

  it("adds epsilon outside the root: a tiny first gradient moves the weight by g / (g + epsilon)", () => {
    const [[weight]] = adamW({ weights: [0], gradients: [[1e-5]], ...settings }) as [[number]];
    expect(weight).toBeCloseTo(-0.05, 9);
  });
});
