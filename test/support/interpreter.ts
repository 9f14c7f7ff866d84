/**
 * A slow, obvious float64 interpreter of tensor graphs: the reference against which ONNX Runtime's results and the gradient rules are tested. Its
 * table is total over the ops, so that a new op does not compile without its meaning.
 */
import type { Dim, Shape } from "../../src/tensor/dims.ts";
import { type LoopAttributes, type OpName, type Tensor, topological } from "../../src/tensor/graph.ts";

/** Numbers with a shape, row-major; booleans are 0 and 1. */
export interface Grid {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Scope {
  readonly values: Map<Tensor, readonly Grid[]>;
  readonly symbols: Map<string, number>;
  readonly feeds: Readonly<Record<string, Grid>>;
}

type Meaning<K extends OpName> = (y: Tensor<K>, inputs: readonly Grid[], scope: Scope) => Grid | readonly Grid[];

/** The values of tensors, given those of the graph's inputs by name. */
export function evaluate(outputs: readonly Tensor[], feeds: Readonly<Record<string, Grid>>): Grid[] {
  const symbols = new Map<string, number>();
  for (const tensor of topological(outputs)) {
    if (tensor.op === "input") bind(tensor.shape, feeds[(tensor as Tensor<"input">).attributes.name], symbols);
  }
  return run(outputs, { values: new Map(), symbols, feeds });
}

function run(outputs: readonly Tensor[], scope: Scope): Grid[] {
  for (const tensor of topological(outputs)) {
    if (scope.values.has(tensor)) continue;
    const inputs = tensor.inputs.map((x) => scope.values.get(x)![0]!);
    const result = (meanings[tensor.op] as Meaning<OpName>)(tensor, inputs, scope);
    scope.values.set(tensor, Array.isArray(result) ? result : [result as Grid]);
  }
  return outputs.map((tensor) => scope.values.get(tensor)![0]!);
}

function bind(shape: Shape, grid: Grid | undefined, symbols: Map<string, number>): void {
  for (const [i, dim] of shape.entries()) {
    if (typeof dim === "string" && /^\w+$/.test(dim)) symbols.set(dim, grid!.shape[i]!);
  }
}

function sizeOf(dim: Dim, { symbols }: Scope): number {
  if (typeof dim === "number") return dim;
  const atom = (text: string) => (/^\d+$/.test(text) ? Number(text) : symbols.get(text)!);
  const terms = dim.split("+").map((term) => term.split("*").reduce((product, text) => product * atom(text), 1));
  return terms.reduce((total, term) => total + term, 0);
}

const sizes = (shape: Shape, scope: Scope): number[] => shape.map((dim) => sizeOf(dim, scope));

/** A grid built from the value at each index. */
function build(shape: readonly number[], value: (index: number[]) => number): Grid {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Array.from({ length: count }, (_, flat) => {
    const index = shape.map(() => 0);
    for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return value(index);
  });
  return { shape, data };
}

/** The entry at an index, which may have additional axes in front; an axis of size 1 is read at 0: broadcasting. */
function at({ shape, data }: Grid, index: readonly number[]): number {
  const lead = index.length - shape.length;
  return data[shape.reduce((flat, size, axis) => flat * size + (size === 1 ? 0 : index[lead + axis]!), 0)]!;
}

const elementwise =
  (f: (...xs: number[]) => number): Meaning<OpName> =>
  (y, inputs, scope) =>
    build(sizes(y.shape, scope), (index) => f(...inputs.map((x) => at(x, index))));

/** Applies a function to each row along the last axis. */
function byRow(x: Grid, f: (row: number[]) => number[], shape = x.shape): Grid {
  const width = x.shape.at(-1)!;
  const rows = Array.from({ length: x.data.length / width }, (_, i) => x.data.slice(i * width, (i + 1) * width));
  return { shape, data: rows.flatMap(f) };
}

const total = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);

function logSoftmax(row: readonly number[]): number[] {
  const top = Math.max(...row);
  const logSum = top + Math.log(total(row.map((x) => Math.exp(x - top))));
  return row.map((x) => x - logSum);
}

const reduction =
  (f: (xs: number[]) => number): Meaning<"sum" | "max"> =>
  (y, [x], scope) => {
    const { axes, keepDims } = y.attributes;
    return build(sizes(y.shape, scope), (index) => {
      const kept = keepDims ? index.filter((_, i) => !axes.includes(i)) : index;
      const members: number[] = [];
      build(x!.shape, (from) => {
        if (from.filter((_, i) => !axes.includes(i)).every((i, axis) => i === kept[axis])) members.push(at(x!, from));
        return 0;
      });
      return f(members);
    });
  };

const replaced = (index: readonly number[], axis: number, value: number): number[] =>
  index.map((i, a) => (a === axis ? value : i));

