import { expect, it } from "vitest";
import { fromJson, toJson } from "./json.ts";

it("keeps what plain JSON loses, to the bit", () => {
  const value = {
    a: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    b: { c: 0.1 + 0.2, d: 5e-324 },
    e: null,
  };
  expect(fromJson(toJson(value))).toEqual(value);
});
