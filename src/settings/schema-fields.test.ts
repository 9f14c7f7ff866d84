import { expect, it } from "vitest";
import { parse } from "yaml";
import { documentedFields } from "./field-docs.ts";
import { expectation, fields, schemaAt } from "./schema-fields.ts";

const documented = documentedFields();

it("docs/config.md has every field, and no other", () => {
  expect(documented.map(([path]) => path).sort()).toEqual(
    fields()
      .map(({ path }) => path)
      .sort(),
  );
});

it.each(fields().map((field) => [field.path, field] as const))("docs/config.md is right about %s", (path, field) => {
  const { defaultValue, expected, meaning } = new Map(documented).get(path)!;
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
