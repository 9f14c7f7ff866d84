import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { randomRows } from "../../test/support/rows.ts";
import { gae } from "./gae.ts";

/** The definition: A_t is the sum over l of (gamma lambda)^l delta_{t+l}, on rows with the masked tokens deleted. */
function slowAdvantages(rewards: number[], values: number[], gamma: number, lambda: number): number[] {
  const deltas = rewards.map((r, t) => r + gamma * (t + 1 < values.length ? values[t + 1]! : 0) - values[t]!);
  return deltas.map((_, t) => {
    let advantage = 0;
    for (let l = 0; t + l < deltas.length; l++) advantage += (gamma * lambda) ** l * deltas[t + l]!;
    return advantage;
  });
}

describe("generalised advantage estimation", () => {
  it("equals the sum over deltas of the rows with masked tokens deleted", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), share, share, (seed, gamma, lambda) => {
        const { mask, grids } = randomRows(seed, { count: 2, poison: true });
        const [rewards, values] = grids as [number[][], number[][]];
        const { advantages, returns } = gae({ rewards, values, mask, gamma, lambda });
        mask.forEach((row, b) => {
          const cells = row.flatMap((valid, t) => (valid ? [t] : []));
          const slow = slowAdvantages(
            cells.map((t) => rewards[b]![t]!),
            cells.map((t) => values[b]![t]!),
            gamma,
            lambda,
          );
          cells.forEach((t, i) => {
            expect(advantages[b]![t]).toBeCloseTo(slow[i]!, 9);
            expect(returns[b]![t]).toBeCloseTo(slow[i]! + values[b]![t]!, 9);
          });
          row.forEach((valid, t) => {
            if (!valid) expect([advantages[b]![t], returns[b]![t]]).toEqual([0, 0]);
          });
        });
      }),
    );
  });

  it("with lambda 1 and gamma 1 gives the rewards to come as returns", () => {
    const { returns } = gae({ rewards: [[1, 2, 3]], values: [[9, -4, 0.5]], gamma: 1, lambda: 1 });
    expect(returns).toEqual([[6, 5, 3]]);
  });

  it("refuses values of a different shape", () => {
    expect(() => gae({ rewards: [[1, 2]], values: [[1]], gamma: 1, lambda: 1 })).toThrow(
      "row 0 of values has 1 tokens where rewards has 2",
    );
  });
});
