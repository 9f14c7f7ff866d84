/** Reads the configuration's schema as data: the schema at a path, what it allows in words, and the list of every field. */
import type { z } from "zod";
import type { Path } from "../util/yaml-source.ts";
import { configSchema } from "./config-schema.ts";

export type Schema = z.core.$ZodType;

/** One settable value. */
export interface Field {
  /** The dotted path: `ppo.kl.coef`; for reward components `ppo.rewards[].weight` (every kind) or `ppo.rewards[length].max`. */
  readonly path: string;
  /** What is allowed, in words. */
  readonly expected: string;
  readonly required: boolean;
  /** The default; undefined if there is none. */
  readonly defaultValue: unknown;
}

interface Unwrapped {
  readonly schema: z.core.$ZodTypes;
  readonly optional: boolean;
  readonly nullable: boolean;
  readonly defaultValue: unknown;
}

/** A schema without the wrappers that make it optional, nullable or give it a default. */
export function unwrap(schema: Schema): Unwrapped {
  let current = schema as z.core.$ZodTypes;
  let optional = false;
  let nullable = false;
  let defaultValue: unknown;
  for (;;) {
    const def = current._zod.def;
    if (def.type === "optional") optional = true;
    else if (def.type === "nullable") nullable = true;
    else if (def.type === "default" || def.type === "prefault") defaultValue = def.defaultValue;
    else return { schema: current, optional, nullable, defaultValue };
    current = def.innerType as z.core.$ZodTypes;
  }
}

/** The schema of one key below a schema; a reward component is identified by the `kind` in its value. */
function childSchema(schema: Schema, key: string | number, value?: unknown): Schema | undefined {
  const def = unwrap(schema).schema._zod.def;
  if (def.type === "object") return Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
  if (def.type === "array") return def.element;
  if (def.type === "record") return def.valueType;
  const option = def.type === "union" ? optionOf(def.options, value) : undefined;
  return option && childSchema(option, key);
}

/** The schema at a path of the configuration `root`; undefined if the path leaves the schema. */
export function schemaAt(path: Path, root: unknown): Schema | undefined {
  let schema: Schema | undefined = configSchema;
  let value = root;
  for (const key of path) {
    schema = schema && childSchema(schema, key, value);
    value = at(value, key);
  }
  return schema;
}

/** The keys that a section may have. */
export function keysOf(schema: Schema, value?: unknown): string[] {
  const def = unwrap(schema).schema._zod.def;
  if (def.type === "object") return Object.keys(def.shape);
  const option = def.type === "union" ? optionOf(def.options, value) : undefined;
  return option ? keysOf(option) : [];
}

/** The value at one key; undefined if there is none. */
export function at(value: unknown, key: string | number): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string | number, unknown>)[key]
    : undefined;
}

function optionOf(options: readonly Schema[], value: unknown): Schema | undefined {
  const kind = at(value, "kind");
  return options.find((option) => kindOf(option) === kind);
}

function kindOf(option: Schema): unknown {
  const kind = childSchema(option, "kind");
  const def = kind && unwrap(kind).schema._zod.def;
  return def?.type === "literal" ? def.values[0] : undefined;
}

/** What a schema allows, in words: "a whole number from 1", "one of constant, linear, cosine". */
export function expectation(schema: Schema): string {
  const { schema: inner, nullable } = unwrap(schema);
  return nullable ? `${expectationOf(inner)}, or null` : expectationOf(inner);
}

function expectationOf(schema: z.core.$ZodTypes): string {
  const def = schema._zod.def;
  switch (def.type) {
    case "number":
      return numberInWords(def);
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "enum":
      return `one of ${Object.values(def.entries).join(", ")}`;
    case "literal":
      return `${def.values.length > 1 ? "one of " : ""}${def.values.join(", ")}`;
    case "array":
      return "a list";
    case "union":
      return def.options.some((option) => kindOf(option) === undefined)
        ? def.options.map(expectation).join(", or ")
        : `a component whose kind is one of ${def.options.map(kindOf).join(", ")}`;
    default:
      return "a section of keys and values";
  }
}

function numberInWords(def: z.core.$ZodNumberDef): string {
  const whole = (def as { format?: string }).format === "safeint";
  const words = [whole ? "a whole number" : "a number"];
  for (const check of def.checks ?? []) {
    const bound = check._zod.def as { check: string; value: number; inclusive: boolean };
    if (bound.check === "greater_than") {
      if (whole) words.push(`from ${bound.inclusive ? bound.value : bound.value + 1}`);
      else words.push(bound.inclusive ? `from ${bound.value}` : `above ${bound.value}`);
    } else if (bound.check === "less_than")
      words.push(bound.inclusive ? `to ${bound.value}` : `to below ${bound.value}`);
  }
  return words.join(" ");
}

/** Every field of the configuration, in the schema's order. */
export function fields(): Field[] {
  return fieldsBelow(configSchema, "");
}

function fieldsBelow(schema: Schema, path: string): Field[] {
  const { schema: inner, optional, defaultValue } = unwrap(schema);
  const def = inner._zod.def;
  const leaf = { path, expected: expectation(schema), required: !optional && defaultValue === undefined, defaultValue };
  if (def.type === "object") {
    const prefix = path === "" ? "" : `${path}.`;
    return Object.entries(def.shape).flatMap(([key, child]) => fieldsBelow(child, `${prefix}${key}`));
  }
  if (def.type === "union" && def.options.every((option) => kindOf(option) !== undefined))
    return componentFields(inner as z.core.$ZodUnion, { path, common: `${path}.` });
  const element = def.type === "array" ? unwrap(def.element).schema : undefined;
  if (element?._zod.def.type === "object") return [leaf, ...fieldsBelow(element, `${path}[]`)];
  if (def.type !== "array" || element?._zod.def.type !== "union") return [leaf];
  return [leaf, ...componentFields(element as z.core.$ZodUnion, { path, common: `${path}[].` })];
}

/** The fields of components by kind. Keys that every kind has follow the prefix `common`, the others are `path[kind].key`. */
function componentFields(
  union: z.core.$ZodUnion,
  { path, common: prefix }: { readonly path: string; readonly common: string },
): Field[] {
  const { options } = union._zod.def;
  const common = keysOf(options[0] as Schema).filter((key) => options.every((option) => keysOf(option).includes(key)));
  const commonFields = common.flatMap((key) =>
    fieldsBelow(childSchema(options[0] as Schema, key) as Schema, `${prefix}${key}`).map((field) =>
      key === "kind" ? { ...field, expected: `one of ${options.map(kindOf).join(", ")}` } : field,
    ),
  );
  const ownFields = options.flatMap((option) =>
    keysOf(option)
      .filter((key) => !common.includes(key))
      .flatMap((key) => fieldsBelow(childSchema(option, key) as Schema, `${path}[${kindOf(option)}].${key}`)),
  );
  return [...commonFields, ...ownFields];
}
