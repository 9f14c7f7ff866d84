/** The methods of Python's strings. */
import { bind, optionalText, textArgument, wholeArgument } from "./jinja-arguments.ts";
import { textOf } from "./jinja-text.ts";
import { type Arguments, charactersOf, itemsOf, Tuple, type Value } from "./jinja-values.ts";
import { pythonSpace } from "./lexer.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

/** Line ends of Python's `splitlines`. */
const lineEnd = "\\r\\n|[\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029]";
export const lineEnds = new RegExp(lineEnd);

/** A method of Python's strings; null if Ballast does not have it. */
export function stringMethod(text: string, name: string): ((args: Arguments) => Value) | null {
  const take = (args: Arguments, names: readonly string[], required = 0, byName = false) =>
    bind(args, { of: `str.${name}`, names, required, positionalOnly: !byName });
  switch (name) {
    case "upper":
    case "lower":
    case "capitalize":
    case "title":
      return (args) => {
        take(args, []);
        return { upper: upper, lower: lower, capitalize, title }[name](text);
      };
    case "strip":
    case "lstrip":
    case "rstrip":
      return (args) => {
        const [chars] = take(args, ["chars"]);
        return strip(text, {
          chars: optionalText(chars, `what ${name} removes`),
          left: name !== "rstrip",
          right: name !== "lstrip",
        });
      };
    case "startswith":
    case "endswith":
      return (args) => {
        const [affix, ...range] = take(args, ["prefix", "start", "end"], 1);
        if (range.some((bound) => bound !== undefined)) unsupported(`${name} with a range`);
        const affixes = affix instanceof Tuple ? affix.items : [affix];
        return affixes.some((one) => {
          const part = textArgument(one, `what ${name} looks for`);
          return name === "startswith" ? text.startsWith(part) : text.endsWith(part);
        });
      };
    case "split":
    case "rsplit":
      return (args) => {
        const [separator, most] = take(args, ["sep", "maxsplit"], 0, true);
        return split(text, {
          separator: optionalText(separator, "a separator"),
          most: most === undefined ? -1 : wholeArgument(most, "maxsplit"),
          fromRight: name === "rsplit",
        });
      };
    case "splitlines":
      return (args) => {
        take(args, []);
        const lines = text.split(lineEnds);
        if (lines.at(-1) === "") lines.pop();
        return lines;
      };
    case "replace":
      return (args) => {
        const [old, by, count] = take(args, ["old", "new", "count"], 2);
        const most = count === undefined ? -1 : wholeArgument(count, "a count");
        return replace(text, textArgument(old, "what is replaced"), textArgument(by, "what replaces it"), most);
      };
    case "join":
      return (args) => {
        const [parts] = take(args, ["iterable"], 1);
        return itemsOf(parts!)
          .map((part) => textArgument(part, "what join joins"))
          .join(text);
      };
    case "count":
    case "find":
      return (args) => {
        const [part, ...range] = take(args, ["sub", "start", "end"], 1);
        if (range.some((bound) => bound !== undefined)) unsupported(`${name} with a range`);
        const found = textArgument(part, `what ${name} looks for`);
        if (name === "count") return (found === "" ? charactersOf(text).length + 2 : text.split(found).length) - 1;
        const at = text.indexOf(found);
        return at === -1 ? -1 : charactersOf(text.slice(0, at)).length;
      };
    case "removeprefix":
    case "removesuffix":
      return (args) => {
        const affix = textArgument(take(args, ["affix"], 1)[0], `what ${name} removes`);
        if (affix === "") return text;
        if (name === "removeprefix") return text.startsWith(affix) ? text.slice(affix.length) : text;
        return text.endsWith(affix) ? text.slice(0, -affix.length) : text;
      };
    default:
      return null;
  }
}

export const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length;
export const upper = (text: string): string => text.toUpperCase();
export const lower = (text: string): string => text.toLowerCase();

