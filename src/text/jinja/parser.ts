/** Parsing a template's statements. */
import type { Body, Branch, Parameter, Statement, Target } from "./ast.ts";
import { parseExpression, parsePrimary, parseTuple, TokenStream } from "./expressions.ts";
import { tokenize } from "./lexer.ts";
import { unsupported } from "./template-fault.ts";

/** Statements of Jinja2 and its extensions that Ballast does not support; those it does are the cases below. */
const otherStatements = [
  "autoescape",
  "block",
  "call",
  "extends",
  "filter",
  "from",
  "import",
  "include",
  "raw",
  "with",
];

/**
 * Parses a template.
 * @throws TemplateFault with the line of what is wrong or not supported
 */
export function parse(source: string): Body {
  const stream = new TokenStream(tokenize(source));
  return parseBody(stream, [], { inLoop: false });
}

interface Place {
  /** Whether a `break` is inside a loop. */
  readonly inLoop: boolean;
}

/** Parses statements up to one of `ends`, whose name is then the current token, or to the template's end if `ends` is empty. */
function parseBody(stream: TokenStream, ends: readonly string[], place: Place): Body {
  const body: Statement[] = [];
  for (;;) {
    if (stream.is("eof")) {
      if (ends.length > 0) stream.fail(`${ends.map((end) => `{% ${end} %}`).join(" or ")} is expected`);
      return body;
    }
    if (stream.is("data")) body.push({ type: "text", text: stream.next().value });
    else if (stream.skip("print")) {
      body.push({ type: "print", value: parseTuple(stream) });
      stream.expect("end");
    } else {
      stream.expect("block");
      if (!stream.is("name")) stream.fail("a statement is expected");
      if (ends.includes(stream.current.value)) return body;
      body.push(parseStatement(stream, place));
    }
  }
}

/** Parses the body up to the tag that ends it, and skips that tag's name. */
function parseUntil(stream: TokenStream, end: string, place: Place): Body {
  stream.expect("end");
  const body = parseBody(stream, [end], place);
  stream.next();
  return body;
}

function parseScope(stream: TokenStream, end: string, place: Place): Body {
  return stream.within(false, () => parseUntil(stream, end, place));
}

function parseStatement(stream: TokenStream, place: Place): Statement {
  const { value: name } = stream.current;
  const statement = statementOf(stream, place);
  if (statement === null) {
    if (otherStatements.includes(name)) unsupported(`{% ${name} %}`);
    return stream.fail("a statement is expected");
  }
  stream.expect("end");
  return statement;
}

function statementOf(stream: TokenStream, place: Place): Statement | null {
  const { value: name } = stream.current;
  switch (name) {
    case "if":
      stream.next();
      return parseIf(stream, place);
    case "for":
      stream.next();
      return parseFor(stream, place);
    case "set":
      stream.next();
      return parseSet(stream);
    case "macro": {
      stream.next();
      const { value } = stream.expect("name");
      const parameters = parseParameters(stream);
      return { type: "macro", name: value, parameters, body: parseScope(stream, "endmacro", { inLoop: false }) };
    }
    case "generation":
      stream.next();
      // This statement comes from transformers: it marks the assistant's text, and renders it.
      return { type: "scope", body: parseScope(stream, "endgeneration", { inLoop: false }) };
    case "break":
    case "continue":
      if (!place.inLoop) stream.fail(`a loop is expected around {% ${name} %}`);
      stream.next();
      return { type: name };
    default:
      return null;
  }
}

function parseIf(stream: TokenStream, place: Place): Statement {
  const branches: Branch[] = [];
  let otherwise: Body = [];
  do {
    const test = stream.within(true, () => parseTuple(stream, { conditions: false }));
    stream.expect("end");
    branches.push({ test, body: stream.within(true, () => parseBody(stream, ["elif", "else", "endif"], place)) });
  } while (stream.skip("name", "elif"));
  if (stream.skip("name", "else")) otherwise = stream.within(true, () => parseUntil(stream, "endif", place));
  else stream.expect("name", "endif");
  return { type: "if", branches, otherwise };
}

function parseFor(stream: TokenStream, place: Place): Statement {
  const target = parseTarget(stream, { members: false });
  stream.expect("name", "in");
  const iterable = parseTuple(stream, { conditions: false });
  const filter = stream.skip("name", "if") ? parseExpression(stream) : null;
  if (stream.is("name", "recursive")) unsupported("a recursive loop");
  stream.expect("end");
  const body = stream.within(false, () => parseBody(stream, ["endfor", "else"], { inLoop: true }));
  const otherwise = stream.next().value === "else" ? parseScope(stream, "endfor", place) : [];
  return { type: "for", target, iterable, filter, body, otherwise };
}

function parseSet(stream: TokenStream): Statement {
  const target = parseTarget(stream, { members: true });
  if (stream.skip("operator", "=")) return { type: "set", target, value: parseTuple(stream) };
  if (stream.is("operator", "|")) unsupported("{% set %} with a filter");
  return { type: "capture", target, body: parseScope(stream, "endset", { inLoop: false }) };
}

function parseTarget(stream: TokenStream, { members }: { readonly members: boolean }): Target {
  const names: string[] = [];
  let isTuple = false;
  const parenthesised = stream.is("operator", "(");
  if (parenthesised) {
    const inside = parsePrimary(stream);
    const items = inside.type === "tuple" ? inside.items : [inside];
    for (const item of items) names.push(item.type === "name" ? item.name : stream.wrong("only names can be set"));
    isTuple = inside.type === "tuple";
  } else {
    do {
      if (isTuple && !stream.is("name")) break;
      const { value } = stream.expect("name");
      if (members && names.length === 0 && stream.skip("operator", "."))
        return { type: "member", object: value, name: stream.expect("name").value };
      names.push(value);
      if (stream.is("operator", ",")) isTuple = true;
    } while (stream.skip("operator", ","));
  }
  for (const name of names) {
    if (/^(?:[tT]rue|[fF]alse|[nN]one)$/.test(name)) stream.wrong(`${name} cannot be set`);
    // Jinja2 allows a loop's own variable to be shadowed only in some places.
    if (name === "loop") unsupported("a variable of the name loop");
  }
  return isTuple ? { type: "tuple", names } : { type: "name", name: names[0]! };
}

function parseParameters(stream: TokenStream): Parameter[] {
  stream.expect("operator", "(");
  const parameters: Parameter[] = [];
  while (!stream.skip("operator", ")")) {
    if (parameters.length > 0) stream.expect("operator", ",");
    const { value: name } = stream.expect("name");
    const fallback = stream.skip("operator", "=") ? parseExpression(stream) : null;
    if (fallback === null && parameters.at(-1)?.fallback)
      stream.wrong(`the parameter ${name} needs a default, as those before it have`);
    if (parameters.some((parameter) => parameter.name === name)) stream.wrong(`there are two parameters ${name}`);
    parameters.push({ name, fallback });
  }
  return parameters;
}
