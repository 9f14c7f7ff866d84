/** The configuration's schema as JSON Schema (draft 7), for editors: names, types, bounds and defaults, with the meanings of docs/config.md. */
import { z } from "zod";
import { configSchema, engineKindNames } from "./config-schema.ts";
import { documentedFields } from "./field-docs.ts";

type Node = z.core.JSONSchema.JSONSchema;

/** Sections that `null` takes out of what a file extends. */
const removable = ["demo", "lora", "sft", "reward", "ppo", "experiment"];

/** The file `ballast.schema.json`. */
export function configJsonSchema(): Node {
  const schema = z.toJSONSchema(configSchema, { io: "input", target: "draft-7" }) as Node;
  const meanings = new Map(documentedFields().map(([path, { meaning }]) => [path, plain(meaning)]));
  describeBelow(schema, { path: "", meanings });
  const sections = schema.properties as Record<string, Node>;
  sections.engine = withShorthand(sections.engine!);
  for (const name of removable) sections[name] = { anyOf: [sections[name]!, { type: "null" }] };
  return { $id: "ballast.schema.json", title: "Ballast's configuration", ...schema };
}

/** `engine: torch` is short for `engine: {kind: torch}`, also for the engine of a role. */
function withShorthand(engine: Node): Node {
  const short = { type: "string", enum: [...engineKindNames] } as Node;
  const roles = Object.entries(engine.properties as Record<string, Node>).map(([key, value]) => [
    key,
    value.type === "object" ? { anyOf: [short, value] } : value,
  ]);
  return { anyOf: [short, { ...engine, properties: Object.fromEntries(roles) }] };
}

/** Adds to every property below the meaning under its path, as `fields()` spells it: `ppo.rewards[].weight`, `ppo.rewards[length].max`. */
function describeBelow(
  node: Node,
  { path, meanings }: { readonly path: string; readonly meanings: ReadonlyMap<string, string> },
): void {
  // Without its flag, which JSON Schema has no place for, such a pattern means something else; the loader has it.
  if (node.pattern?.includes("\\p{")) delete node.pattern;
  if (typeof node.additionalProperties === "object")
    describeBelow(node.additionalProperties, { path: "", meanings: new Map() });
  const options = (node.anyOf ?? node.oneOf ?? []) as Node[];
  for (const option of options) describeBelow(option, { path, meanings });
  if (node.items) describeBelow(node.items as Node, { path: `${path}[]`, meanings });
  const { kind } = (node.properties ?? {}) as { kind?: Node };
  const named = kind?.const === undefined ? null : `${path.replace(/\[\]$/, "")}[${String(kind.const)}]`;
  for (const [key, child] of Object.entries((node.properties ?? {}) as Record<string, Node>)) {
    const own = path === "" ? key : `${path}.${key}`;
    const meaning = (named === null ? undefined : meanings.get(`${named}.${key}`)) ?? meanings.get(own);
    if (meaning !== undefined) child.description = meaning;
    describeBelow(child, { path: own, meanings });
  }
}

/** A meaning without Markdown's links and code marks. */
export function plain(meaning: string): string {
  return meaning.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("`", "");
}
