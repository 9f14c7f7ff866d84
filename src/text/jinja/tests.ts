/** Jinja2's tests, such as `is defined`. */
import { bind } from "./jinja-arguments.ts";
import {
  type Arguments,
  Callable,
  compare,
  contains,
  defined,
  equal,
  Float,
  Lazy,
  Loop,
  Namespace,
  numberOf,
  sizedItems,
  typeName,
  Undefined,
  type Value,
  View,
} from "./jinja-values.ts";
import { isFilter, isTest } from "./names.ts";
import { floorRemainder } from "./operators.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

/**
 * Evaluates a test.
 * @throws TemplateFault if the test fails, or if Ballast lacks this test of Jinja2
 */
export function passes(name: string, value: Value, args: Arguments): boolean {
  const simple = Object.hasOwn(tests, name) ? tests[name] : undefined;
  if (simple !== undefined) {
    bind(args, { of: `the test ${name}`, names: [] });
    return simple(value);
  }
  const binary = Object.hasOwn(comparisons, name) ? comparisons[name] : undefined;
  if (binary === undefined) return unsupported(`the test "${name}"`);
  const [other] = bind(args, { of: `the test ${name}`, names: ["other"], required: 1 });
  return binary(value, other!);
}

const isBoolean = (value: Value) => typeof value === "boolean";

const tests: Readonly<Record<string, (value: Value) => boolean>> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  string: (value) => typeof value === "string",
  number: (value) => numberOf(value) !== null,
  integer: (value) => typeof value === "number",
  float: (value) => value instanceof Float,
  boolean: isBoolean,
  true: (value) => value === true,
  false: (value) => value === false,
  mapping: (value) => value instanceof Map,
  iterable: (value) => value instanceof Lazy || value instanceof Loop || sizedItems(value) !== null,
  sequence: (value) => sizedItems(value) !== null && !(value instanceof View),
  // Python counts an undefined value as callable: calling it says what is missing.
  callable: (value) => value instanceof Callable || value instanceof Undefined || unlessLoop(value),
  filter: (value) => typeof value === "string" && isFilter(value),
  test: (value) => typeof value === "string" && isTest(value),
  even: (value) => remainder(value, 2) === 0,
  odd: (value) => remainder(value, 2) === 1,
};

function unlessLoop(value: Value): boolean {
  if (value instanceof Loop || value instanceof Namespace) unsupported("the test callable of this value");
  return false;
}

function remainder(value: Value, by: Value): number {
  const [x, y] = [numberOf(defined(value)), numberOf(defined(by))];
  if (typeof value === "string") unsupported("formatting with %");
  if (x === null || y === null) throw new TemplateFault(`'${typeName(value)}' has no remainder`);
  if (y === 0) throw new TemplateFault("division by zero");
  return floorRemainder(x, y);
}

const equals = (a: Value, b: Value) => equal(a, b);
const differs = (a: Value, b: Value) => !equal(a, b);
const less = (a: Value, b: Value) => compare(a, b) < 0;
const lessOrEqual = (a: Value, b: Value) => compare(a, b) <= 0;
const greater = (a: Value, b: Value) => compare(a, b) > 0;
const greaterOrEqual = (a: Value, b: Value) => compare(a, b) >= 0;

const comparisons: Readonly<Record<string, (value: Value, other: Value) => boolean>> = {
  divisibleby: (value, by) => remainder(value, by) === 0,
  in: (value, container) => contains(container, value),
  eq: equals,
  equalto: equals,
  ne: differs,
  lt: less,
  lessthan: less,
  le: lessOrEqual,
  gt: greater,
  greaterthan: greater,
  ge: greaterOrEqual,
};
