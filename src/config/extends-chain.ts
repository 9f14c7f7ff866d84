/** Resolves `extends`: the configurations that a file builds on, a shipped template by its name or a file by its path. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { at, schemaAt, unwrap } from "../settings/schema-fields.ts";
import { messageOf, UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { fromHome } from "../util/platform.ts";
import { type Path, readSource, type Source } from "../util/yaml-source.ts";
import { rebasePaths } from "./config-paths.ts";
import { withEngineSections } from "./engine-shorthand.ts";
import { inList } from "./problems.ts";

const templateFolder = fileURLToPath(new URL("../../templates/", import.meta.url));

/** The names of the shipped templates. */
export function templateNames(): string[] {
  return readdirSync(templateFolder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .sort();
}

/** A shipped template's text. */
export function templateText(name: string): string {
  return readFileSync(join(templateFolder, `${name}.yaml`), "utf8");
}

/** What a template is for, as its first line says. */
export function templateSays(name: string): string {
  const [first = ""] = templateText(name).split("\n", 1);
  return first.replace(/^# [^:]*: /, "").replace(/\.$/, "");
}

/** A configuration with everything that it extends. */
export interface Chain {
  /** The file itself, then what it extends, and so on. */
  readonly sources: readonly Source[];
  /** The merged keys and values, with paths relative to the current directory and without `extends`. */
  readonly root: Record<string, unknown>;
}

/**
 * The keys and values of a file with those that it extends; an override names what the file extends in its place, relative to the current
 * directory. Throws UsageError for a base that does not exist, or that extends itself.
 */
export function chainOf(source: Source, override?: { readonly text: string; readonly value: string }): Chain {
  if (override === undefined) return follow(source, []);
  const named = { base: override.value, from: ".", place: `override ${override.text}` };
  return follow(source, [], named);
}

interface Named {
  readonly base: unknown;
  /** The folder that a path is relative to. */
  readonly from: string;
  readonly place: string;
}

function follow(
  source: Source,
  extending: readonly string[],
  { base, from, place }: Named = {
    base: source.root.extends,
    from: dirname(source.file),
    place: `${source.file}:${source.lineOf(["extends"])}`,
  },
): Chain {
  const { extends: _, ...own } = source.root;
  const root = rebasePaths(withEngineSections(own), { from: dirname(source.file), to: "." });
  if (base === undefined) return { sources: [source], root };
  // A wrong value stays for the schema to report.
  if (typeof base !== "string" || base.trim() === "") return { sources: [source], root: { ...root, extends: base } };
  const file = fileOf(base, { from, place });
  const files = [...extending, resolve(source.file)];
  if (files.includes(resolve(file))) throw new UsageError(`${place}: extends ${base} leads back to ${file} itself`);
  const below = follow(forExtension(readSource(textOf(file, place), file)), files);
  const empty = source.emptyValues();
  return { sources: [source, ...below.sources], root: merged(below.root, root, { path: [], empty }) };
}

/** The file that `extends` names: a template, or a path relative to the file that has it. */
function fileOf(base: string, { from, place }: { readonly from: string; readonly place: string }): string {
  const path = fromHome(base);
  if (/[\\/]|\.(ya?ml|json)$/.test(path)) return isAbsolute(path) ? path : join(from, path);
  const names = templateNames();
  if (names.includes(base)) return join(templateFolder, `${base}.yaml`);
  const near = nearest(base, names);
  throw new UsageError(
    `${place}: extends: there is no template ${base}${near === undefined ? "" : `; did you mean ${near}?`}`,
    `The templates are ${inList(names, "and")}; a file is named with its ending: extends: base.yaml.`,
  );
}

function textOf(file: string, place: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (!existsSync(file)) throw new UsageError(`${place}: extends: there is no file ${file}`);
    throw new UsageError(`${place}: extends: ${file} cannot be read: ${messageOf(error)}`);
  }
}

/** A run's record also holds what its model's folder and its token budget decided, which a configuration must not repeat. */
function forExtension(source: Source): Source {
  if (basename(source.file) !== "config.json") return source;
  const { model, ppo, ...rest } = source.root;
  const path = at(model, "path");
  return {
    ...source,
    root: {
      ...rest,
      ...(model !== undefined && { model: path === undefined ? model : { path } }),
      ...(ppo !== undefined && { ppo: at(ppo, "tokensPerStep") === undefined ? ppo : without(ppo, "sequences") }),
    },
  };
}

/**
 * Sections merge key by key; lists and single values replace. A section that names a `path` or a different `kind` of its own replaces whole:
 * its other keys were about the former one. `null` removes a key that may not be null.
 */
function merged<Section>(
  base: Section,
  own: unknown,
  { path, empty }: { readonly path: Path; readonly empty: readonly Path[] },
): Section {
  if (!isSection(base) || !isSection(own)) return own as Section;
  const replaces =
    own.path !== undefined || (own.kind !== undefined && base.kind !== undefined && own.kind !== base.kind);
  if (replaces && path.length > 0) return own as Section;
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const place = [...path, key];
    const removes = value === null && !isNullable(place) && !empty.some((one) => one.join(".") === place.join("."));
    if (removes && key in result) delete result[key];
    else result[key] = key in base ? merged(base[key], value, { path: place, empty }) : value;
  }
  return result as Section;
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNullable(path: Path): boolean {
  const schema = schemaAt(path, {});
  return schema !== undefined && unwrap(schema).nullable;
}

function without(section: unknown, key: string): unknown {
  return isSection(section) ? Object.fromEntries(Object.entries(section).filter(([name]) => name !== key)) : section;
}
