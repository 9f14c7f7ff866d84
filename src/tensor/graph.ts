/**
 * The lazy tensor graph: a `Tensor` is a node that knows its op, its inputs, its type and its shape. Nothing is computed here;
 * `gradients.ts` derives more graph from it and `lower.ts` writes it as ONNX.
 */
import { GraphError } from "../util/errors.ts";
import { type Dim, type Shape, show } from "./dims.ts";

export type DType = "float32" | "float64" | "int32" | "int64" | "bool";

/** The closed list of ops with their attributes. The tables of gradients and of lowerings are total over it. */
export interface Ops {
  input: { readonly name: string };
  constant: { readonly values: readonly number[] };
  // elementwise
  add: object;
  sub: object;
  mul: object;
  div: object;
  maximum: object;
  minimum: object;
  neg: object;
  exp: object;
  log: object;
  sqrt: object;
  tanh: object;
  erf: object;
  cos: object;
  sin: object;
  sigmoid: object;
  softplus: object;
  less: object;
  equal: object;
  and: object;
  not: object;
  where: object;
  cast: object;
  stopGradient: object;
  // reductions
  sum: { readonly axes: readonly number[]; readonly keepDims: boolean };
  max: { readonly axes: readonly number[]; readonly keepDims: boolean };
  argmax: object;
  cumsum: object;
  // shape
  reshape: object;
  expand: object;
  transpose: { readonly permutation: readonly number[] };
  slice: { readonly axis: number; readonly start: number; readonly end: number };
  concat: { readonly axis: number };
  split: { readonly axis: number; readonly sizes: Shape };
  range: object;
  sizeOf: { readonly dim: Dim };
  // indexing
  /** `distinct`: no index occurs twice, so that several threads may scatter. */
  gather: { readonly axis: number; readonly distinct: boolean };
  scatterAdd: { readonly distinct: boolean };
  pick: object;
  oneHot: { readonly size: number };
  topK: { readonly k: number };
  // neural
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };
  linear: object;
  softmax: object;
  logSoftmax: object;
  gelu: object;
  layerNorm: { readonly epsilon: number };
  rmsNorm: { readonly epsilon: number };
  rotary: object;
  // structure
  loop: LoopAttributes;
  customGradient: CustomGradient;
  output: { readonly index: number };
}

export type OpName = keyof Ops;

export interface Tensor<K extends OpName = OpName> {
  readonly op: K;
  readonly inputs: readonly Tensor[];
  readonly attributes: Ops[K];
  readonly dtype: DType;
  readonly shape: Shape;
}

/** The node's inputs are the results, then the tensors that they are differentiated by. */
export interface CustomGradient {
  readonly results: number;
  /**
   * dL/dx for each x that the results are differentiated by, given dL/dy for each result: undefined if nothing depends on it. `wanted` says for which x
   * the gradient is needed; the answer for the others is not read.
   */
  readonly gradient: (gs: readonly (Tensor | undefined)[], wanted: readonly boolean[]) => readonly (Tensor | null)[];
}

/** The body of a loop: the placeholders that it reads, and what it computes from them. */
export interface LoopAttributes {
  /** An int64 scalar: the number of the present step. */
  readonly step: Tensor<"input">;
  readonly stateInputs: readonly Tensor<"input">[];
  readonly stateOutputs: readonly Tensor[];
  /** The number of steps, as far as shapes know it. */
  readonly stackedLength: Dim;
  /** One slice per step; the slices are stacked along a new first axis of the result. */
  readonly stacked: readonly Tensor[];
}

export function node<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attributes: Ops[K],
  dtype: DType,
  shape: Shape,
): Tensor<K> {
  return { op, inputs, attributes, dtype, shape };
}

/** A value fed at run time. `shape` may hold symbols, which it binds. */
export function input(name: string, shape: Shape, dtype: DType = "float32"): Tensor<"input"> {
  return node("input", [], { name }, dtype, shape);
}

/** A constant value; a scalar by default. */
export function constant(
  values: number | readonly number[],
  shape: readonly number[] = typeof values === "number" ? [] : [values.length],
  dtype: DType = "float32",
): Tensor<"constant"> {
  const list = typeof values === "number" ? [values] : values;
  if (shape.reduce((size, dim) => size * dim, 1) !== list.length) {
    throw new GraphError(`constant: ${list.length} values for the shape ${show(shape)}`);
  }
  return node("constant", [], { values: list }, dtype, shape);
}

/** Every tensor that the outputs depend on, inputs before users. Loop bodies are not entered. */
export function topological(outputs: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  // An explicit stack: a deep model would overflow the call stack.
  const stack: { tensor: Tensor; next: number }[] = [];
  for (const output of outputs) {
    if (seen.has(output)) continue;
    seen.add(output);
    stack.push({ tensor: output, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as { tensor: Tensor; next: number };
      const child = top.tensor.inputs[top.next++];
      if (child === undefined) {
        order.push(top.tensor);
        stack.pop();
      } else if (!seen.has(child)) {
        seen.add(child);
        stack.push({ tensor: child, next: 0 });
      }
    }
  }
  return order;
}
