/** A configuration with mistakes, as far as it can be read without them: so that all that is wrong is said in one round. */
import type { z } from "zod";
import { type Config, configSchema } from "../settings/config-schema.ts";
import { at, keysOf, schemaAt, unwrap } from "../settings/schema-fields.ts";
import { nearest } from "../util/nearest.ts";
import type { Path } from "../util/yaml-source.ts";
import { describeIssue, dotted, type Problem, valueAt } from "./problems.ts";

export interface Repaired {
  /** With defaults for every value that is wrong; null where that cannot be. */
  readonly parsed: Config | null;
  /** The paths of what was left out, and of what it seems to have been meant for. */
  readonly wrong: readonly Path[];
  readonly problems: readonly Problem[];
}

/** Each round leaves something out; a section that it empties may lack a key then. */
const rounds = 10;

/** Every single value that is wrong, and the configuration without them. */
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

/** Keys without a value, which YAML takes for null: where null means something, nobody said it. */
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

/** Whether a problem may only be there because of what was left out. */
export function isEcho({ paths, message }: Problem, wrong: readonly Path[]): boolean {
  const named = (path: Path) =>
    new RegExp(`(?<![\\w.])${dotted(path).replaceAll(/[^\w]/g, "\\$&")}(?!\\w)`).test(message);
  return wrong.some((path) => paths.some((one) => isBelow(one, path)) || named(path));
}

/** Whether a path is another or leads through it. */
export function isBelow(path: Path, above: Path): boolean {
  return above.every((key, i) => path[i] === key);
}

/** What to leave out for this issue. Of a list all: its other entries would move. */
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

/** The keys that unknown ones were meant to be. */
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
