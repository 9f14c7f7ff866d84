/** Parses expressions as Jinja2's parser does, one precedence level after another. */
import type { BinaryOperator, CallArguments, Comparison, Expression } from "./ast.ts";
import type { Token } from "./lexer.ts";
import { isFilter, isTest } from "./names.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

/** A cursor over a list of tokens. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;
  /** Whether an unknown filter or test is an error only when it is reached, as inside an `if`. */
  lenient = false;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }
  get current(): Token {
    return this.#tokens[this.#at]!;
  }
  get following(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)]!;
  }
  is(type: Token["type"], value?: string): boolean {
    return this.current.type === type && (value === undefined || this.current.value === value);
  }
  next(): Token {
    const token = this.current;
    if (token.type !== "eof") this.#at++;
    return token;
  }
  skip(type: Token["type"], value?: string): boolean {
    if (!this.is(type, value)) return false;
    this.next();
    return true;
  }
  expect(type: Token["type"], value?: string): Token {
    if (!this.is(type, value)) this.fail(`${value === undefined ? `a ${type}` : `"${value}"`} is expected`);
    return this.next();
  }
  /** Runs `parse`, reporting unknown names when they are reached (`lenient`) or at once. */
  within<Result>(lenient: boolean, parse: () => Result): Result {
    const outer = this.lenient;
    this.lenient = lenient;
    const result = parse();
    this.lenient = outer;
    return result;
  }
  /** Fails because of what precedes the current token. */
  wrong(problem: string): never {
    throw new TemplateFault(problem, this.current.line);
  }
  /** Fails because the current token is not what the syntax needs. */
  fail(problem: string): never {
    const { type, value, line } = this.current;
    throw new TemplateFault(`${problem}, not ${value === "" || type === "data" ? type : JSON.stringify(value)}`, line);
  }
}

/** Parses one expression, or several separated by commas, which form a tuple. `conditions: false` leaves `a if b` to a loop. */
export function parseTuple(stream: TokenStream, { conditions = true } = {}): Expression {
  return tupleOf(stream, { parse: () => (conditions ? parseExpression(stream) : parseOr(stream)), mayBeEmpty: false });
}

export function parseExpression(stream: TokenStream): Expression {
  let value = parseOr(stream);
  while (stream.skip("name", "if")) {
    const test = parseOr(stream);
    const otherwise = stream.skip("name", "else") ? parseExpression(stream) : null;
    value = { type: "if", test, value, otherwise };
  }
  return value;
}

function tupleOf(
  stream: TokenStream,
  { parse, mayBeEmpty }: { readonly parse: () => Expression; readonly mayBeEmpty: boolean },
): Expression {
  const items: Expression[] = [];
  let isTuple = false;
  for (;;) {
    if (items.length > 0) stream.expect("operator", ",");
    if (stream.is("end") || stream.is("operator", ")")) break;
    items.push(parse());
    if (!stream.is("operator", ",")) break;
    isTuple = true;
  }
  if (!isTuple && items.length === 1) return items[0]!;
  if (!isTuple && !mayBeEmpty) stream.fail("an expression is expected");
  return { type: "tuple", items };
}

function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  while (stream.skip("name", "or")) left = { type: "or", left, right: parseAnd(stream) };
  return left;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  while (stream.skip("name", "and")) left = { type: "and", left, right: parseNot(stream) };
  return left;
}

function parseNot(stream: TokenStream): Expression {
  if (stream.skip("name", "not")) return { type: "unary", operator: "not", operand: parseNot(stream) };
  return parseComparison(stream);
}

const comparisons: readonly string[] = ["==", "!=", "<", "<=", ">", ">="];

function parseComparison(stream: TokenStream): Expression {
  const first = parseSum(stream);
  const rest: [Comparison, Expression][] = [];
  for (;;) {
    if (stream.is("operator") && comparisons.includes(stream.current.value))
      rest.push([stream.next().value as Comparison, parseSum(stream)]);
    else if (stream.skip("name", "in")) rest.push(["in", parseSum(stream)]);
    else if (stream.is("name", "not") && stream.following.type === "name" && stream.following.value === "in") {
      stream.next();
      stream.next();
      rest.push(["not in", parseSum(stream)]);
    } else return rest.length === 0 ? first : { type: "compare", first, rest };
  }
}

function binary(stream: TokenStream, operators: readonly string[], operand: () => Expression): Expression {
  let left = operand();
  while (stream.is("operator") && operators.includes(stream.current.value))
    left = { type: "binary", operator: stream.next().value as BinaryOperator, left, right: operand() };
  return left;
}

const parseSum = (stream: TokenStream) => binary(stream, ["+", "-"], () => parseConcatenation(stream));

function parseConcatenation(stream: TokenStream): Expression {
  let left = parseProduct(stream);
  while (stream.skip("operator", "~")) left = { type: "concat", left, right: parseProduct(stream) };
  return left;
}

const parseProduct = (stream: TokenStream) => binary(stream, ["*", "/", "//", "%"], () => parsePower(stream));

const parsePower = (stream: TokenStream) => binary(stream, ["**"], () => parseUnary(stream));

function parseUnary(stream: TokenStream, { filters = true } = {}): Expression {
  let value: Expression;
  if (stream.is("operator", "-") || stream.is("operator", "+")) {
    const operator = stream.next().value as "-" | "+";
    value = { type: "unary", operator, operand: parseUnary(stream, { filters: false }) };
  } else value = parsePrimary(stream);
  value = parsePostfix(stream, value);
  return filters ? parseFiltersAndTests(stream, value) : value;
}

