import { expect, it } from "vitest";
import { withTimeLimit } from "./time-limit.ts";

const limit = (milliseconds: number) => ({ milliseconds, tooLong: () => new Error("took too long") });

it("returns what the call returns and throws what it throws", () => {
  expect(withTimeLimit(() => [1, 2], limit(1000))).toEqual([1, 2]);
  expect(() => withTimeLimit(() => JSON.parse("{"), limit(1000))).toThrow(SyntaxError);
});

let turns = 0;
const loop = () => {
  for (let i = 0; i < 1e10; i++) turns += i;
};

it("ends a loop, and a regular expression that backtracks, soon after the limit", () => {
  // Long enough for a busy machine to begin the loop.
  expect(() => withTimeLimit(loop, limit(200))).toThrow("took too long");
  expect(turns).toBeGreaterThan(0);
  // About ten seconds without the limit: cubic in the length.
  const backtracks = () => /a*a*b/.test("a".repeat(3000));
  expect(() => withTimeLimit(backtracks, limit(5))).toThrow("took too long");
});

it("holds for the inner of two nested calls, and the outer goes on", () => {
  const outer = () => {
    expect(() => withTimeLimit(loop, limit(5))).toThrow("took too long");
    return "on";
  };
  expect(withTimeLimit(outer, limit(30_000))).toBe("on");
});
