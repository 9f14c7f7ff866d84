/** Binds the arguments of a call to the names of its parameters. */

import { type Arguments, numberOf, typeName, type Value } from "./jinja-values.ts";
import { TemplateFault } from "./template-fault.ts";

/**
 * The values in the parameters' order, undefined for a parameter that is not given.
 * @param names the parameters; those before `positionalOnly` cannot be given by name
 * @throws TemplateFault if there are more arguments than parameters, or a name that no parameter has
 */
export function bind(
  { positional, named }: Arguments,
  {
    of,
    names,
    required = 0,
    positionalOnly = false,
  }: {
    readonly of: string;
    readonly names: readonly string[];
    readonly required?: number;
    readonly positionalOnly?: boolean;
  },
): (Value | undefined)[] {
  if (positional.length > names.length)
    throw new TemplateFault(`${of} takes ${names.length} arguments, ${positional.length} are given`);
  const values: (Value | undefined)[] = names.map((_, i) => positional[i]);
  for (const [name, value] of named) {
    const at = names.indexOf(name);
    if (at === -1 || positionalOnly) throw new TemplateFault(`${of} takes no argument named ${name}`);
    if (values[at] !== undefined) throw new TemplateFault(`${of} is given ${name} twice`);
    values[at] = value;
  }
  for (let i = 0; i < required; i++)
    if (values[i] === undefined) throw new TemplateFault(`${of} needs the argument ${names[i]}`);
  return values;
}

export function textArgument(value: Value | undefined, what: string): string {
  if (typeof value === "string") return value;
  throw new TemplateFault(`${what} must be a text, not ${typeName(value ?? null)}`);
}

/** A text, or null for Python's None. */
export function optionalText(value: Value | undefined, what: string): string | null {
  return value === undefined || value === null ? null : textArgument(value, what);
}

export function wholeArgument(value: Value | undefined, what: string): number {
  if (typeof value === "number" || typeof value === "boolean") return numberOf(value)!;
  throw new TemplateFault(`${what} must be a whole number, not ${typeName(value ?? null)}`);
}
