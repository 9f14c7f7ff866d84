/** Machine output loses nothing and acts on no terminal. */
import { expect, it } from "vitest";
import { jsonLine } from "./json-line.ts";

it("writes numbers that JSON does not know as words", () => {
  expect(jsonLine({ a: Number.NaN, b: Number.NEGATIVE_INFINITY, c: 1.5, d: null })).toBe(
    '{"a":"NaN","b":"-Infinity","c":1.5,"d":null}',
  );
});

it("escapes what a terminal would act upon, and keeps it", () => {
  const nasty = "\x1b[2J\u009b31m\u202egnp\u2028\n日本";
  const line = jsonLine({ nasty });
  for (const character of ["\x1b", "\u009b", "\u202e", "\u2028", "\n"]) expect(line).not.toContain(character);
  expect(JSON.parse(line)).toEqual({ nasty });
});