const meanings: { readonly [K in OpName]: Meaning<K> } = {
  input: (y, _, { feeds }) => feeds[y.attributes.name]!,
  constant: (y, _, scope) => ({ shape: sizes(y.shape, scope), data: y.attributes.values }),
  add: elementwise((a, b) => a! + b!),
  sub: elementwise((a, b) => a! - b!),
  mul: elementwise((a, b) => a! * b!),
  div: elementwise((a, b) => a! / b!),
  maximum: elementwise((a, b) => Math.max(a!, b!)),
  minimum: elementwise((a, b) => Math.min(a!, b!)),
  neg: elementwise((x) => -x!),
  exp: elementwise((x) => Math.exp(x!)),
  log: elementwise((x) => Math.log(x!)),
  sqrt: elementwise((x) => Math.sqrt(x!)),
  tanh: elementwise((x) => Math.tanh(x!)),
  // Abramowitz and Stegun 7.1.5, the series; it converges for every x, and is exact enough below 6.
  erf: elementwise((x) => {
    if (Math.abs(x!) > 6) return Math.sign(x!);
    let [term, sum] = [x!, x!];
    for (let n = 1; n < 200; n++) {
      term *= -(x! * x!) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }),
  cos: elementwise((x) => Math.cos(x!)),
  sin: elementwise((x) => Math.sin(x!)),
  sigmoid: elementwise((x) => 1 / (1 + Math.exp(-x!))),
  softplus: elementwise((x) => Math.max(x!, 0) + Math.log1p(Math.exp(-Math.abs(x!)))),
  less: elementwise((a, b) => Number(a! < b!)),
  equal: elementwise((a, b) => Number(a === b)),
  and: elementwise((a, b) => a! * b!),
  not: elementwise((a) => 1 - a!),
  where: elementwise((condition, a, b) => (condition === 1 ? a! : b!)),
  cast: (y, [x], scope) =>
    elementwise((v) => (y.dtype === "bool" ? Number(v !== 0) : y.dtype.startsWith("float") ? v! : Math.trunc(v!)))(
      y,
      [x!],
      scope,
    ),
  stopGradient: (_, [x]) => x!,
  sum: reduction(total),
  max: reduction((xs) => Math.max(...xs)),
  argmax: (_, [x]) => byRow(x!, (row) => [row.indexOf(Math.max(...row))], x!.shape.slice(0, -1)),
  cumsum: (_, [x]) => byRow(x!, (row) => row.map((_, i) => total(row.slice(0, i + 1)))),
  reshape: (y, [x], scope) => ({ shape: sizes(y.shape, scope), data: x!.data }),
  expand: elementwise((x) => x!),
  transpose: (y, [x], scope) =>
    build(sizes(y.shape, scope), (index) => {
      const from = index.map(() => 0);
      for (const [to, axis] of y.attributes.permutation.entries()) from[axis] = index[to]!;
      return at(x!, from);
    }),
  slice: (y, [x], scope) => {
    const { axis, start } = y.attributes;
    return build(sizes(y.shape, scope), (index) => at(x!, replaced(index, axis, index[axis]! + start)));
  },
  concat: (y, parts, scope) => {
    const { axis } = y.attributes;
    return build(sizes(y.shape, scope), (index) => {
      let i = index[axis]!;
      for (const part of parts) {
        if (i < part.shape[axis]!) return at(part, replaced(index, axis, i));
        i -= part.shape[axis]!;
      }
      throw new RangeError(`concat: ${index}`);
    });
  },
  split: (y, [x], scope) => {
    const { axis, sizes: parts } = y.attributes;
    let start = 0;
    return sizes(parts, scope).map((size) => {
      const offset = start;
      start += size;
      return build(replaced(x!.shape, axis, size), (index) => at(x!, replaced(index, axis, index[axis]! + offset)));
    });
  },
  range: (y, _, scope) => build(sizes(y.shape, scope), ([i]) => i!),
  sizeOf: (y, _, scope) => ({ shape: [], data: [sizeOf(y.attributes.dim, scope)] }),
  gather: (y, [table, indices], scope) => {
    const { axis } = y.attributes;
    const rank = indices!.shape.length;
    return build(sizes(y.shape, scope), (index) => {
      const i = at(indices!, index.slice(axis, axis + rank));
      return at(table!, [...index.slice(0, axis), i, ...index.slice(axis + rank)]);
    });
  },
  scatterAdd: (y, [updates, indices, into], scope) =>
    build(sizes(y.shape, scope), ([row, column]) =>
      total([
        into === undefined ? 0 : at(into, [row!, column!]),
        ...indices!.data.map((to, i) => (to === row ? at(updates!, [i, column!]) : 0)),
      ]),
    ),
  pick: (_, [x, index]) => build(index!.shape, (where) => at(x!, [...where, at(index!, where)])),
  oneHot: (y, [index], scope) =>
    build(sizes(y.shape, scope), (where) => Number(at(index!, where.slice(0, -1)) === where.at(-1))),
  topK: (y, [x]) => {
    const { k } = y.attributes;
    const shape = [...x!.shape.slice(0, -1), k];
    const order = (row: number[]) => row.map((_, i) => i).sort((i, j) => row[j]! - row[i]! || i - j);
    return [
      byRow(x!, (row) => [...row].sort((a, b) => b - a).slice(0, k), shape),
      byRow(x!, (row) => order(row).slice(0, k), shape),
    ];
  },
  matmul: (y, [a, b], scope) => {
    const { transA, transB, alpha } = y.attributes;
    const inner = a!.shape.at(transA ? -2 : -1)!;
    return build(sizes(y.shape, scope), (index) => {
      const [batch, m, n] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
      const terms = Array.from({ length: inner }, (_, k) => {
        const left = at(a!, [...batch, ...(transA ? [k, m] : [m, k])]);
        return left * at(b!, [...batch, ...(transB ? [n, k] : [k, n])]);
      });
      return alpha * total(terms);
    });
  },
  linear: (y, [x, weight, bias], scope) =>
    build(sizes(y.shape, scope), ([row, column]) => {
      const terms = Array.from({ length: x!.shape[1]! }, (_, k) => at(x!, [row!, k]) * at(weight!, [k, column!]));
      return total(terms) + at(bias!, [column!]);
    }),
  softmax: (_, [x]) => byRow(x!, (row) => logSoftmax(row).map(Math.exp)),
  logSoftmax: (_, [x]) => byRow(x!, logSoftmax),
  gelu: elementwise((x) => 0.5 * x! * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x! + 0.044715 * x! ** 3)))),
  layerNorm: (y, [x, scale, shift]) => {
    const mean = (row: readonly number[]) => total(row) / row.length;
    const inverse = (row: readonly number[]) =>
      1 / Math.sqrt(mean(row.map((v) => (v - mean(row)) ** 2)) + y.attributes.epsilon);
    const column = [...x!.shape.slice(0, -1), 1];
    return [
      byRow(x!, (row) => row.map((v, i) => (v - mean(row)) * inverse(row) * scale!.data[i]! + shift!.data[i]!)),
      byRow(x!, (row) => [mean(row)], column),
      byRow(x!, (row) => [inverse(row)], column),
    ];
  },
  rmsNorm: (y, [x, scale]) => {
    const inverse = (row: readonly number[]) =>
      1 / Math.sqrt(total(row.map((v) => v * v)) / row.length + y.attributes.epsilon);
    return [
      byRow(x!, (row) => row.map((v, i) => v * inverse(row) * scale!.data[i]!)),
      byRow(x!, (row) => [inverse(row)], [...x!.shape.slice(0, -1), 1]),
    ];
  },
  rotary: (_, [x, cos, sin]) =>
    build(x!.shape, (index) => {
      const [b, , s, k] = index as [number, number, number, number];
      const half = cos!.shape.at(-1)!;
      if (k >= 2 * half) return at(x!, index);
      const angle = [b, s, k % half].slice(-cos!.shape.length);
      const other = at(x!, [...index.slice(0, 3), k < half ? k + half : k - half]);
      return at(x!, index) * at(cos!, angle) + (k < half ? -1 : 1) * other * at(sin!, angle);
    }),
  loop: (y, [steps, ...initial], scope) => loop(y.attributes, steps!.data[0]!, initial, scope),
  customGradient: (y, inputs) => inputs.slice(0, y.attributes.results),
  output: (y, _, { values }) => values.get(y.inputs[0]!)![y.attributes.index]!,
};

function loop(attributes: LoopAttributes, steps: number, initial: readonly Grid[], scope: Scope): Grid[] {
  const { step, stateInputs, stateOutputs, stacked } = attributes;
  let states = initial;
  const slices: Grid[][] = stacked.map(() => []);
  for (let i = 0; i < steps; i++) {
    const inner: Scope = { ...scope, values: new Map(scope.values), symbols: new Map(scope.symbols) };
    inner.values.set(step, [{ shape: [], data: [i] }]);
    for (const [j, placeholder] of stateInputs.entries()) {
      inner.values.set(placeholder, [states[j]!]);
      bind(placeholder.shape, states[j], inner.symbols);
    }
    const results = run([...stateOutputs, ...stacked], inner);
    states = results.slice(0, stateOutputs.length);
    for (const [j, slice] of results.slice(stateOutputs.length).entries()) slices[j]!.push(slice);
  }
  const piles = slices.map((list) => ({
    shape: [steps, ...(list[0]?.shape ?? [])],
    data: list.flatMap(({ data }) => data),
  }));
  return [...states, ...piles];
}