export function parsePrimary(stream: TokenStream): Expression {
  const { type, value } = stream.current;
  if (type === "name") {
    stream.next();
    if (/^[tT]rue$|^[fF]alse$/.test(value)) return { type: "constant", value: value.toLowerCase() === "true" };
    return /^[nN]one$/.test(value) ? { type: "constant", value: null } : { type: "name", name: value };
  }
  if (type === "string") {
    let text = stream.next().value;
    while (stream.is("string")) text += stream.next().value;
    return { type: "constant", value: text };
  }
  if (type === "integer" || type === "float") {
    stream.next();
    const number = Number(value);
    if (type === "float") return { type: "float", value: number };
    if (!Number.isSafeInteger(number)) unsupported(`the number ${value}`);
    return { type: "constant", value: number };
  }
  if (stream.skip("operator", "(")) {
    const inside = tupleOf(stream, { parse: () => parseExpression(stream), mayBeEmpty: true });
    stream.expect("operator", ")");
    return inside;
  }
  if (stream.skip("operator", "[")) {
    return { type: "list", items: separated(stream, "]", () => parseExpression(stream)) };
  }
  if (stream.skip("operator", "{")) {
    const entry = (): [Expression, Expression] => {
      const key = parseExpression(stream);
      stream.expect("operator", ":");
      return [key, parseExpression(stream)];
    };
    return { type: "dict", entries: separated(stream, "}", entry) };
  }
  return stream.fail("an expression is expected");
}

/** Items separated by commas, with an optional trailing comma. */
function separated<Item>(stream: TokenStream, end: string, parse: () => Item): Item[] {
  const items: Item[] = [];
  while (!stream.is("operator", end)) {
    if (items.length > 0) {
      stream.expect("operator", ",");
      if (stream.is("operator", end)) break;
    }
    items.push(parse());
  }
  stream.next();
  return items;
}

function parsePostfix(stream: TokenStream, object: Expression): Expression {
  for (;;) {
    if (stream.skip("operator", ".")) {
      const { type, value } = stream.next();
      if (type === "name") object = { type: "attribute", object, name: value };
      else if (type === "integer") object = { type: "item", object, key: { type: "constant", value: Number(value) } };
      else stream.wrong('a name is expected after "."');
    } else if (stream.skip("operator", "[")) object = parseSubscript(stream, object);
    else if (stream.is("operator", "(")) object = { type: "call", callee: object, args: parseArguments(stream) };
    else return object;
  }
}

function parseSubscript(stream: TokenStream, object: Expression): Expression {
  const part = () => (stream.is("operator", ":") || stream.is("operator", "]") ? null : parseExpression(stream));
  const first = part();
  if (first !== null && !stream.is("operator", ":")) {
    if (stream.is("operator", ",")) unsupported("an index of several values");
    stream.expect("operator", "]");
    return { type: "item", object, key: first };
  }
  stream.expect("operator", ":");
  const parts = [first, part()];
  parts.push(stream.skip("operator", ":") ? part() : null);
  stream.expect("operator", "]");
  return { type: "slice", object, parts };
}

function parseArguments(stream: TokenStream): CallArguments {
  stream.expect("operator", "(");
  const positional: Expression[] = [];
  const named: [string, Expression][] = [];
  separated(stream, ")", () => {
    if (stream.is("operator", "*") || stream.is("operator", "**")) unsupported("a call with * or **");
    if (stream.is("name") && stream.following.type === "operator" && stream.following.value === "=") {
      const key = stream.next().value;
      stream.next();
      if (named.some(([name]) => name === key)) stream.wrong(`the argument ${key} is given twice`);
      named.push([key, parseExpression(stream)]);
    } else if (named.length > 0) stream.fail("a named argument is expected");
    else positional.push(parseExpression(stream));
  });
  return { positional, named };
}

function parseFiltersAndTests(stream: TokenStream, operand: Expression): Expression {
  for (;;) {
    if (stream.skip("operator", "|")) {
      const { value: name } = stream.expect("name");
      if (!isFilter(name) && !stream.lenient) stream.wrong(`there is no filter "${name}"`);
      const args = stream.is("operator", "(") ? parseArguments(stream) : noArguments;
      operand = { type: "filter", operand, name, args };
    } else if (stream.skip("name", "is")) operand = parseTest(stream, operand);
    else if (stream.is("operator", "(")) operand = { type: "call", callee: operand, args: parseArguments(stream) };
    else return operand;
  }
}

const noArguments: CallArguments = { positional: [], named: [] };

function parseTest(stream: TokenStream, operand: Expression): Expression {
  const negated = stream.skip("name", "not");
  const { value: name } = stream.expect("name");
  if (!isTest(name) && !stream.lenient) stream.wrong(`there is no test "${name}"`);
  let args = noArguments;
  if (stream.is("operator", "(")) args = parseArguments(stream);
  else if (beginsArgument(stream.current)) {
    if (stream.is("name", "is")) stream.fail("one test after another needs parentheses");
    args = { positional: [parsePostfix(stream, parsePrimary(stream))], named: [] };
  }
  const test: Expression = { type: "test", operand, name, args };
  return negated ? { type: "unary", operator: "not", operand: test } : test;
}

function beginsArgument({ type, value }: Token): boolean {
  if (type === "name") return value !== "else" && value !== "or" && value !== "and";
  return ["string", "integer", "float"].includes(type) || (type === "operator" && "([{".includes(value));
}
