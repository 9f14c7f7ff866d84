/** Turns the schema's issues into messages that a user can act on. */
import type { z } from "zod";
import { at, expectation, fields, keysOf, schemaAt, unwrap } from "../settings/schema-fields.ts";
import { nearest } from "../util/nearest.ts";
import type { Path } from "../util/yaml-source.ts";

/** Something wrong or odd. The message is placed at the first of these paths that the user wrote. */
export interface Problem {
  readonly paths: readonly Path[];
  readonly message: string;
}

/** The results of checks: contradictions, and settings that are odd or without effect. */
export interface Checked {
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

/** Whether the user gave this key, in the file or as an override. */
export type Given = (path: string) => boolean;

/** A problem with these keys, the most telling one first. */
export function problem(keys: string | readonly string[], message: string): Problem {
  return { paths: [keys].flat().map(pathOf), message };
}

/** The path of a dotted key; an index becomes a number. */
export function pathOf(key: string): Path {
  return key.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** The problems behind one issue of the schema; `root` is the value that was checked. */
export function describeIssue(issue: z.core.$ZodIssue, root: unknown): Problem[] {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ paths: [[...path, key]], message: unknownKey(path, key, root) }));
  }
  if (issue.code === "invalid_key") {
    return [{ paths: [path], message: wrongName(path, issue.issues[0]?.message ?? "") }];
  }
  if (issue.code === "invalid_union" && issue.path.at(-1) === "kind") return [unknownKind(path, root)];
  const schema = schemaAt(path, root);
  const found = valueAt(root, path);
  if (schema === undefined) return [{ paths: [path], message: `${dotted(path)}: ${issue.message}` }];
  if (found === undefined) {
    const message = `${dotted(path.slice(0, -1))} needs the key ${path.at(-1)}: ${expectation(schema)}`;
    return [{ paths: [path], message }];
  }
  if (issue.code === "invalid_format") {
    return [{ paths: [path], message: `${dotted(path)}: expected ${issue.message}, found ${inWords(found)}` }];
  }
  const empty = issue.code === "too_small" && (issue.origin === "array" || issue.origin === "string");
  const expected = `${expectation(schema)}${empty ? " that is not empty" : ""}`;
  return [
    {
      paths: [path],
      message: `${dotted(path)}: expected ${expected}, found ${inWords(found)}${advice(found, schema)}`,
    },
  ];
}

/** The dotted key of a path: `ppo.kl.coef`, `ppo.rewards.0.weight`; "the configuration" for the empty path. */
export function dotted(path: Path): string {
  return path.length === 0 ? "the configuration" : path.join(".");
}

export function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => at(value, key), root);
}

function unknownKey(path: Path, key: string, root: unknown): string {
  const section = path.length === 0 ? "" : ` in ${dotted(path)}`;
  const keys = keysOf(schemaAt(path, root)!, valueAt(root, path));
  const near = nearest(key, keys);
  if (near !== undefined) return `unknown key "${key}"${section}; did you mean ${near}?`;
  if (key === "<<") return `unknown key "<<"${section}: merge keys are not part of YAML 1.2; write the values out`;
  const places = fields()
    .map((field) => field.path.split("."))
    .filter((place) => !place.join().includes("["));
  const nearElsewhere = nearest(
    key,
    places.map((place) => place.at(-1)!),
  );
  const elsewhere = places
    .filter((place) => place.at(-1) === nearElsewhere)
    .map((place) => (place.length === 1 && path.length > 0 ? `${place[0]} outside ${path[0]}` : place.join(".")));
  if (elsewhere.length > 0)
    return `unknown key "${key}"${section}; did you mean ${inList(elsewhere.slice(0, 3), "or")}?`;
  return `unknown key "${key}"${section}; it may have ${inList(keys, "and")}`;
}

/** The message for a key that the user chose but that breaks the rules for names. */
function wrongName(path: Path, allowed: string): string {
  const key = String(path.at(-1));
  const section = dotted(path.slice(0, -1));
  if (!allowed.startsWith("one of ")) return `the name "${key}" in ${section} is not allowed: ${allowed}`;
  const near = nearest(key, allowed.replace("one of ", "").split(", "));
  return `unknown field "${key}" in ${section}; ${near ? `did you mean ${near}?` : `it renames ${allowed}`}`;
}

function unknownKind(path: Path, root: unknown): Problem {
  const component = path.slice(0, -1);
  const expected = expectation(schemaAt(component, root)!).replace("a component whose kind is ", "");
  const found = valueAt(root, path);
  if (found === undefined)
    return { paths: [component], message: `${dotted(component)} needs the key kind: ${expected}` };
  const near = typeof found === "string" ? nearest(found, expected.replace("one of ", "").split(", ")) : undefined;
  const message = `${dotted(path)}: expected ${expected}, found ${inWords(found)}${near ? `; did you mean ${near}?` : ""}`;
  return { paths: [path], message };
}

/** What to write instead, if the mistake is a known one. */
function advice(found: unknown, schema: z.core.$ZodType): string {
  const { type } = unwrap(schema).schema._zod.def;
  if (type === "enum" && typeof found === "string") {
    const near = nearest(found, expectation(unwrap(schema).schema).replace("one of ", "").split(", "));
    return near ? `; did you mean ${near}?` : "";
  }
  if (type === "boolean" && typeof found === "string") {
    if (/^(yes|on|y)$/i.test(found)) return "; write true";
    if (/^(no|off|n)$/i.test(found)) return "; write false";
  }
  if (type === "number" && typeof found === "string") {
    const number = Number(found.replaceAll(/[_, ]/g, ""));
    if (found.trim() !== "" && Number.isFinite(number)) return `; write ${number}`;
  }
  if (type === "string" && (typeof found === "number" || typeof found === "boolean")) return `; write "${found}"`;
  if (found === null && type === "object") return "; write {} for all its defaults, or remove the key";
  if (found === null) return "; remove the key for its default";
  return "";
}

function inWords(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a section";
  if (typeof value !== "string") return String(value);
  return value === "" ? "empty text" : `the text "${value.length > 60 ? `${value.slice(0, 60)}...` : value}"`;
}

/** Joins words into a list: `a`, `a or b`, `a, b or c`. */
export function inList(words: readonly (string | number)[], last: "and" | "or"): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
}
