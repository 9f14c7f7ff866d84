/** Groups of seeds: which runs belong together, and the mean and band of their curves. */
import { describe, expect, it } from "vitest";
import { inksOf } from "../../hues.ts";
import type { Column } from "../../state/column.ts";
import {
  betweenGroups,
  groupColumn,
  groupsByHand,
  groupsBySeed,
  inksInGroups,
  isGroupedByDefault,
  runGroups,
} from "./groups.ts";

const column = (values: readonly (number | null)[], { width = 1, start = 0 } = {}): Column => ({
  width,
  from: values.map((_, i) => start + i * width),
  mean: [...values],
  min: [...values],
  max: [...values],
  nonFinite: new Map(values.flatMap((value, i) => (value === null ? [[i, { count: 1, last: Number.NaN }]] : []))),
});

describe("groups", () => {
  const settings = [
    { key: "seed", values: [1, 2, 1, 2] },
    { key: "name", values: ["a", "a", "b", "b"] },
    { key: "ppo.kl.coef", values: [0.05, 0.05, 0.3, 0.3] },
  ];

  it("are equal but for the seed and what cannot matter", () => {
    expect(groupsBySeed(settings, 4)).toEqual([0, 0, 1, 1]);
    expect(groupsBySeed([{ key: "evaluation.seed", values: [1, 2] }], 2)).toEqual([0, 1]);
    expect(groupsBySeed([], 3)).toEqual([0, 0, 0]);
    expect(betweenGroups(settings, [0, 0, 1, 1])).toEqual([
      { key: "name", values: ["a", "b"] },
      { key: "ppo.kl.coef", values: [0.05, 0.3] },
    ]);
  });

  it("are used by default if they tell groups apart, and may be made by hand", () => {
    expect(
      [
        [0, 0, 1],
        [0, 0],
        [0, 1],
      ].map(isGroupedByDefault),
    ).toEqual([true, false, false]);
    expect(groupsByHand(["1", "0", "1"], 4)).toEqual([0, 1, 0, 2]);
    expect(groupsByHand(["x", "<b>"], 2)).toEqual([0, 1]);
    const inks = inksOf(["a-1", "a-2", "b-1"]);
    const groups = runGroups(inks, [0, 0, 1]);
    expect(groups.map(({ ids }) => ids)).toEqual([["a-1", "a-2"], ["b-1"]]);
    expect(groups.map(({ ink }) => [ink.letter, ink.colour])).toEqual([
      ["A", inks[0]!.colour],
      ["B", inks[2]!.colour],
    ]);
    expect(inksInGroups(inks, groups).map(({ id, letter, colour }) => [id, letter, colour])).toEqual([
      ["a-1", "A1", inks[0]!.colour],
      ["a-2", "A2", inks[0]!.colour],
      ["b-1", "B", inks[2]!.colour],
    ]);
  });
});

describe("the curve of a group", () => {
  it("is the mean of its runs between the lowest and the highest", () => {
    const { mean, band } = groupColumn([column([1, 2, 3]), column([3, 6]), column([2, 1])]);
    expect(mean.from).toEqual([0, 1, 2]);
    expect(mean.mean).toEqual([2, 3, 3]);
    expect([band!.low.mean, band!.high.mean]).toEqual([
      [1, 1, 3],
      [3, 6, 3],
    ]);
  });

  it("keeps what is not finite in sight, without taking it for a number", () => {
    const { mean } = groupColumn([column([1, null]), column([3, 5])]);
    expect(mean.mean).toEqual([2, 5]);
    expect(mean.nonFinite.get(1)).toEqual({ count: 1, last: Number.NaN });
    expect(groupColumn([column([null]), column([null])]).mean.mean).toEqual([null]);
  });

  it("merges buckets of different widths into the widest, each run once", () => {
    const { mean } = groupColumn([column([0, 2, 4, 6]), column([10, 20], { width: 2 })]);
    expect([mean.width, mean.from, mean.mean]).toEqual([2, [0, 2], [(1 + 10) / 2, (5 + 20) / 2]]);
  });

  it("of a single run is the run's", () => {
    const own = column([1, 2]);
    expect(groupColumn([own])).toEqual({ mean: own });
  });
});
