/** The optimizer's arithmetic compared with the slow float64 reference. */
import { describe, expect, test } from "vitest";
import { adamW } from "../../rl/adamw.ts";
import { random } from "../../util/random.ts";
import { blockSize } from "./adamw-kernel.ts";
import { adamWStep, average, gradientSums } from "./adamw-step.ts";

function normals(length: number, name: string, scale = 1): Float32Array {
  const stream = random("adamw", name);
  return Float32Array.from({ length }, () => scale * stream.normal());
}

describe("AdamW", () => {
  test.each([
    ["plain", { weightDecay: 0, epsilon: 1e-8, scale: 1, clip: 1 }],
    ["decay, gradients near epsilon, clipped", { weightDecay: 0.3, epsilon: 1e-5, scale: 1e-5, clip: 0.25 }],
  ])("%s: 30 steps equal float64's within float32's rounding", (_, { weightDecay, epsilon, scale, clip }) => {
    const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon, weightDecay };
    const start = normals(1001, "weights");
    const gradients = Array.from({ length: 30 }, (_, step) => normals(1001, `gradient ${step}`, scale));
    const [weights, m, v] = [start.slice(), new Float32Array(1001), new Float32Array(1001)];
    for (const [i, gradient] of gradients.entries())
      adamWStep({ weights, m, v, gradient }, { ...settings, clip, step: i + 1 });
    const slow = adamW({
      ...settings,
      weights: Array.from(start),
      gradients: gradients.map((gradient) => Array.from(gradient, (g) => clip * g)),
    }).at(-1)!;
    expect(Math.max(...slow.map((w, i) => Math.abs(w - weights[i]!)))).toBeLessThan(2e-6);
    // The weights have moved much further than that.
    expect(Math.max(...slow.map((w, i) => Math.abs(w - start[i]!)))).toBeGreaterThan(0.02);
  });

  test.each([0, 1, 2, 5, blockSize - 1, blockSize, blockSize + 1, 3 * blockSize + 7])(
    "%i numbers: the bits of a loop",
    (n) => {
      const [weights, m, gradient] = [normals(n, "weights"), normals(n, "m", 0.1), normals(n, "gradient")];
      const v = normals(n, "v", 0.1).map(Math.abs);
      // Neither overflow nor the smallest numbers are treated differently.
      if (n > 4) gradient.set([1e18, 1e-30, 1e-45, -0]);
      const [w1, m1, v1] = [weights.slice(), m.slice(), v.slice()];
      const [learningRate, weightDecay, beta1, beta2, epsilon, step, clip] = [1e-3, 0.01, 0.9, 0.95, 1e-5, 3, 0.7];
      const correction = Math.sqrt(1 - beta2 ** step);
      const f = Math.fround;
      const rate = f((learningRate * correction) / (1 - beta1 ** step));
      const decay = f(learningRate * weightDecay);
      for (let i = 0; i < n; i++) {
        const [g, w] = [gradient[i]!, w1[i]!];
        m1[i] = f(f(f(beta1) * m1[i]!) + f(f((1 - beta1) * clip) * g));
        v1[i] = f(f(f(beta2) * v1[i]!) + f(f((1 - beta2) * clip * clip) * f(g * g)));
        const step = f(f(rate * m1[i]!) / f(f(Math.sqrt(v1[i]!)) + f(epsilon * correction)));
        w1[i] = f(w - f(f(decay * w) + step));
      }
      adamWStep({ weights, m, v, gradient }, { learningRate, weightDecay, beta1, beta2, epsilon, step, clip });
      for (const [kernel, loop] of [
        [weights, w1],
        [m, m1],
        [v, v1],
      ] as const)
        expect(Buffer.from(kernel.buffer).equals(Buffer.from(loop.buffer))).toBe(true);
      // Number i goes to sum i mod 4, and what is left of the last four to the first.
      const [squares, totals] = [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ];
      for (const [i, g] of gradient.entries()) {
        const lane = i < n - (n % 4) ? i % 4 : 0;
        squares[lane]! += g * g;
        totals[lane]! += g;
      }
      const joined = (x: number[]) => x[0]! + x[1]! + (x[2]! + x[3]!);
      expect(gradientSums(gradient)).toEqual({ squares: joined(squares), total: joined(totals) });
    },
  );

  test("a gradient of 0 and no decay change no bit", () => {
    const weights = normals(7, "weights");
    const before = weights.slice();
    const [m, v, gradient] = [new Float32Array(7), new Float32Array(7), new Float32Array(7)];
    const settings = { learningRate: 1, weightDecay: 0, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, clip: 1, step: 1 };
    adamWStep({ weights, m, v, gradient }, settings);
    expect(weights).toEqual(before);
  });
});

test.each([0, 1, 3, 4, 4099])("sums of %i entries equal those of the obvious loop", (length) => {
  const gradient = normals(length, "sums");
  let [squares, total] = [0, 0];
  for (const g of gradient) {
    squares += g * g;
    total += g;
  }
  const sums = gradientSums(gradient);
  expect(sums.squares).toBeCloseTo(squares, 8);
  expect(sums.total).toBeCloseTo(total, 8);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])("a %s at any place makes the squares not finite", (bad) => {
  for (let at = 0; at < 6; at++) {
    const gradient = new Float32Array(6).fill(1);
    gradient[at] = bad;
    expect(gradientSums(gradient).squares).not.toBeLessThan(Number.POSITIVE_INFINITY);
  }
});

test("the average moves by 1 - decay towards the source", () => {
  const [target, source] = [Float32Array.of(1, -2, 3), Float32Array.of(5, 2, 3)];
  average(target, source, 0.75);
  expect(Array.from(target)).toEqual([2, -1, 3]);
});
