/** Jinja2's filters, and transformers' `tojson`. */
import { bind, optionalText, textArgument, wholeArgument } from "./jinja-arguments.ts";
import { jsonOf, textOf } from "./jinja-text.ts";
import {
  type Arguments,
  charactersOf,
  compare,
  defined,
  Float,
  isTrue,
  itemsOf,
  Lazy,
  numberOf,
  sizedItems,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./jinja-values.ts";
import { member } from "./members.ts";
import { isFilter } from "./names.ts";
import { operate } from "./operators.ts";
import { capitalize, isAscii, lineEnds, lower, replace, strip, titleFilter, upper } from "./strings.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";
import { passes } from "./tests.ts";

/**
 * Applies a filter.
 * @throws TemplateFault if the filter fails, or if Ballast lacks this filter of Jinja2
 */
export function applyFilter(name: string, value: Value, args: Arguments): Value {
  const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
  if (filter !== undefined) return filter(value, args);
  if (!isFilter(name)) throw new TemplateFault(`there is no filter "${name}"`);
  return unsupported(`the filter "${name}"`);
}

type Filter = (value: Value, args: Arguments) => Value;

const none =
  (of: string, filter: (value: Value) => Value): Filter =>
  (value, args) => {
    bind(args, { of, names: [] });
    return filter(value);
  };

const length = none("length", (value) => {
  const items = sizedItems(value);
  if (items === null) throw new TemplateFault(`object of type '${typeName(value)}' has no len()`);
  return items.length;
});

const fallback: Filter = (value, args) => {
  const [otherwise = "", boolean = false] = bind(args, { of: "default", names: ["default_value", "boolean"] });
  return value instanceof Undefined || (isTrue(boolean) && !isTrue(value)) ? otherwise : value;
};

const filters: Readonly<Record<string, Filter>> = {
  upper: none("upper", (value) => upper(textOf(value))),
  lower: none("lower", (value) => lower(textOf(value))),
  capitalize: none("capitalize", (value) => capitalize(textOf(value))),
  title: none("title", titleFilter),
  string: none("string", textOf),
  length,
  count: length,
  default: fallback,
  d: fallback,
  trim(value, args) {
    const [chars] = bind(args, { of: "trim", names: ["chars"] });
    return strip(textOf(value), { chars: optionalText(chars, "what trim removes") });
  },
  replace(value, args) {
    const [old, by, count] = bind(args, { of: "replace", names: ["old", "new", "count"], required: 2 });
    const most = count === undefined || count === null ? -1 : wholeArgument(count, "a count");
    return replace(textOf(value), textOf(old!), textOf(by!), most);
  },
  indent(value, args) {
    const [width = 4, first = false, blank = false] = bind(args, { of: "indent", names: ["width", "first", "blank"] });
    const by = typeof width === "string" ? width : " ".repeat(Math.max(0, wholeArgument(width, "a width")));
    const lines = `${textArgument(value, "what indent indents")}\n`.split("\n");
    if (lines.some((line) => lineEnds.test(line))) unsupported("indenting lines with other ends than \\n");
    if (lines.at(-1) === "") lines.pop();
    const indented = lines.map((line, i) =>
      (i > 0 || isTrue(first)) && (line !== "" || isTrue(blank)) ? by + line : line,
    );
    if (isTrue(first) && !isTrue(blank) && lines[0] === "") indented[0] = by;
    return indented.join("\n");
  },
  first: none("first", (value) => {
    const found = value instanceof Lazy ? value.takeFirst() : itemsOf(value)[0];
    return found === undefined ? new Undefined("there is no first item") : found;
  }),
  last: none("last", (value) => {
    const items = value instanceof Lazy ? null : itemsOf(value);
    if (items === null) throw new TemplateFault("'generator' object is not reversible");
    const found = items.at(-1);
    return found === undefined ? new Undefined("there is no last item") : found;
  }),
  list: none("list", (value) => [...itemsOf(value)]),
  items(value, args) {
    bind(args, { of: "items", names: [] });
    if (value instanceof Undefined) return new Lazy([]);
    if (!(value instanceof Map)) throw new TemplateFault("items needs a mapping");
    return new Lazy([...value].map((entry) => new Tuple(entry)));
  },
  reverse: none("reverse", (value) => {
    if (typeof value === "string") return charactersOf(value).reverse().join("");
    if (value instanceof Lazy) throw new TemplateFault("argument must be iterable");
    return new Lazy([...itemsOf(value)].reverse());
  }),
  join(value, args) {
    const [separator = "", by] = bind(args, { of: "join", names: ["d", "attribute"] });
    const items = itemsOf(value);
    const parts = by === undefined || by === null ? items : items.map((one) => lookUp(one, by));
    return parts.map(textOf).join(textOf(separator));
  },
  map(value, args) {
    const { positional, named } = args;
    if (positional.length === 0 && named.has("attribute")) {
      const otherwise = named.get("default");
      for (const name of named.keys())
        if (name !== "attribute" && name !== "default") throw new TemplateFault(`map takes no argument named ${name}`);
      return lazily(value, (items) =>
        items.map((one) => {
          const found = lookUp(one, named.get("attribute")!);
          return found instanceof Undefined && otherwise !== undefined && otherwise !== null ? otherwise : found;
        }),
      );
    }
    const [name, ...rest] = positional;
    if (name === undefined) throw new TemplateFault("map requires a filter argument");
    const inner = textArgument(name, "the filter of map");
    return lazily(value, (items) => items.map((one) => applyFilter(inner, one, { positional: rest, named })));
  },
  select: (value, args) => selected(value, args, { keeps: true, byAttribute: false }),
  reject: (value, args) => selected(value, args, { keeps: false, byAttribute: false }),
  selectattr: (value, args) => selected(value, args, { keeps: true, byAttribute: true }),
  rejectattr: (value, args) => selected(value, args, { keeps: false, byAttribute: true }),
  abs: none("abs", (value) => {
    const number = numberOf(defined(value));
    if (number === null) throw new TemplateFault(`bad operand type for abs(): '${typeName(value)}'`);
    return value instanceof Float ? new Float(Math.abs(number)) : Math.abs(number);
  }),
  int(value, args) {
    const [otherwise = 0, base = 10] = bind(args, { of: "int", names: ["default", "base"] });
    if (base !== 10) unsupported("int with a base");
    const number = wholeOf(value);
    return number === null ? otherwise : number;
  },
  float(value, args) {
    const [otherwise = new Float(0)] = bind(args, { of: "float", names: ["default"] });
    const number = typeof value === "string" ? decimalOf(value) : numberOf(value);
    if (value instanceof Undefined) defined(value);
    return number === null ? otherwise : new Float(number);
  },
  sum(value, args) {
    const [by, start = 0] = bind(args, { of: "sum", names: ["attribute", "start"] });
    const items = itemsOf(value);
    const terms = by === undefined || by === null ? items : items.map((one) => lookUp(one, by));
    return terms.reduce((total, term) => operate("+", total, term), start);
  },
  sort(value, args) {
    const [reverse = false, caseSensitive = false, by] = bind(args, {
      of: "sort",
      names: ["reverse", "case_sensitive", "attribute"],
    });
    if (typeof by === "string" && by.includes(",")) unsupported("sorting by several attributes");
    const key = (one: Value) => folded(by === undefined || by === null ? one : lookUp(one, by), isTrue(caseSensitive));
    const keyed = itemsOf(value).map((one) => ({ one, key: key(one) }));
    const sign = isTrue(reverse) ? -1 : 1;
    return keyed.sort((a, b) => sign * (compare(a.key, b.key) || 0)).map(({ one }) => one);
  },
  dictsort(value, args) {
    const [caseSensitive = false, by = "key", reverse = false] = bind(args, {
      of: "dictsort",
      names: ["case_sensitive", "by", "reverse"],
    });
    if (!(value instanceof Map)) throw new TemplateFault("dictsort needs a mapping");
    if (by !== "key" && by !== "value") throw new TemplateFault('dictsort sorts by "key" or "value"');
    const keyed = [...value].map((entry) => ({
      entry,
      key: folded(entry[by === "key" ? 0 : 1], isTrue(caseSensitive)),
    }));
    const sign = isTrue(reverse) ? -1 : 1;
    return keyed.sort((a, b) => sign * compare(a.key, b.key)).map(({ entry }) => new Tuple(entry));
  },
  unique(value, args) {
    const [caseSensitive = false, by] = bind(args, { of: "unique", names: ["case_sensitive", "attribute"] });
    const key = (one: Value) => folded(by === undefined || by === null ? one : lookUp(one, by), isTrue(caseSensitive));
    const seen = new Set<Value>();
    return new Lazy(
      itemsOf(value).filter((one) => {
        const found = key(one);
        if (typeof found !== "string" && typeof found !== "number")
          unsupported("unique of other values than texts and whole numbers");
        return !seen.has(found) && seen.add(found);
      }),
    );
  },
  tojson(value, args) {
    const [ascii = false, indent = null, separators = null, sortKeys = false] = bind(args, {
      of: "tojson",
      names: ["ensure_ascii", "indent", "separators", "sort_keys"],
    });
    const by =
      indent === null
        ? null
        : typeof indent === "string"
          ? indent
          : " ".repeat(Math.max(0, wholeArgument(indent, "an indent")));
    return jsonOf(value, {
      ensureAscii: isTrue(ascii),
      indent: by,
      separators: separators === null ? [by === null ? ", " : ",", ": "] : pairOfTexts(separators),
      sortKeys: isTrue(sortKeys),
    });
  },
};

/** A generator, which can be iterated once. It is evaluated eagerly, so that errors occur here. */
function lazily(value: Value, change: (items: readonly Value[]) => readonly Value[]): Lazy {
  return new Lazy(change(isTrue(value) ? itemsOf(value) : []));
}

function selected(
  value: Value,
  { positional, named }: Arguments,
  { keeps, byAttribute }: { readonly keeps: boolean; readonly byAttribute: boolean },
): Lazy {
  const [by, rest] = byAttribute ? [positional[0], positional.slice(1)] : [undefined, positional];
  if (byAttribute && by === undefined) throw new TemplateFault("Missing parameter for attribute name");
  const [test, ...args] = rest;
  return lazily(value, (items) =>
    items.filter((one) => {
      const subject = by === undefined ? one : lookUp(one, by);
      if (test === undefined) return isTrue(subject) === keeps;
      return passes(textArgument(test, "a test"), subject, { positional: args, named }) === keeps;
    }),
  );
}

/** Follows a path such as `a.b.0`, item by item. */
function lookUp(value: Value, by: Value): Value {
  const parts = typeof by === "string" ? by.split(".").map((part) => (/^\d+$/.test(part) ? Number(part) : part)) : [by];
  return parts.reduce<Value>((found, part) => member(found, part), value);
}

function folded(value: Value, caseSensitive: boolean): Value {
  return typeof value === "string" && !caseSensitive ? value.toLowerCase() : value;
}

/** Python's `int()` of a value, or of the result of `float()` for a text; null if both fail. */
function wholeOf(value: Value): number | null {
  const number = typeof value === "string" ? (integerOf(value) ?? decimalOf(value)) : numberOf(defined(value));
  if (number === null || !Number.isFinite(number)) return null;
  const whole = Math.trunc(number);
  if (!Number.isSafeInteger(whole)) unsupported(`a whole number beyond ${Number.MAX_SAFE_INTEGER}`);
  return whole === 0 ? 0 : whole;
}

function integerOf(text: string): number | null {
  const trimmed = strip(text, { chars: null });
  if (!isAscii(trimmed) && /\p{Nd}/u.test(trimmed)) unsupported("digits of other scripts");
  return /^[+-]?\d(?:_?\d)*$/.test(trimmed) ? Number(trimmed.replaceAll("_", "")) : null;
}

function decimalOf(text: string): number | null {
  const trimmed = strip(text, { chars: null }).replace(/(?<=\d)_(?=\d)/g, "");
  if (/^[+-]?(?:inf(?:inity)?|nan)$/i.test(trimmed))
    return /n$/i.test(trimmed) && !/inf/i.test(trimmed) ? Number.NaN : trimmed.startsWith("-") ? -Infinity : Infinity;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : null;
}

function pairOfTexts(value: Value): [string, string] {
  const items = value instanceof Tuple || Array.isArray(value) ? itemsOf(value) : [];
  if (items.length !== 2) throw new TemplateFault("separators are two texts");
  return [textArgument(items[0], "a separator"), textArgument(items[1], "a separator")];
}
