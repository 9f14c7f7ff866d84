import { describe, expect, it } from "vitest";
import { randomRows } from "../../test/support/rows.ts";
import { random } from "../util/random.ts";
import { signFlipRate } from "./signs.ts";

describe("sign flips", () => {
  it("equal the obvious count over neighbours", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { mask, grids } = randomRows(seed, { count: 1, poison: true });
      let pairs = 0;
      let flips = 0;
      grids[0]!.forEach((row, b) => {
        const own = row.filter((_, t) => mask[b]![t] === 1);
        for (let t = 1; t < own.length; t++) {
          pairs++;
          if (own[t]! * own[t - 1]! < 0) flips++;
        }
      });
      if (pairs > 0) expect(signFlipRate(grids[0]!, mask).rate).toBeCloseTo(flips / pairs, 12);
    }
  });

  it("are all of them in an alternating row, none in a constant one, and zeros have no part", () => {
    expect(signFlipRate([[1, -1, 1, -1]])).toEqual({ rate: 1, chance: 0.5 });
    expect(signFlipRate([[2, 0, 3, 1]])).toEqual({ rate: 0, chance: 0 });
    expect(signFlipRate([[0, 0]]).rate).toBeNaN();
  });

  it("of independent signs come at the rate of chance", () => {
    const stream = random("signs");
    const row = Array.from({ length: 20_000 }, () => (stream.uniform() < 0.3 ? 1 : -1));
    const { rate, chance } = signFlipRate([row]);
    expect(chance).toBeCloseTo(0.42, 1);
    expect(Math.abs(rate - chance)).toBeLessThan(0.02);
  });
});
