/** `key=value` on the command line: changes values that the file gives, before they are checked. */
import { parse } from "yaml";
import { messageOf, UsageError } from "../util/errors.ts";
import { at, type Path, schemaAt, unwrap } from "./fields.ts";
import { dotted, pathOf } from "./problems.ts";

export interface Override {
  /** As it was typed. */
  readonly text: string;
  readonly path: Path;
  /** The value's text. */
  readonly value: string;
}

export interface Overridden {
  readonly root: Record<string, unknown>;
  /** The override that wrote or made what stands at a path or above it. */
  overrideAt(path: Path): Override | undefined;
}

/** Throws UsageError for a text that is no `key=value`. */
export function parseOverride(text: string): Override {
  const equals = text.indexOf("=");
  const path = pathOf(text.slice(0, Math.max(0, equals)).trim());
  if (path.includes("")) {
    throw new UsageError(`override ${text}: expected key=value`, "As in ppo.epochs=2 or ppo.rewards.0.weight=0.5");
  }
  return { text, path, value: text.slice(equals + 1) };
}

/**
 * Applies overrides in order. A section that is not there yet is made, a default list is copied so that one of its
 * entries can be changed, and `null` takes a key away where null is not one of its values. The root is not changed.
 * Throws UsageError for a value that is not YAML and a list index that is out of range.
 */
export function applyOverrides(root: Record<string, unknown>, overrides: readonly Override[]): Overridden {
  const touched = new Map<string, Override>();
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
        // The file's own mistake: it is reported with its line.
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
    result = changed(result, 0) as Record<string, unknown>;
    touched.set(dotted(path), override);
  }
  return {
    root: result,
    overrideAt: (path) => {
      for (let length = path.length; length > 0; length--) {
        const override = touched.get(dotted(path.slice(0, length)));
        if (override) return override;
      }
      return undefined;
    },
  };
}

/** The value an override gives; undefined takes the key away. */
function valueGiven({ text, path, value }: Override, root: unknown): unknown {
  const schema = schemaAt(path, root);
  const isText = schema !== undefined && unwrap(schema).schema._zod.def.type === "string";
  let parsed: unknown;
  try {
    parsed = parse(value, { prettyErrors: false, logLevel: "error" });
  } catch (error) {
    if (isText) return value;
    throw new UsageError(`override ${text}: not valid YAML: ${messageOf(error).split("\n")[0]}`);
  }
  // Text needs no quotes here, whatever it looks like: name=007, pattern=^a: b.
  if (isText && typeof parsed !== "string" && parsed !== null) return value;
  return parsed === null && !(schema && unwrap(schema).nullable) ? undefined : parsed;
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