/** The letters whose title case differs from their upper case. */
const titled = /[ßŉǄ-ǌǰǱ-ǳΐΰևა-ჿẖ-ẞὐ-ὖᾀ-῾ﬀ-ﬆﬓ-ﬗ]/;

export function capitalize(text: string): string {
  const [first = "", ...rest] = charactersOf(text);
  if (titled.test(first)) unsupported(`capitalising ${first}`);
  return first.toUpperCase() + rest.join("").toLowerCase();
}

function title(text: string): string {
  if (!isAscii(text)) unsupported("the method title of a text that is not ASCII");
  return text.replace(/[A-Za-z]+/g, (word) => capitalize(word));
}

export function strip(
  text: string,
  {
    chars,
    left = true,
    right = true,
  }: { readonly chars: string | null; readonly left?: boolean; readonly right?: boolean },
): string {
  const characters = charactersOf(text);
  const set = chars === null ? null : new Set(charactersOf(chars));
  const goes = (character: string) => (set === null ? isSpace.test(character) : set.has(character));
  let from = 0;
  let to = characters.length;
  while (left && from < to && goes(characters[from]!)) from++;
  while (right && to > from && goes(characters[to - 1]!)) to--;
  return characters.slice(from, to).join("");
}

const isSpace = new RegExp(`^[${pythonSpace}]$`);

export function replace(text: string, old: string, by: string, most: number): string {
  if (most < 0 && old !== "") return text.replaceAll(old, by.replaceAll("$", "$$$$"));
  const parts = old === "" ? ["", ...charactersOf(text), ""] : text.split(old);
  if (old === "" && text === "") return most === 0 ? "" : by;
  let left = most < 0 ? Number.POSITIVE_INFINITY : most;
  return parts.slice(1).reduce((joined, part) => joined + (left-- > 0 ? by : old) + part, parts[0]!);
}

function split(
  text: string,
  {
    separator,
    most,
    fromRight,
  }: { readonly separator: string | null; readonly most: number; readonly fromRight: boolean },
): string[] {
  if (separator === "") throw new TemplateFault("empty separator");
  if (separator === null && most >= 0) return splitSpaces(text, { most, fromRight });
  const parts =
    separator === null
      ? text.split(new RegExp(`[${pythonSpace}]+`)).filter((part) => part !== "")
      : text.split(separator);
  if (most < 0 || parts.length <= most + 1) return parts;
  if (fromRight) {
    const kept = parts.length - most;
    return [parts.slice(0, kept).join(separator!), ...parts.slice(kept)];
  }
  return [...parts.slice(0, most), parts.slice(most).join(separator!)];
}

/** Splits at runs of white space, at most a given number of times: the rest keeps its white space. */
function splitSpaces(
  text: string,
  { most, fromRight }: { readonly most: number; readonly fromRight: boolean },
): string[] {
  const parts: string[] = [];
  let rest = strip(text, { chars: null, left: !fromRight, right: fromRight });
  const cut = new RegExp(
    fromRight
      ? `^([\\s\\S]*)[${pythonSpace}]([^${pythonSpace}]+)$`
      : `^([^${pythonSpace}]+)[${pythonSpace}]+([\\s\\S]*)$`,
  );
  while (parts.length < most) {
    const found = cut.exec(rest);
    if (!found) break;
    parts.push(fromRight ? found[2]! : found[1]!);
    rest = strip(fromRight ? found[1]! : found[2]!, { chars: null, left: !fromRight, right: fromRight });
  }
  if (rest !== "") parts.push(rest);
  return fromRight ? parts.reverse() : parts;
}

/** Jinja2's filter `title`, which differs from the method with the same name. */
export function titleFilter(value: Value): string {
  return textOf(value)
    .split(new RegExp(`([-${pythonSpace}({[<]+)`))
    .filter((part) => part !== "")
    .map((part) => {
      const [first = "", ...rest] = charactersOf(part);
      return first.toUpperCase() + rest.join("").toLowerCase();
    })
    .join("");
}
