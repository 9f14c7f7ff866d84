/**
 * Python's values in a template. Strings, integers, booleans and None are JavaScript's strings, numbers, booleans and null;
 * lists are arrays and dicts are maps; the rest are the classes below.
 */

import type { PythonType } from "./names.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

export type Value =
  | string
  | number
  | boolean
  | null
  | Float
  | Undefined
  | Tuple
  | Range
  | View
  | Lazy
  | Namespace
  | Callable
  | Loop
  | Value[]
  | Dict;

export type Dict = Map<string, Value>;

export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** The value of a missing name, attribute or item. */
export class Undefined {
  /** @param why the message if it is used where a value is needed */
  readonly why: string;
  constructor(why: string) {
    this.why = why;
  }
}

export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export class Range {
  readonly items: readonly number[];
  constructor(items: readonly number[]) {
    this.items = items;
  }
}

/** The result of a dict's `keys`, `values` and `items`. */
export class View {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** A value that can be iterated once: the result of `map`, `select` and the like. */
export class Lazy {
  #items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.#items = items;
  }
  take(): readonly Value[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }
  takeFirst(): Value | undefined {
    const [first, ...rest] = this.#items;
    this.#items = rest;
    return first;
  }
}

export class Namespace {
  readonly values: Dict;
  constructor(values: Dict) {
    this.values = values;
  }
}

export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

export class Callable {
  readonly call: (args: Arguments) => Value;
  constructor(call: (args: Arguments) => Value) {
    this.call = call;
  }
}

/** The variable `loop`. */
export class Loop {
  readonly items: readonly Value[];
  readonly index0: number;
  constructor({ items, index0 }: { items: readonly Value[]; index0: number }) {
    this.items = items;
    this.index0 = index0;
  }
}

/** Python's name for a value's type, as its messages write it. */
export function typeName(value: Value): string {
  if (typeof value === "string") return "str";
  if (typeof value === "number") return "int";
  if (typeof value === "boolean") return "bool";
  if (value === null) return "NoneType";
  if (Array.isArray(value)) return "list";
  if (value instanceof Map) return "dict";
  return value.constructor.name.toLowerCase();
}

/** The type whose attributes a value has; null if it has only those of every Python object. */
export function attributesOf(value: Value): PythonType | null {
  if (typeof value === "string") return "str";
  if (typeof value === "number" || typeof value === "boolean") return "int";
  if (value instanceof Float) return "float";
  if (Array.isArray(value)) return "list";
  if (value instanceof Map) return "dict";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Range) return "range";
  if (value instanceof View) return "view";
  if (value instanceof Loop) return "loop";
  if (value instanceof Callable) return "macro";
  return null;
}

/** The number that an int, a bool or a float holds; null for any other value. */
export function numberOf(value: Value): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return value instanceof Float ? value.value : null;
}

export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value === "string") return value !== "";
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (value instanceof Tuple || value instanceof Range || value instanceof View) return value.items.length > 0;
  const number = numberOf(value);
  return number === null ? true : number !== 0;
}

/** Characters as Python counts them. */
export function charactersOf(text: string): string[] {
  return /[\ud800-\udfff]/.test(text) ? Array.from(text) : text.split("");
}

/**
 * The items of a value that a loop can iterate over.
 * @throws TemplateFault for any other value
 */
export function itemsOf(value: Value): readonly Value[] {
  if (typeof value === "string") return charactersOf(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value.keys()];
  if (value instanceof Tuple || value instanceof Range || value instanceof View) return value.items;
  if (value instanceof Lazy) return value.take();
  if (value instanceof Undefined) return [];
  if (value instanceof Loop) return unsupported("a loop's own variable as what is gone through");
  throw new TemplateFault(`'${typeName(value)}' object is not iterable`);
}

/** The items of a sequence that has a length; null for any other value. */
export function sizedItems(value: Value): readonly Value[] | null {
  if (value instanceof Lazy || value instanceof Loop || value === null || typeof value === "number") return null;
  if (typeof value === "boolean" || value instanceof Float || value instanceof Namespace || value instanceof Callable)
    return null;
  return itemsOf(value);
}

/**
 * The value, if it is defined.
 * @throws TemplateFault if it is not
 */
export function defined<V extends Value>(value: V): Exclude<V, Undefined> {
  if (value instanceof Undefined) throw new TemplateFault(value.why);
  return value as Exclude<V, Undefined>;
}

export function equal(a: Value, b: Value): boolean {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null || y !== null) return x === y;
  if (Array.isArray(a) && Array.isArray(b)) return equalItems(a, b);
  if (a instanceof Tuple && b instanceof Tuple) return equalItems(a.items, b.items);
  if (a instanceof Range && b instanceof Range) return equalItems(a.items, b.items);
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && equal(value, b.get(key)!));
  if (a instanceof Undefined && b instanceof Undefined) return true;
  if (a instanceof View && b instanceof View) return unsupported("comparing keys, values or items of dicts");
  return a === b;
}

function equalItems(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((item, i) => equal(item, b[i]!));
}

/**
 * Negative, 0 or positive; NaN if one of the numbers is NaN.
 * @throws TemplateFault for types without an order
 */
export function compare(a: Value, b: Value): number {
  const [x, y] = [numberOf(defined(a)), numberOf(defined(b))];
  if (x !== null && y !== null) return x < y ? -1 : x > y ? 1 : x === y ? 0 : Number.NaN;
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  const both = [a, b];
  if (both.every(Array.isArray) || both.every((value) => value instanceof Tuple)) {
    const [left, right] = [itemsOf(a), itemsOf(b)];
    for (const [i, item] of left.entries()) {
      if (i >= right.length) return 1;
      if (!equal(item, right[i]!)) return compare(item, right[i]!);
    }
    return left.length - right.length;
  }
  throw new TemplateFault(`'${typeName(a)}' and '${typeName(b)}' have no order`);
}

/** Compares by code points, as Python does. */
function compareTexts(a: string, b: string): number {
  const [left, right] = [charactersOf(a), charactersOf(b)];
  for (const [i, character] of left.entries()) {
    if (i >= right.length) return 1;
    if (character !== right[i]) return character.codePointAt(0)! - right[i]!.codePointAt(0)!;
  }
  return left.length - right.length;
}

/** The operator `a in b`. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === "string") {
    if (typeof item === "string") return container.includes(item);
    throw new TemplateFault(`'in <string>' requires a string, not ${typeName(item)}`);
  }
  if (container instanceof Map) {
    if (typeof item === "string") return container.has(item);
    if (Array.isArray(item) || item instanceof Map) throw new TemplateFault(`unhashable type: '${typeName(item)}'`);
    return false;
  }
  return itemsOf(container).some((one) => equal(one, item));
}
