/** Python's operators. */
import type { BinaryOperator } from "./ast.ts";
import { charactersOf, defined, Float, numberOf, Range, Tuple, typeName, type Value } from "./jinja-values.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

export function operate(operator: BinaryOperator, a: Value, b: Value): Value {
  defined(a);
  defined(b);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== null && y !== null) {
    const isFloat = a instanceof Float || b instanceof Float;
    return arithmetic(operator, x, y, { isFloat });
  }
  if (operator === "+") {
    if (typeof a === "string" && typeof b === "string") return a + b;
    if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
    if (a instanceof Tuple && b instanceof Tuple) return new Tuple([...a.items, ...b.items]);
  }
  if (operator === "*") {
    const [sequence, count] = x === null ? [a, b] : [b, a];
    if (typeof count === "number" || typeof count === "boolean") {
      const times = Math.max(0, Number(count));
      if (typeof sequence === "string") return repeated(sequence, times);
      if (Array.isArray(sequence)) return repeatedItems(sequence, times);
      if (sequence instanceof Tuple) return new Tuple(repeatedItems(sequence.items, times));
    }
  }
  if (operator === "%" && typeof a === "string") unsupported("formatting with %");
  throw new TemplateFault(`unsupported operand types for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

/** The longest text in characters, and the longest list in items, that a template may make: more, above 30 MB, is a mistake. */
const longest = 1 << 24;

/**
 * Checks a length before a value is made.
 * @throws TemplateFault if a text or a list of this length is too long
 */
export function checkLength(length: number): void {
  if (length > longest) throw new TemplateFault(`a text or a list grows beyond ${longest} characters or items`);
}

function repeated(text: string, times: number): string {
  checkLength(text.length * times);
  return text.repeat(times);
}

function repeatedItems(items: readonly Value[], times: number): Value[] {
  checkLength(items.length * times);
  return Array.from({ length: items.length * times }, (_, i) => items[i % items.length]!);
}

function arithmetic(operator: BinaryOperator, x: number, y: number, { isFloat }: { isFloat: boolean }): Value {
  const result = (value: number) => (isFloat ? new Float(value) : whole(value));
  switch (operator) {
    case "+":
      return result(x + y);
    case "-":
      return result(x - y);
    case "*":
      return result(x * y);
    case "/":
      return new Float(x / divisor(y));
    case "//":
      return result(floorQuotient(x, divisor(y)));
    case "%":
      return result(floorRemainder(x, divisor(y)));
    case "**":
      return power(x, y, { isFloat });
  }
}

function divisor(y: number): number {
  if (y === 0) throw new TemplateFault("division by zero");
  return y;
}

function power(x: number, y: number, { isFloat }: { isFloat: boolean }): Value {
  if (isFloat || y < 0) unsupported("a power of other than whole numbers");
  let result = 1;
  if (Math.abs(x) < 2) return y === 0 ? 1 : whole(y % 2 === 0 ? x * x : x);
  for (let i = 0; i < y; i++) result = whole(result * x);
  return result;
}

function whole(value: number): number {
  if (!Number.isSafeInteger(value)) unsupported(`a whole number beyond ${Number.MAX_SAFE_INTEGER}`);
  return value === 0 ? 0 : value;
}

/** The remainder with the divisor's sign, as in Python (`float_rem` in floatobject.c). */
export function floorRemainder(x: number, y: number): number {
  const rest = x % y;
  if (rest === 0) return y < 0 ? -0 : 0;
  return rest < 0 === y < 0 ? rest : rest + y;
}

function floorQuotient(x: number, y: number): number {
  const quotient = (x - floorRemainder(x, y)) / y;
  if (quotient === 0) return x / y < 0 || Object.is(x / y, -0) ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

export function negate(operator: "-" | "+", value: Value): Value {
  defined(value);
  const number = numberOf(value);
  if (number === null) throw new TemplateFault(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  const result = operator === "-" ? -number : number;
  return value instanceof Float ? new Float(result) : result === 0 ? 0 : result;
}

/** Python's slice `[from:to:step]` of a sequence. */
export function slice(value: Value, parts: readonly Value[]): Value {
  const items = typeof value === "string" ? charactersOf(value) : value instanceof Tuple ? value.items : value;
  if (defined(value) instanceof Range) unsupported("a part of a range");
  if (!Array.isArray(items)) throw new TemplateFault(`'${typeName(value)}' object has no parts`);
  const whole = parts.map((part) => (typeof part === "boolean" ? Number(part) : part));
  if (!whole.every((part): part is number | null => part === null || typeof part === "number"))
    throw new TemplateFault("slice indices must be integers or None");
  const [from = null, to = null, by = null] = whole;
  const step = by ?? 1;
  if (step === 0) throw new TemplateFault("slice step cannot be zero");
  const [lowest, highest] = step > 0 ? [0, items.length] : [-1, items.length - 1];
  const place = (index: number | null, otherwise: number) =>
    index === null ? otherwise : Math.min(highest, Math.max(lowest, index < 0 ? index + items.length : index));
  const first = place(from, step > 0 ? lowest : highest);
  const end = place(to, step > 0 ? highest : lowest);
  const taken: Value[] = [];
  for (let i = first; step > 0 ? i < end : i > end; i += step) taken.push(items[i]!);
  if (typeof value === "string") return taken.join("");
  return value instanceof Tuple ? new Tuple(taken) : taken;
}
