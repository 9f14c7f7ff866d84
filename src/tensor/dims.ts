/**
 * Dimensions of a tensor: numbers, or symbols such as "B" whose value is known only when the graph runs.
 *
 * A symbolic dimension is an atom ("B"), a product ("4*B*T") or a sum ("P+1"). Atoms are bound by the graph's inputs.
 */
import { GraphError } from "../util/errors.ts";

export type Dim = number | string;
export type Shape = readonly Dim[];

/** The product of dimensions in canonical form: the number first, atoms sorted. */
export function product(dims: Shape): Dim {
  let factor = 1;
  const atoms: string[] = [];
  for (const dim of dims) {
    if (typeof dim === "number") {
      factor *= dim;
      continue;
    }
    for (const part of isSum(dim) ? [dim] : dim.split("*")) {
      if (/^\d+$/.test(part)) factor *= Number(part);
      else atoms.push(part);
    }
  }
  if (atoms.length === 0 || factor === 0) return factor;
  return [...(factor === 1 ? [] : [String(factor)]), ...atoms.sort()].join("*");
}

/** The sum of dimensions; atoms in order, numbers added up at the end. */
export function sum(dims: Shape): Dim {
  let constant = 0;
  const terms: string[] = [];
  for (const dim of dims) {
    if (typeof dim === "number") constant += dim;
    else
      for (const term of dim.split("+")) {
        if (/^\d+$/.test(term)) constant += Number(term);
        else terms.push(term);
      }
  }
  if (terms.length === 0) return constant;
  return [...terms, ...(constant === 0 ? [] : [String(constant)])].join("+");
}

function isSum(dim: string): boolean {
  return dim.includes("+");
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

export function show(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** The shape of an elementwise result, by NumPy's rule: align right, a 1 stretches. */
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
