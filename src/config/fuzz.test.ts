import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { fields } from "../settings/schema-fields.ts";
import { UsageError } from "../util/errors.ts";
import { parseConfig } from "./load-config.ts";

/** Every failure is a UsageError in which each line says where it belongs. */
function check(text: string, overrides: string[]): void {
  try {
    parseConfig(text, "a.yaml", overrides);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const [first, ...rest] = (error as UsageError).message.split("\n") as [string, ...string[]];
    const counted = /^\d+ mistakes in the configuration$/.test(first);
    for (const line of counted ? rest : [first]) expect(line).toMatch(/^(a\.yaml:\d+|override .*?=?.*?): ./);
  }
}

const example = readFileSync("examples/helpdesk/pipeline.yaml", "utf8");
const lines = example.split("\n").filter((line) => /^\s*\w+:/.test(line));
const keys = fields().map(({ path }) => path.replace(/\[\w*\]/, ".0"));
const value = fc.oneof(
  fc.constantFrom(
    "null",
    "{}",
    "[]",
    "-1",
    "0",
    "1e400",
    ".nan",
    "true",
    "''",
    "[{kind: length}]",
    "*a",
    "&a x",
    "{a: {b: 1}}",
    "x: y",
  ),
  fc.jsonValue({ maxDepth: 2 }).map((json) => JSON.stringify(json)),
);

it("damaged files fail well", () => {
  const change = fc.record({
    at: fc.nat(lines.length - 1),
    insert: fc.option(fc.tuple(fc.constantFrom("", "  ", "    ", "\t"), fc.constantFrom(...keys), value)),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4 }), (changes) => {
      const text = [...lines];
      for (const { at, insert } of changes) {
        if (insert === null) text.splice(at, 1);
        else text.splice(at, 0, `${insert[0]}${insert[1].split(".").at(-1)}: ${insert[2]}`);
      }
      check(text.join("\n"), []);
    }),
    { numRuns: 300 },
  );
});

it("wrong overrides fail well", () => {
  const key = fc.oneof(
    fc.constantFrom(...keys),
    fc.constantFrom("ppo", "ppo.rewards", "ppo.rewards.0", "a.b", "ppo.rewards.x", ""),
  );
  const override = fc.tuple(key, value).map(([path, text]) => `${path}=${text}`);
  fc.assert(
    fc.property(fc.array(override, { maxLength: 3 }), (overrides) => check(example, overrides)),
    { numRuns: 300 },
  );
});
