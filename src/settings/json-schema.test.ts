import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { configJsonSchema } from "./json-schema.ts";
import { fields } from "./schema-fields.ts";

const text = JSON.stringify(configJsonSchema(), null, 2);
const schema = z.fromJSONSchema(JSON.parse(text));
const accepts = (value: unknown) => schema.safeParse(value).success;

describe("the JSON schema for editors", () => {
  const files = ["examples", "templates"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".yaml"))
      .map((file) => join(folder, file)),
  );
  it.each(files)("accepts %s", (file) => {
    expect(schema.safeParse(parse(readFileSync(file, "utf8"))).error).toBeUndefined();
  });

  it("refuses misspelt keys at every depth, values of a different type, and values out of bounds", () => {
    expect(accepts({ ppo: { rewards: [{ kind: "length", max: 3 }], kl: { coef: 0.1 } } })).toBe(true);
    expect(accepts({ ppoo: {} })).toBe(false);
    expect(accepts({ ppo: { epoch: 1 } })).toBe(false);
    expect(accepts({ ppo: { kl: { coeff: 0.1 } } })).toBe(false);
    expect(accepts({ ppo: { rewards: [{ kind: "length", maximum: 3 }] } })).toBe(false);
    expect(accepts({ sft: { data: { path: "a", fields: { question: "a" } } } })).toBe(false);
    expect(accepts({ ppo: { epochs: 0 } })).toBe(false);
    expect(accepts({ ppo: { epochs: "4" } })).toBe(false);
    expect(accepts({ ppo: { schedule: "cosin" } })).toBe(false);
  });

  it("knows what the loader takes beside the fields: a shorthand, a removed stage, a base", () => {
    expect(accepts({ extends: "small", engine: "torch", sft: null })).toBe(true);
    expect(accepts({ engine: { kind: "torch", reference: "embedded" } })).toBe(true);
    expect(accepts({ engine: "torsh" })).toBe(false);
    expect(accepts({ seed: null })).toBe(false);
  });

  it("has a meaning for every field", () => {
    // An editor shows a meaning by itself: there is no page above or below it.
    expect(text).not.toMatch(/see above|see the list|Algorithms below/);
    const described = text.match(/"description": "/g)!.length;
    expect(described).toBeGreaterThanOrEqual(fields().length);
    expect(text).toContain('"description": "Responses sampled per iteration.');
    expect(text).not.toMatch(/"description": "[^"]*`/);
  });
});
