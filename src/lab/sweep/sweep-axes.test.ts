/** What a sweep varies: values, ranges, combinations, and mistakes. */
import { describe, expect, it } from "vitest";
import { axesFrom, combinations } from "./sweep-axes.ts";

it("reads values and ranges; commas inside a value do not part it", () => {
  expect(axesFrom(["ppo.learningRate=1e-5, 3e-5", "seed=1..3,9", 'ppo.stopStrings=["a,b"],[c, d]', "name=x"])).toEqual([
    { key: "ppo.learningRate", values: ["1e-5", "3e-5"] },
    { key: "seed", values: ["1", "2", "3", "9"] },
    { key: "ppo.stopStrings", values: ['["a,b"]', "[c, d]"] },
    { key: "name", values: ["x"] },
  ]);
});

it("combines all, every setting with the first seed before any with the second", () => {
  const axes = axesFrom(["a=1,2", "seed=5,6", "b=x"]);
  expect(combinations(axes).map((values) => values.map((one) => one.join("=")).join(" "))).toEqual([
    "seed=5 a=1 b=x",
    "seed=5 a=2 b=x",
    "seed=6 a=1 b=x",
    "seed=6 a=2 b=x",
  ]);
});

describe("refuses", () => {
  it.each([
    ["seed", "expected key=value"],
    ["=1", "expected key=value"],
    ["a=1,,2", "a value is missing"],
    ["a=1,1", "1 occurs twice"],
    ["seed=4..1", "is not a range"],
    ["seed=1..5000", "is not a range"],
  ])("%s", (text, says) => expect(() => axesFrom([text])).toThrow(says));

  it("a key given twice, and too many runs", () => {
    expect(() => axesFrom(["a=1", "a=2"])).toThrow("a is given twice");
    expect(() => axesFrom(["a=1..40", "b=1..40"])).toThrow("these are 1600 runs");
  });
});
