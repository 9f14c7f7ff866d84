/** `key=value` on the command line: changes values of the file before they are checked. */
import { parse } from "yaml";
import { at, schemaAt, unwrap } from "../settings/schema-fields.ts";
import { messageOf, UsageError } from "../util/errors.ts";
import type { Path } from "../util/yaml-source.ts";
import { engineOf, isEngine } from "./engine-shorthand.ts";
import { dotted, pathOf } from "./problems.ts";

export interface Override {
  /** The override as it was typed. */
  readonly text: string;
  readonly path: Path;
  /** The value's text. */
  readonly value: string;
}

export interface Overridden {
  readonly root: Record<string, unknown>;
  /** The override that wrote or created the value at a path or above it. */
  overrideAt(path: Path): Override | undefined;
  /** One error for each override that could not be applied and was skipped. */
  readonly errors: readonly UsageError[];
}

/** Throws UsageError if the text is not `key=value`, or has nothing after the `=`. */
export function parseOverride(text: string): Override {
  const equals = text.indexOf("=");
  const key = text.slice(0, Math.max(0, equals)).trim();
  const path = pathOf(key);
  if (path.includes("")) {
    throw new UsageError(
      `override ${text}: expected key=value`,
      "For example: ppo.epochs=2 or ppo.rewards.0.weight=0.5",
    );
  }
  const value = text.slice(equals + 1).trim();
  // A shell removes quotes, and an unset variable leaves nothing: neither must undo what the file says.
  if (value === "") {
    throw new UsageError(
      `override ${text}: there is nothing after the =`,
      `'${key}=""' is empty text, ${key}=null removes the key, or sets it to null if the key allows null.`,
    );
  }
  return { text, path, value };
}

/**
 * Applies overrides in order. A missing section is created, a default list is copied so that one of its entries can be changed, and `null`
 * removes a key unless null is one of its values. The root is not changed.
 */
export function applyOverrides(root: Record<string, unknown>, overrides: readonly Override[]): Overridden {
  const touched = new Map<string, Override>();
  const errors: UsageError[] = [];
  let result = root;
  for (const override of overrides) {
    const { path } = override;
    const fail = (message: string): never => {
      throw new UsageError(`override ${override.text}: ${message}`);
    };
    const changed = (container: unknown, depth: number): unknown => {
      const key = path[depth]!;
      const here = path.slice(0, depth);
      if (container === undefined && !isScalarAt(here, result)) {
        touched.set(dotted(here), override);
        container = emptyAt(here, result);
      }
      if (typeof container !== "object" || container === null) {
        // This is the file's own mistake, and is reported with its line.
        if (!touched.has(dotted(here)) && !isScalarAt(here, result)) return container;
        return fail(`${dotted(here)} has no keys`);
      }
      if (Array.isArray(container)) {
        if (typeof key !== "number" || key > container.length) {
          return fail(`${dotted(here)} is a list of ${container.length}; its entries are ${dotted(here)}.0 and on`);
        }
        const copy = [...container];
        copy[key] = next(container[key], depth);
        return copy;
      }
      const value = next(at(container, key), depth);
      const entries = Object.entries({ ...container, [key]: value });
      return Object.fromEntries(entries.filter(([, entry]) => entry !== undefined));
    };
    const next = (old: unknown, depth: number): unknown =>
      depth + 1 === path.length ? valueGiven(override, result) : changed(old, depth + 1);
    try {
      result = changed(result, 0) as Record<string, unknown>;
      touched.set(dotted(path), override);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      errors.push(error);
    }
  }
  return {
    root: result,
    errors,
    overrideAt: (path) => {
      for (let length = path.length; length > 0; length--) {
        const override = touched.get(dotted(path.slice(0, length)));
        if (override) return override;
      }
      return undefined;
    },
  };
}

/** The value that an override gives; undefined removes the key. */
function valueGiven({ text, path, value }: Override, root: unknown): unknown {
  const schema = schemaAt(path, root);
  const absent = schema && unwrap(schema).nullable ? null : undefined;
  if (/^(null|Null|NULL|~)$/.test(value)) return absent;
  // A text needs no quotes here, whatever it looks like: name=007, pattern=^a: b, objective=#1 first.
  const isText = schema !== undefined && unwrap(schema).schema._zod.def.type === "string";
  if (isText && !/^["']/.test(value)) return value;
  let parsed: unknown;
  try {
    parsed = parse(value, { prettyErrors: false, logLevel: "error" });
  } catch (error) {
    if (isText) return value;
    throw new UsageError(`override ${text}: not valid YAML: ${messageOf(error).split("\n")[0]}`);
  }
  if (isText && typeof parsed !== "string") return value;
  if (parsed === null) throw new UsageError(`override ${text}: there is no value before the comment`);
  return isEngine(path) ? engineOf(parsed) : parsed;
}

function emptyAt(path: Path, root: unknown): unknown {
  const schema = schemaAt(path, root);
  if (!schema || unwrap(schema).schema._zod.def.type !== "array") return {};
  return structuredClone(unwrap(schema).defaultValue ?? []);
}

function isScalarAt(path: Path, root: unknown): boolean {
  const schema = schemaAt(path, root);
  return schema !== undefined && !["object", "array", "record", "union"].includes(unwrap(schema).schema._zod.def.type);
}
