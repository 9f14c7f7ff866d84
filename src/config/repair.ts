/** Reads a configuration despite its mistakes, so that all of them are reported at once. */
import type { z } from "zod";
import { type Config, configSchema } from "../settings/config-schema.ts";
import { at, keysOf, schemaAt, unwrap } from "../settings/schema-fields.ts";
import { nearest } from "../util/nearest.ts";
import type { Path } from "../util/yaml-source.ts";
import { describeIssue, dotted, type Problem, valueAt } from "./problems.ts";

export interface Repaired {
  /** The configuration with defaults in place of wrong values; null if it cannot be repaired. */
  readonly parsed: Config | null;
  /** The paths that were left out, and those that their writer probably meant. */
  readonly wrong: readonly Path[];
  readonly problems: readonly Problem[];
}

/** Rounds of repair. Each round leaves something out, after which an emptied section may lack a key. */
const rounds = 10;

/** Finds every single wrong value, and the configuration without them. */
export function withoutMistakes(root: unknown): Repaired {
  const first = configSchema.safeParse(root);
  if (first.success) return { parsed: first.data, wrong: [], problems: [] };
  const problems = first.error.issues.flatMap((issue) => describeIssue(issue, root));
  const wrong: Path[] = [];
  let rest = root;
  let parsed: z.ZodSafeParseResult<Config> = first;
  for (let round = 0; round < rounds && !parsed.success; round++) {
    for (const issue of parsed.error.issues) {
      const paths = wrongPaths(issue, rest);
      wrong.push(...paths, ...meantPaths(issue, rest));
      for (const path of paths) rest = without(rest, path);
    }
    parsed = configSchema.safeParse(rest);
  }
  return { parsed: parsed.success ? parsed.data : null, wrong, problems };
}

/** Problems for keys without a value, which YAML reads as null: if null has a meaning there, nobody asked for it. */
export function emptyValues(paths: readonly Path[], root: unknown): Problem[] {
  return paths
    .filter((path) => {
      const schema = schemaAt(path, root);
      return schema !== undefined && unwrap(schema).nullable;
    })
    .map((path) => ({
      paths: [path],
      message: `${dotted(path)}: there is nothing after the colon; write null if that is meant, or remove the key for its default`,
    }));
}

/** Whether a problem may exist only because something was left out. */
export function isEcho({ paths, message }: Problem, wrong: readonly Path[]): boolean {
  const named = (path: Path) =>
    new RegExp(`(?<![\\w.])${dotted(path).replaceAll(/[^\w]/g, "\\$&")}(?!\\w)`).test(message);
  return wrong.some((path) => paths.some((one) => isBelow(one, path)) || named(path));
}

/** Whether a path equals `above` or leads through it. */
export function isBelow(path: Path, above: Path): boolean {
  return above.every((key, i) => path[i] === key);
}

/** The paths to leave out for this issue. A list is left out whole, because its other entries would move. */
function wrongPaths(issue: z.core.$ZodIssue, root: unknown): Path[] {
  const path = issue.path as Path;
  const paths: Path[] = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path];
  return paths
    .map((one) => (valueAt(root, one) === undefined ? one.slice(0, -1) : one))
    .map((one) => {
      const index = one.findIndex((key) => typeof key === "number");
      return index < 0 ? one : one.slice(0, index);
    })
    .filter((one) => one.length > 0);
}

/** The keys that unknown keys were probably meant to be. */
function meantPaths(issue: z.core.$ZodIssue, root: unknown): Path[] {
  if (issue.code !== "unrecognized_keys") return [];
  const path = issue.path as Path;
  const schema = schemaAt(path, root);
  const keys = schema ? keysOf(schema, valueAt(root, path)) : [];
  return issue.keys.flatMap((key) => {
    const near = nearest(key, keys);
    return near === undefined ? [] : [[...path, near]];
  });
}

function without(root: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined || typeof root !== "object" || root === null) return root;
  if (rest.length > 0) return { ...root, [key]: without(at(root, key), rest) };
  return Object.fromEntries(Object.entries(root).filter(([name]) => name !== String(key)));
}
