/** Rendering a parsed template: scopes, statements and expressions. */

import type { Body, CallArguments, Expression, Parameter, Statement, Target } from "./ast.ts";
import { applyFilter } from "./filters.ts";
import { bind } from "./jinja-arguments.ts";
import { textOf } from "./jinja-text.ts";
import {
  type Arguments,
  Callable,
  compare,
  contains,
  type Dict,
  defined,
  equal,
  Float,
  isTrue,
  itemsOf,
  Loop,
  Namespace,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./jinja-values.ts";
import { attribute, member } from "./members.ts";
import { isOtherGlobal } from "./names.ts";
import { checkLength, negate, operate, slice } from "./operators.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";
import { passes } from "./tests.ts";

/** What a rendering may use: an amount far above any honest template, so that one that never ends becomes an error. */
export interface Budget {
  /** Remaining work: each expression and statement counts by the length of its value. */
  left: number;
}

class Scope {
  readonly #values = new Map<string, Value>();
  readonly #parent: Scope | null;
  constructor(parent: Scope | null) {
    this.#parent = parent;
  }
  get(name: string): Value | undefined {
    const value = this.#values.get(name);
    return value === undefined ? this.#parent?.get(name) : value;
  }
  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}

/**
 * Renders a template.
 * @throws TemplateFault if the template refuses, fails, uses something that Ballast does not support, or exceeds the budget
 */
export function renderBody(body: Body, globals: ReadonlyMap<string, Value>, budget: Budget): string {
  const scope = new Scope(null);
  for (const [name, value] of globals) scope.set(name, value);
  return new Renderer(budget).body(body, new Scope(scope)).text;
}

/** Rendered text. `jump` says that the surrounding loop must continue or end. */
interface Rendered {
  readonly text: string;
  readonly jump: "break" | "continue" | null;
}

class Renderer {
  readonly #budget: Budget;
  constructor(budget: Budget) {
    this.#budget = budget;
  }

  #spend(amount: number): void {
    this.#budget.left -= amount;
    if (this.#budget.left < 0) throw new TemplateFault("it does not come to an end");
  }

  body(body: Body, scope: Scope): Rendered {
    let text = "";
    for (const statement of body) {
      const { text: more, jump } = this.#statement(statement, scope);
      text += more;
      this.#spend(costOf(more));
      if (jump !== null) return { text, jump };
    }
    return { text, jump: null };
  }

  #statement(statement: Statement, scope: Scope): Rendered {
    const said = (text: string): Rendered => ({ text, jump: null });
    switch (statement.type) {
      case "text":
        return said(statement.text);
      case "print":
        return said(textOf(this.#evaluate(statement.value, scope)));
      case "if": {
        const branch = statement.branches.find(({ test }) => isTrue(this.#evaluate(test, scope)));
        return this.body(branch?.body ?? statement.otherwise, scope);
      }
      case "for":
        return this.#loop(statement, scope);
      case "set":
        assign(statement.target, this.#evaluate(statement.value, scope), scope);
        return said("");
      case "capture":
        assign(statement.target, this.body(statement.body, new Scope(scope)).text, scope);
        return said("");
      case "macro":
        scope.set(statement.name, this.#macro(statement.name, statement.parameters, statement.body, scope));
        return said("");
      case "scope":
        return said(this.body(statement.body, new Scope(scope)).text);
      case "break":
      case "continue":
        return { text: "", jump: statement.type };
    }
  }

  #loop(statement: Extract<Statement, { type: "for" }>, scope: Scope): Rendered {
    const { target, filter, body, otherwise } = statement;
    let items = itemsOf(this.#evaluate(statement.iterable, scope));
    if (filter !== null) {
      items = items.filter((item) => {
        const inner = new Scope(scope);
        inner.set("loop", new Undefined("the loop variable cannot be accessed in the loop's own filter"));
        assign(target, item, inner);
        return isTrue(this.#evaluate(filter, inner));
      });
    }
    let text = "";
    let completed = 0;
    for (const [i, item] of items.entries()) {
      const inner = new Scope(scope);
      inner.set("loop", new Loop({ items, index0: i }));
      assign(target, item, inner);
      const { text: more, jump } = this.body(body, inner);
      text += more;
      if (jump === "break") break;
      if (jump === null) completed++;
    }
    // As in Jinja2, an iteration that was broken off does not count.
    if (completed > 0) return { text, jump: null };
    const { text: more, jump } = this.body(otherwise, new Scope(scope));
    return { text: text + more, jump };
  }

  #macro(name: string, parameters: readonly Parameter[], body: Body, scope: Scope): Callable {
    const names = parameters.map((parameter) => parameter.name);
    return new Callable((args) => {
      const values = bind(args, { of: `macro '${name}'`, names });
      const inner = new Scope(scope);
      for (const [i, { name, fallback }] of parameters.entries()) {
        const given = values[i];
        if (given !== undefined) inner.set(name, given);
        else if (fallback !== null) inner.set(name, this.#evaluate(fallback, inner));
        else inner.set(name, new Undefined(`parameter '${name}' was not provided`));
      }
      return this.body(body, inner).text;
    });
  }

  #evaluate(expression: Expression, scope: Scope): Value {
    const value = this.#valueOf(expression, scope);
    this.#spend(costOf(value));
    return value;
  }

  #valueOf(expression: Expression, scope: Scope): Value {
    const evaluate = (inner: Expression) => this.#evaluate(inner, scope);
    switch (expression.type) {
      case "constant":
        return expression.value;
      case "float":
        return new Float(expression.value);
      case "name":
        return nameOf(expression.name, scope);
      case "list":
        return expression.items.map(evaluate);
      case "tuple":
        return new Tuple(expression.items.map(evaluate));
      case "dict":
        return new Map(expression.entries.map(([key, value]) => [keyOf(evaluate(key)), evaluate(value)]));
      case "unary": {
        const operand = evaluate(expression.operand);
        return expression.operator === "not" ? !isTrue(operand) : negate(expression.operator, operand);
      }
      case "and":
      case "or": {
        const left = evaluate(expression.left);
        return isTrue(left) === (expression.type === "or") ? left : evaluate(expression.right);
      }
      case "concat":
        return textOf(evaluate(expression.left)) + textOf(evaluate(expression.right));
      case "binary":
        return operate(expression.operator, evaluate(expression.left), evaluate(expression.right));
      case "compare": {
        let left = evaluate(expression.first);
        for (const [operator, operand] of expression.rest) {
          const right = evaluate(operand);
          if (!holds(operator, left, right)) return false;
          left = right;
        }
        return true;
      }
      case "if":
        if (isTrue(evaluate(expression.test))) return evaluate(expression.value);
        if (expression.otherwise !== null) return evaluate(expression.otherwise);
        return new Undefined("the inline if-expression evaluated to false and no else section was defined");
      case "attribute":
        return attribute(evaluate(expression.object), expression.name);
      case "item":
        return member(evaluate(expression.object), evaluate(expression.key));
      case "slice": {
        const object = evaluate(expression.object);
        const parts = expression.parts.map((part) => (part === null ? null : evaluate(part)));
        return slice(object, parts);
      }
      case "call": {
        const callee = defined(evaluate(expression.callee));
        if (!(callee instanceof Callable)) throw new TemplateFault(`'${typeName(callee)}' object is not callable`);
        return callee.call(this.#arguments(expression.args, scope));
      }
      case "filter":
        return applyFilter(expression.name, evaluate(expression.operand), this.#arguments(expression.args, scope));
      case "test":
        return passes(expression.name, evaluate(expression.operand), this.#arguments(expression.args, scope));
    }
  }

  #arguments({ positional, named }: CallArguments, scope: Scope): Arguments {
    return {
      positional: positional.map((value) => this.#evaluate(value, scope)),
      named: new Map(named.map(([name, value]) => [name, this.#evaluate(value, scope)])),
    };
  }
}

/** The cost of a value: 1, and more for a long one, since scanning 64 characters takes no longer than evaluating a name. */
function costOf(value: Value): number {
  if (typeof value !== "string" && !Array.isArray(value)) return 1;
  checkLength(value.length);
  return 1 + value.length / 64;
}

function nameOf(name: string, scope: Scope): Value {
  const value = scope.get(name);
  if (value !== undefined) return value;
  if (isOtherGlobal(name)) unsupported(`the name ${name}`);
  return new Undefined(`'${name}' is undefined`);
}

function keyOf(key: Value): string {
  return typeof key === "string" ? key : unsupported(`a dict's key that is a ${typeName(key)}`);
}

function holds(operator: string, a: Value, b: Value): boolean {
  switch (operator) {
    case "==":
      return equal(a, b);
    case "!=":
      return !equal(a, b);
    case "in":
      return contains(b, a);
    case "not in":
      return !contains(b, a);
    case "<":
      return compare(a, b) < 0;
    case "<=":
      return compare(a, b) <= 0;
    case ">":
      return compare(a, b) > 0;
    default:
      return compare(a, b) >= 0;
  }
}

function assign(target: Target, value: Value, scope: Scope): void {
  if (target.type === "name") scope.set(target.name, value);
  else if (target.type === "tuple") {
    const items = itemsOf(value);
    if (items.length !== target.names.length)
      throw new TemplateFault(`${items.length} values for the ${target.names.length} names ${target.names.join(", ")}`);
    for (const [i, name] of target.names.entries()) scope.set(name, items[i]!);
  } else {
    const object = nameOf(target.object, scope);
    if (!(object instanceof Namespace)) throw new TemplateFault("cannot assign attribute on non-namespace object");
    if (target.name.startsWith("_")) throw new TemplateFault(`a namespace takes no attribute '${target.name}'`);
    object.values.set(target.name, value);
  }
}

/** A dict of the named arguments, on top of at most one positional dict. */
export function dictOf({ positional, named }: Arguments, of: string): Dict {
  const [first] = positional;
  if (positional.length > 1 || (first !== undefined && !(first instanceof Map)))
    unsupported(`${of} of other arguments than one dict and names`);
  return new Map([...(first ?? []), ...named]);
}
