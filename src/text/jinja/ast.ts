/** The syntax of the subset of Jinja that Ballast renders. No code. */

export type Expression =
  | { readonly type: "constant"; readonly value: string | number | boolean | null }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "list" | "tuple"; readonly items: readonly Expression[] }
  | { readonly type: "dict"; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly type: "unary"; readonly operator: "not" | "-" | "+"; readonly operand: Expression }
  | { readonly type: "and" | "or" | "concat"; readonly left: Expression; readonly right: Expression }
  | {
      readonly type: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly type: "compare";
      readonly first: Expression;
      readonly rest: readonly (readonly [Comparison, Expression])[];
    }
  | {
      readonly type: "if";
      readonly test: Expression;
      readonly value: Expression;
      readonly otherwise: Expression | null;
    }
  | { readonly type: "attribute"; readonly object: Expression; readonly name: string }
  | { readonly type: "item"; readonly object: Expression; readonly key: Expression }
  | { readonly type: "slice"; readonly object: Expression; readonly parts: readonly (Expression | null)[] }
  | { readonly type: "call"; readonly callee: Expression; readonly args: CallArguments }
  | {
      readonly type: "filter" | "test";
      readonly operand: Expression;
      readonly name: string;
      readonly args: CallArguments;
    };

export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**";
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

export interface CallArguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
}

/** What a `for` or a `set` assigns to. */
export type Target =
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "tuple"; readonly names: readonly string[] }
  | { readonly type: "member"; readonly object: string; readonly name: string };

export interface Parameter {
  readonly name: string;
  readonly fallback: Expression | null;
}

export type Statement =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "print"; readonly value: Expression }
  | { readonly type: "if"; readonly branches: readonly Branch[]; readonly otherwise: Body }
  | {
      readonly type: "for";
      readonly target: Target;
      readonly iterable: Expression;
      readonly filter: Expression | null;
      readonly body: Body;
      readonly otherwise: Body;
    }
  | { readonly type: "set"; readonly target: Target; readonly value: Expression }
  | { readonly type: "capture"; readonly target: Target; readonly body: Body }
  | { readonly type: "macro"; readonly name: string; readonly parameters: readonly Parameter[]; readonly body: Body }
  | { readonly type: "scope"; readonly body: Body }
  | { readonly type: "break" | "continue" };

export type Body = readonly Statement[];
export type Branch = { readonly test: Expression; readonly body: Body };
