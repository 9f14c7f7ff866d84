import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exponentialStep, stepController, stepPresets, zieglerStep } from "./klcontroller.ts";

const settings = { coef: 0.05, target: 6, sequences: 512, horizon: 10_000 };
const kl = fc.double({ min: 0, max: 100, noNaN: true });

describe("the Ziegler controller", () => {
  it("equals its formula by cases", () => {
    fc.assert(
      fc.property(kl, (kl) => {
        let error = kl / 6 - 1;
        if (error > 0.2) error = 0.2;
        if (error < -0.2) error = -0.2;
        expect(zieglerStep({ ...settings, kl })).toBeCloseTo(0.05 + 0.05 * error * 0.0512, 14);
      }),
    );
  });

  it("rests at the target, and where KL is not a number", () => {
    expect(zieglerStep({ ...settings, kl: 6 })).toBe(0.05);
    expect(zieglerStep({ ...settings, kl: NaN })).toBe(0.05);
    expect(zieglerStep({ ...settings, kl: Infinity })).toBeGreaterThan(0.05);
  });
});

describe("the step controller", () => {
  it("multiplies outside its band, rests in it and stays within its bounds", () => {
    fc.assert(
      fc.property(kl, fc.double({ min: 0.01, max: 1, noNaN: true }), (kl, coef) => {
        const next = stepController({ ...stepPresets.bounded, coef, kl, target: 10 });
        const free = kl > 20 ? coef * 1.5 : kl < 5 ? coef * 0.8 : coef;
        expect(next).toBe([0.01, free, 1].sort((a, b) => a - b)[1]);
      }),
    );
    expect(stepController({ ...stepPresets.guide, coef: 0.3, kl: NaN, target: 1 })).toBe(0.3);
  });
});

describe("the exponential controller", () => {
  it("rises over the target, falls under it, and undoes itself", () => {
    const up = exponentialStep({ coef: 0.05, kl: 0.03, target: 0.01, alpha: 10 });
    expect(up).toBeCloseTo(0.05 * Math.exp(0.2), 14);
    expect(exponentialStep({ coef: up, kl: -0.01, target: 0.01, alpha: 10 })).toBeCloseTo(0.05, 14);
    expect(exponentialStep({ coef: 0.05, kl: NaN, target: 0.01, alpha: 10 })).toBe(0.05);
  });
});
