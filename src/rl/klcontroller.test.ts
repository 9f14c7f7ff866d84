import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import {
  coefficientBounds,
  exponentialStep,
  klTargetAt,
  nextCoefficient,
  reachOf,
  stepController,
  stepPresets,
  zieglerStep,
} from "./klcontroller.ts";

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

  it("rests at the target, and if KL is not a number", () => {
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
    for (const kl of [NaN, Infinity, -Infinity])
      expect(exponentialStep({ coef: 0.05, kl, target: 0.01, alpha: 10 })).toBe(0.05);
  });
});

describe("the controller that a configuration asks for", () => {
  const base = { preset: "schulman2017" as const, alpha: 10 };
  const seen = { coef: 0.05, kl: 0.03, target: 0.01, sequences: 64, iterations: 100 };

  it("is one of the four", () => {
    expect(nextCoefficient({ ...base, controller: "fixed" }, seen)).toBe(0.05);
    expect(nextCoefficient({ ...base, controller: "step" }, seen)).toBe(0.1);
    expect(nextCoefficient({ ...base, controller: "step", preset: "rllib" }, seen)).toBeCloseTo(0.075, 12);
    expect(nextCoefficient({ ...base, controller: "exponential" }, seen)).toBe(exponentialStep({ ...seen, alpha: 10 }));
    // A tenth of 6,400 sequences.
    const { iterations: _, ...one } = seen;
    expect(nextCoefficient({ ...base, controller: "ziegler" }, seen)).toBe(zieglerStep({ ...one, horizon: 640 }));
    expect(nextCoefficient({ ...base, controller: "ziegler", horizon: 99 }, seen)).toBe(
      zieglerStep({ ...one, horizon: 99 }),
    );
  });

  it("takes a preset with numbers of one's own in it", () => {
    const step = { ...base, controller: "step" as const };
    expect(nextCoefficient({ ...step, up: 3 }, seen)).toBeCloseTo(0.15, 12);
    expect(nextCoefficient({ ...step, high: 4 }, seen)).toBe(0.05);
    expect(nextCoefficient({ ...step, low: 4, high: 9, down: 0.1 }, seen)).toBeCloseTo(0.005, 12);
    expect(nextCoefficient({ ...step, preset: "bounded" }, { ...seen, coef: 0.9 })).toBe(1);
    expect(nextCoefficient({ ...step, preset: "bounded", max: 1.2 }, { ...seen, coef: 0.9 })).toBe(1.2);
  });

  it.each(["step", "exponential", "ziegler"] as const)("stays within its bounds (%s)", (controller) => {
    fc.assert(
      fc.property(kl, (kl) => {
        const next = nextCoefficient({ ...base, controller, min: 0.04, max: 0.06 }, { ...seen, kl });
        expect(next).toBeGreaterThanOrEqual(0.04);
        expect(next).toBeLessThanOrEqual(0.06);
      }),
    );
  });
});

describe("a coefficient that moves", () => {
  const settings = fc.record({
    controller: fc.constantFrom("step" as const, "exponential" as const, "ziegler" as const),
    preset: fc.constantFrom("schulman2017" as const, "guide" as const, "rllib" as const, "bounded" as const),
    alpha: fc.constantFrom(1e-300, 10, 1e300),
    up: fc.constantFrom(undefined, 1, 1e300),
    down: fc.constantFrom(undefined, 1e-300, 1),
    horizon: fc.constantFrom(undefined, 1e-300, 0.2, 1, 1e300),
  });
  const measured = fc.constantFrom(Number.NaN, Infinity, -Infinity, -1, 0, 1e-12, 0.1, 7, 1e300, Number.MAX_VALUE);

  it("never reaches 0 or infinity, whatever is measured, and finds back from there", () => {
    fc.assert(
      fc.property(
        settings,
        fc.constantFrom(0, Number.MIN_VALUE, 1e-9, 0.05, 100, 1e300),
        fc.constantFrom(1e-300, 0.1, 6, 1e300),
        fc.array(measured, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(1, 3, 1000),
        (settings, start, target, kls, iterations) => {
          let coef = start;
          for (const kl of kls) {
            coef = nextCoefficient(settings, { coef, kl, target, sequences: 1, iterations });
            expect(coef).toBeGreaterThan(0);
            expect(coef).toBeLessThan(Infinity);
          }
          if (start !== 0.05) return;
          expect(coef).toBeGreaterThanOrEqual(coefficientBounds.min);
          expect(coef).toBeLessThanOrEqual(coefficientBounds.max);
        },
      ),
    );
  });

  it("is not lost by a Ziegler step in a run of one iteration, whose tenth is a fraction of its sequences", () => {
    const seen = { coef: 0.05, target: 0.1, sequences: 16, iterations: 1 };
    const ziegler = { ...{ preset: "schulman2017" as const, alpha: 10 }, controller: "ziegler" as const };
    expect(nextCoefficient(ziegler, { ...seen, kl: 0 })).toBeCloseTo(0.04, 12);
    expect(nextCoefficient(ziegler, { ...seen, kl: 9 })).toBeCloseTo(0.06, 12);
    expect(reachOf(ziegler, seen)).toEqual({ least: 0.8, greatest: 1.2 });
    expect(reachOf({ ...ziegler, horizon: 3.2 }, seen).least).toBeCloseTo(0, 12);
  });

  it("starts beyond the default bounds if it is told to, and only comes nearer to them", () => {
    const step = { preset: "schulman2017" as const, alpha: 10, controller: "step" as const };
    const seen = { target: 1, sequences: 16, iterations: 100 };
    expect(nextCoefficient(step, { ...seen, coef: 300, kl: 9 })).toBe(300);
    expect(nextCoefficient(step, { ...seen, coef: 300, kl: 0 })).toBe(150);
    expect(nextCoefficient(step, { ...seen, coef: 1e-5, kl: 0 })).toBe(1e-5);
    expect(nextCoefficient(step, { ...seen, coef: 1e-5, kl: 9 })).toBe(2e-5);
    expect(nextCoefficient({ ...step, min: 1e-6 }, { ...seen, coef: 1e-5, kl: 0 })).toBe(5e-6);
  });
});

describe("the target", () => {
  it("falls in a line from the first iteration to the last", () => {
    const at = (iteration: number) => klTargetAt({ target: 0.2, targetEnd: 0.05 }, { iteration, iterations: 4 });
    expect([0, 1, 2, 3].map(at)).toEqual([0.2, 0.15, 0.1, 0.05].map((x) => expect.closeTo(x, 12)));
  });

  it("stays, if nothing says otherwise", () => {
    expect(klTargetAt({ target: 0.2 }, { iteration: 3, iterations: 4 })).toBe(0.2);
    expect(klTargetAt({ targetEnd: 0.2 }, { iteration: 3, iterations: 4 })).toBeUndefined();
  });
});
