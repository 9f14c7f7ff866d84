/** Colours of tokens: zero stays zero, the ends cover what is shown, and values that are not finite have none of them. */
import { describe, expect, it } from "vitest";
import type { PageSample } from "../../../../../src/types/page.ts";
import { levelClass, levelOf, numbersOf, scaleOf } from "./scale.ts";

const of = (advantages: PageSample["advantages"]) =>
  ({ advantages, logprobs: [-1, -2], refLogprobs: [-3, "-Infinity"], values: [0, 0] }) as unknown as PageSample;

describe("the scale", () => {
  it("reaches as far as nine in ten tokens of all samples, to both sides alike", () => {
    const scale = scaleOf([of([...Array(9).keys()].map((n) => -n)), of([100])], "advantage");
    expect(scale.bound).toBe(100);
    expect(scaleOf([of([...Array(20).keys()].map((n) => n - 10))], "advantage").bound).toBe(9);
  });

  it("is there if all is zero or nothing is", () => {
    expect(scaleOf([of([0, 0])], "advantage").bound).toBe(1);
    expect(scaleOf([], "advantage").bound).toBe(1);
    expect(scaleOf([of([...Array(30).fill(0), 2])], "advantage").bound).toBe(2);
  });

  it("calls no token improbable that is likelier than one in ten", () => {
    const sure = { ...of([]), logprobs: [-0.01, -0.1] };
    expect(levelOf(-0.1, scaleOf([sure], "logprob"))).toBe(0);
    expect(scaleOf([{ ...sure, logprobs: [-7] }], "logprob").bound).toBe(7);
  });

  it("clamps, and has no level for what is not finite", () => {
    const scale = { colour: "advantage", bound: 2 } as const;
    expect([-9, -2, -1, -0.1, 0, 0.1, 1, 2, 9].map((n) => levelOf(n, scale))).toEqual([-4, -4, -2, 0, 0, 0, 2, 4, 4]);
    expect([Number.NaN, Number.POSITIVE_INFINITY].map((n) => levelOf(n, scale))).toEqual([null, null]);
    expect([0, -3, 2, null].map(levelClass)).toEqual(["lv", "lv lv-low-3", "lv lv-high-2", "lv lv-bad"]);
  });

  it("KL is log p - log p_ref, infinite if the reference rules a token out", () => {
    expect(numbersOf(of([]), "kl")).toEqual([2, Number.POSITIVE_INFINITY]);
    expect(numbersOf(of(["NaN", 1]), "advantage")).toEqual([Number.NaN, 1]);
  });
});
