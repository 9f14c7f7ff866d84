/** Values as text, as Python's `str`, `repr` and `json.dumps` write them. */

import { Float, Lazy, Loop, Namespace, Range, Tuple, typeName, Undefined, type Value, View } from "./jinja-values.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

/** Python's `str`. */
export function textOf(value: Value): string {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? "" : reprOf(value);
}

function reprOf(value: Value): string {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return String(value);
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null) return "None";
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Undefined) return "Undefined";
  if (Array.isArray(value)) return `[${value.map(reprOf).join(", ")}]`;
  if (value instanceof Tuple) return `(${value.items.map(reprOf).join(", ")}${value.items.length === 1 ? "," : ""})`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${quoted(key)}: ${reprOf(item)}`).join(", ")}}`;
  return unsupported(`the text of a ${typeName(value)}`);
}

/** Quotes a text as Python does, with characters that are not printable as escapes. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\n\r\t]|[\p{C}\p{Z}]/gu, (character) => {
    if (character === " ") return character;
    const short = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0)!;
    if (code < 0x100) return `\\x${hex(code, 2)}`;
    return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}

const hex = (code: number, digits: number) => code.toString(16).padStart(digits, "0");

/** The shortest decimal that JavaScript finds, in Python's form. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16)
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  const text = exponent < 0 ? value.toFixed(mantissa.replace(/\D/g, "").length - 1 - exponent) : value.toString();
  return text.includes(".") ? text : `${text}.0`;
}

export interface JsonOptions {
  readonly ensureAscii: boolean;
  /** The indentation of one level; null for one line. */
  readonly indent: string | null;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/**
 * Python's `json.dumps`.
 * @throws TemplateFault for a value that JSON cannot express
 */
export function jsonOf(value: Value, options: JsonOptions, level = 0): string {
  if (typeof value === "string") return jsonString(value, options);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return String(value);
  if (value instanceof Float) return floatText(value.value).replace("inf", "Infinity").replace("nan", "NaN");
  const [itemSeparator, keySeparator] = options.separators;
  const around = (open: string, parts: readonly string[], close: string) => {
    if (parts.length === 0) return open + close;
    if (options.indent === null) return open + parts.join(itemSeparator) + close;
    const line = (depth: number) => `\n${options.indent!.repeat(depth)}`;
    return open + line(level + 1) + parts.join(itemSeparator + line(level + 1)) + line(level) + close;
  };
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    return around(
      "[",
      items.map((item) => jsonOf(item, options, level + 1)),
      "]",
    );
  }
  if (value instanceof Map) {
    const entries = [...value];
    if (options.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const parts = entries.map(
      ([key, item]) => jsonString(key, options) + keySeparator + jsonOf(item, options, level + 1),
    );
    return around("{", parts, "}");
  }
  if (
    value instanceof Range ||
    value instanceof View ||
    value instanceof Lazy ||
    value instanceof Loop ||
    value instanceof Namespace
  )
    throw new TemplateFault(`a ${typeName(value)} is not JSON serializable`);
  throw new TemplateFault(`Object of type ${typeName(value)} is not JSON serializable`);
}

function jsonString(text: string, { ensureAscii }: JsonOptions): string {
  if (/\p{Cs}/u.test(text)) unsupported("half a character");
  const json = JSON.stringify(text);
  return ensureAscii ? json.replace(/[\x7f-\uffff]/g, (unit) => `\\u${hex(unit.charCodeAt(0), 4)}`) : json;
}
