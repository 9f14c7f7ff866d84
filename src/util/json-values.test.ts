import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import { CheckpointError } from "./errors.ts";
import { fromJson, readOwnJson, toJson } from "./json-values.ts";

it("keeps what plain JSON loses, to the bit", () => {
  const value = {
    a: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    b: { c: 0.1 + 0.2, d: 5e-324 },
    e: null,
  };
  expect(fromJson(toJson(value))).toEqual(value);
});

it.each(["", '{"rules": [', "null,"])(
  "a file of our own that holds %j is damaged, and the error says what to do",
  (text) => {
    const path = join(temporaryFolder(), "rules.json");
    writeFileSync(path, text);
    const remedy = "Put it back.";
    expect(() => readOwnJson(path, { remedy })).toThrow(CheckpointError);
    expect(() => readOwnJson(path, { remedy })).toThrow(expect.objectContaining({ hint: remedy }));
  },
);
