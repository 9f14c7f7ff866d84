/** Splits a Jinja template into tokens, with Jinja2's rules for white space (`trim_blocks` and `lstrip_blocks` on, as in transformers). */
import { TemplateFault, unsupported } from "./template-fault.ts";

export interface Token {
  /** `data` is the text between tags; `block` and `print` open a tag and `end` closes it. */
  readonly type: "data" | "block" | "print" | "end" | "name" | "string" | "integer" | "float" | "operator" | "eof";
  /** The value; of a string, with its escapes resolved. */
  readonly value: string;
  readonly line: number;
}

/** Python's white space, for use in a character class: JavaScript's lacks some and includes U+FEFF. */
export const pythonSpace = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const spaces = new RegExp(`[${pythonSpace}]+`, "y");
const spacesAtEnd = new RegExp(`[${pythonSpace}]+$`);
const onlySpaces = new RegExp(`^[${pythonSpace}]+$`);
const float = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const integer = /[1-9](?:_?\d)*|0(?:_?0)*/y;
const name = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy;
const string = /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const operator = /\*\*|\/\/|==|!=|<=|>=|[+\-/*%~[\](){}<>=.:|,]/y;
const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

export function tokenize(template: string): Token[] {
  let source = template.replace(/\r\n?/g, "\n");
  if (source.endsWith("\n")) source = source.slice(0, -1);
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  /** Whether the last tag's end consumed the line break, so that this text begins a line. */
  let lineStarts = true;
  const skip = (to: number) => {
    for (let i = at; i < to; i++) if (source[i] === "\n") line++;
    at = to;
  };
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };

  while (at < source.length) {
    const open = source.slice(at).search(/\{[%{#]/);
    if (open === -1) {
      tokens.push({ type: "data", value: source.slice(at), line });
      break;
    }
    const tagAt = at + open;
    const kind = source[tagAt + 1]!;
    const sign = source[tagAt + 2];
    const text = textBefore(source.slice(at, tagAt), { kind, sign, lineStarts });
    if (text !== "") tokens.push({ type: "data", value: text, line });
    skip(tagAt + (sign === "-" || sign === "+" ? 3 : 2));
    if (kind === "#") {
      const end = source.indexOf("#}", at);
      if (end === -1) throw new TemplateFault("a comment has no end", line);
      const sign = end > at ? source[end - 1]! : "";
      lineStarts = closeTag(end + 2, sign);
      continue;
    }
    tokens.push({ type: kind === "%" ? "block" : "print", value: "", line });
    readTag(kind === "%" ? "%}" : "}}");
  }
  tokens.push({ type: "eof", value: "", line });
  return tokens;

  function readTag(end: string): void {
    const brackets: string[] = [];
    for (;;) {
      if (brackets.length === 0) {
        const sign = source[at] === "-" || (source[at] === "+" && end === "%}") ? source[at]! : "";
        if (source.startsWith(end, at + sign.length)) {
          tokens.push({ type: "end", value: end, line });
          lineStarts = closeTag(at + sign.length + end.length, sign, { newline: end === "%}" });
          return;
        }
      }
      if (at >= source.length) throw new TemplateFault("a tag has no end", line);
      const space = match(spaces);
      if (space !== undefined) {
        skip(at + space.length);
        continue;
      }
      readToken(brackets);
    }
  }

  function readToken(brackets: string[]): void {
    // After a dot a number is an index: `a.0.5` is not a decimal.
    const number = source[at - 1] === "." ? undefined : match(float);
    const found =
      (number !== undefined && ({ type: "float", value: number } as const)) ||
      firstOf([
        ["integer", integer],
        ["name", name],
        ["string", string],
        ["operator", operator],
      ]);
    if (!found) throw new TemplateFault(`unexpected ${JSON.stringify(source[at])}`, line);
    const { type, value } = found;
    const after = source[at + value.length] ?? "";
    if ((type === "integer" || type === "float") && /[\p{L}\p{N}_]/u.test(after))
      unsupported(`a number like ${value}${after}`);
    if (type === "operator") {
      if (closing[value] !== undefined) brackets.push(closing[value]);
      else if (value === ")" || value === "]" || value === "}") {
        if (brackets.pop() !== value) throw new TemplateFault(`unexpected "${value}"`, line);
      }
    }
    tokens.push({
      type,
      value:
        type === "string"
          ? readEscapes(value.slice(1, -1))
          : value.replaceAll(type === "float" || type === "integer" ? "_" : "\0", ""),
      line,
    });
    skip(at + value.length);
  }

  function firstOf(patterns: readonly (readonly [Token["type"], RegExp])[]) {
    for (const [type, pattern] of patterns) {
      const value = match(pattern);
      if (value !== undefined) return { type, value };
    }
    return null;
  }

  /** Moves past a tag's end and the white space that its sign removes; returns whether the last character was a line break. */
  function closeTag(end: number, sign: string, { newline = true } = {}): boolean {
    skip(end);
    if (sign === "-") {
      const space = match(spaces);
      if (space !== undefined) skip(at + space.length);
    } else if (sign !== "+" && newline && source[at] === "\n") skip(at + 1);
    return source[at - 1] === "\n";
  }
}

function textBefore(
  text: string,
  {
    kind,
    sign,
    lineStarts,
  }: { readonly kind: string; readonly sign: string | undefined; readonly lineStarts: boolean },
): string {
  if (sign === "-") return text.replace(spacesAtEnd, "");
  if (sign === "+" || kind === "{") return text;
  const lineAt = text.lastIndexOf("\n") + 1;
  const indented = (lineAt > 0 || lineStarts) && onlySpaces.test(text.slice(lineAt));
  return indented ? text.slice(0, lineAt) : text;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Resolves Python's escapes; any other backslash is kept. */
function readEscapes(text: string): string {
  return text.replace(/\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[0-7]{1,3}|.)/gis, (whole, code: string) => {
    const simple = simpleEscapes[code];
    if (simple !== undefined) return simple;
    const first = code[0]!;
    if (/^[0-7]/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8));
    if ("xuU".includes(first) && code.length > 1) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    if ("xuUN".includes(first)) return unsupported(`the escape \\${first}`);
    return whole;
  });
}
