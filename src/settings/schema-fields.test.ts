import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { expectation, fields, schemaAt } from "./schema-fields.ts";

interface DocumentedField {
  readonly defaultValue: string;
  readonly expected: string;
  readonly meaning: string;
}

/** The rows of the tables in docs/config.md, one entry per field. */
function documented(): Map<string, DocumentedField> {
  const rows = new Map<string, DocumentedField>();
  for (const line of readFileSync("docs/config.md", "utf8").split("\n")) {
    if (!line.startsWith("| `")) continue;
    const [keys, defaultValue, expected, meaning] = line.slice(2, -2).split(" | ") as [string, string, string, string];
    for (const [, pattern] of keys.matchAll(/`([^`]+)`/g)) {
      for (const path of expand(pattern!)) {
        expect(rows.has(path), `${path} stands twice`).toBe(false);
        rows.set(path, { defaultValue: defaultValue.replaceAll("`", ""), expected, meaning });
      }
    }
  }
  return rows;
}

/** Expands `{sft,reward}.keep` to sft.keep and reward.keep. */
function expand(pattern: string): string[] {
  const [whole, options] = /\{([^}]+)\}/.exec(pattern) ?? [];
  return whole ? options!.split(",").flatMap((option) => expand(pattern.replace(whole, option))) : [pattern];
}

it("docs/config.md has every field, and no other", () => {
  expect([...documented().keys()].sort()).toEqual(
    fields()
      .map(({ path }) => path)
      .sort(),
  );
});

it.each(fields().map((field) => [field.path, field] as const))("docs/config.md is right about %s", (path, field) => {
  const { defaultValue, expected, meaning } = documented().get(path)!;
  expect(expected).toBe(field.expected);
  expect(meaning.length).toBeGreaterThan(10);
  if (field.required || field.defaultValue === undefined) expect(defaultValue === "required").toBe(field.required);
  else expect(parse(defaultValue)).toEqual(field.defaultValue);
});

it("a path leads to its schema, through a component by its kind", () => {
  const root = { ppo: { rewards: [{ kind: "exact" }, { kind: "length" }] } };
  const at = (...path: (string | number)[]) => {
    const schema = schemaAt(path, root);
    return schema && expectation(schema);
  };
  expect(at("ppo", "rewards", 1, "max")).toBe("a whole number from 1");
  expect(at("ppo", "rewards", 0, "max")).toBeUndefined();
  expect(at("ppo", "safety", "categories", "mine", 0)).toBe("text");
  expect(at("ppo", "maxGradNorm")).toBe("a number above 0, or null");
  expect(at("ppo", "toString")).toBeUndefined();
});
