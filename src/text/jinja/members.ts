/** Attributes and items of values, as Jinja2's sandbox resolves them. */
import { bind, wholeArgument } from "./jinja-arguments.ts";
import {
  type Arguments,
  attributesOf,
  Callable,
  charactersOf,
  type Dict,
  defined,
  Float,
  Loop,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from "./jinja-values.ts";
import { isAttribute } from "./names.ts";
import { stringMethod } from "./strings.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

/** `object.name`: Python's attribute, else the item with that name, else undefined. */
export function attribute(object: Value, name: string): Value {
  defined(object);
  return firstFound(object, name, [() => own(object, name), () => item(object, name)]);
}

/** `object[key]`: the item, else for a text Python's attribute, else undefined. */
export function member(object: Value, key: Value): Value {
  defined(object);
  return firstFound(object, key, [
    () => item(object, key),
    () => (typeof key === "string" ? own(object, key) : undefined),
  ]);
}

/** Returns the first value that is found. None is a value too, so `??` would not do. */
function firstFound(object: Value, key: Value, places: readonly (() => Value | undefined)[]): Value {
  for (const place of places) {
    const value = place();
    if (value !== undefined) return value;
  }
  return missing(object, key);
}

function missing(object: Value, key: Value): Undefined {
  return new Undefined(
    `'${typeName(object)} object' has no ${typeof key === "string" ? `attribute '${key}'` : "such item"}`,
  );
}

function own(object: Value, name: string): Value | undefined {
  if (object instanceof Namespace && object.values.has(name)) return object.values.get(name)!;
  const method = methodOf(object, name);
  if (method) return new Callable(method);
  if (object instanceof Loop) {
    const value = loopAttribute(object, name);
    if (value !== undefined) return value;
  }
  const type = attributesOf(object);
  if (name.startsWith("__") || (type !== null && isAttribute(type, name)))
    unsupported(`${type ?? typeName(object)}.${name}`);
  return undefined;
}

function methodOf(object: Value, name: string): ((args: Arguments) => Value) | null {
  if (typeof object === "string") return stringMethod(object, name);
  if (object instanceof Map) return dictMethod(object, name);
  return null;
}

function dictMethod(dict: Dict, name: string): ((args: Arguments) => Value) | null {
  const none = (args: Arguments) => bind(args, { of: `dict.${name}`, names: [] });
  switch (name) {
    case "get":
      return (args) => {
        const [key, otherwise] = bind(args, {
          of: "dict.get",
          names: ["key", "default"],
          required: 1,
          positionalOnly: true,
        });
        if (Array.isArray(key) || key instanceof Map) throw new TemplateFault(`unhashable type: '${typeName(key)}'`);
        const value = typeof key === "string" ? dict.get(key) : undefined;
        return value === undefined ? (otherwise ?? null) : value;
      };
    case "items":
      return (args) => {
        none(args);
        return new View([...dict].map((entry) => new Tuple(entry)));
      };
    case "keys":
    case "values":
      return (args) => {
        none(args);
        return new View([...(name === "keys" ? dict.keys() : dict.values())]);
      };
    default:
      return null;
  }
}

function loopAttribute({ items, index0 }: Loop, name: string): Value | undefined {
  switch (name) {
    case "index":
      return index0 + 1;
    case "index0":
      return index0;
    case "revindex":
      return items.length - index0;
    case "revindex0":
      return items.length - index0 - 1;
    case "first":
      return index0 === 0;
    case "last":
      return index0 === items.length - 1;
    case "length":
      return items.length;
    // Only recursive loops are deeper.
    case "depth":
      return 1;
    case "depth0":
      return 0;
    case "previtem":
      return items[index0 - 1] === undefined ? new Undefined("there is no previous item") : items[index0 - 1];
    case "nextitem":
      return items[index0 + 1] === undefined ? new Undefined("there is no next item") : items[index0 + 1];
    case "cycle":
      return new Callable(({ positional }) => {
        if (positional.length === 0) throw new TemplateFault("no items for cycling given");
        return positional[index0 % positional.length]!;
      });
    default:
      return undefined;
  }
}

function item(object: Value, key: Value): Value | undefined {
  if (object instanceof Map) return typeof key === "string" ? object.get(key) : undefined;
  const items = indexed(object);
  if (items === null || key instanceof Float || (typeof key !== "number" && typeof key !== "boolean")) return undefined;
  const index = wholeArgument(key, "an index");
  return items[index < 0 ? index + items.length : index];
}

function indexed(object: Value): readonly Value[] | null {
  if (typeof object === "string") return charactersOf(object);
  if (Array.isArray(object)) return object;
  return object instanceof Tuple || object instanceof Range ? object.items : null;
}
