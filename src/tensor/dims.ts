/**
 * Dimensions of a tensor: numbers, or symbols such as "B" whose value is known only when the graph runs.
 *
 * A symbolic dimension is an atom ("B"), a product ("4*B*T") or a sum of these ("2*P+R+1"). Atoms are bound by the graph's inputs.
 */
import { GraphError } from "../util/errors.ts";

export type Dim = number | string;
export type Shape = readonly Dim[];

/** The product of dimensions in canonical form, so that equal products are equal strings. */
export function product(dims: Shape): Dim {
  let result: Polynomial = new Map([["", 1]]);
  for (const dim of dims) {
    const next = new Map<string, number>();
    for (const [a, m] of result) for (const [b, n] of parse(dim)) addTerm(next, monomial([a, b]), m * n);
    result = next;
  }
  return format(result);
}

/** The sum of dimensions in canonical form, so that equal sums are equal strings. */
export function sum(dims: Shape): Dim {
  const result = new Map<string, number>();
  for (const dim of dims) for (const [atoms, factor] of parse(dim)) addTerm(result, atoms, factor);
  return format(result);
}

/** A polynomial as coefficients by product of atoms; the constant term's key is "". */
type Polynomial = ReadonlyMap<string, number>;

function parse(dim: Dim): Polynomial {
  const result = new Map<string, number>();
  for (const term of String(dim).split("+")) {
    const parts = term.split("*");
    const factor = parts.filter(isNumber).reduce((product, part) => product * Number(part), 1);
    addTerm(result, monomial(parts.filter((part) => !isNumber(part))), factor);
  }
  return result;
}

/** Formats the terms in order, the number last. */
function format(polynomial: Polynomial): Dim {
  const terms = [...polynomial].filter(([atoms, factor]) => atoms !== "" && factor !== 0);
  const constant = polynomial.get("") ?? 0;
  if (terms.length === 0) return constant;
  const texts = terms.map(([atoms, factor]) => (factor === 1 ? atoms : `${factor}*${atoms}`));
  return [...texts.sort(), ...(constant === 0 ? [] : [String(constant)])].join("+");
}

function monomial(parts: readonly string[]): string {
  const atoms = parts.filter((part) => part !== "").flatMap((part) => part.split("*"));
  return atoms.sort().join("*");
}

function addTerm(polynomial: Map<string, number>, atoms: string, factor: number): void {
  polynomial.set(atoms, (polynomial.get(atoms) ?? 0) + factor);
}

function isNumber(part: string): boolean {
  return /^\d+$/.test(part);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

export function show(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** The shape of an elementwise result by NumPy's rule: align on the right, stretch axes of size 1. */
export function broadcast(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new GraphError(`${op}: shapes ${show(a)} and ${show(b)} do not broadcast: ${x} against ${y}`);
    }
    result.push(x === 1 ? y : x);
  }
  return result;
}

/** An axis counted from the end if negative, checked against the rank. */
export function axisOf(op: string, axis: number, shape: Shape): number {
  const normal = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(normal) || normal < 0 || normal >= shape.length) {
    throw new GraphError(`${op}: axis ${axis} is outside the shape ${show(shape)}`);
  }
  return normal;
}
