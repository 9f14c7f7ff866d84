/** The ops: each checks its inputs, infers type and shape, and makes a node. Broadcasting follows NumPy. */
import { GraphError } from "../util/errors.ts";
import { axisOf, broadcast, type Dim, product, type Shape, sameShape, show, sum as sumDims } from "./dims.ts";
import { type CustomGradient, constant, type DType, input, node, type OpName, type Tensor } from "./graph.ts";

export type Operand = Tensor | number;

function tensorOf(value: Operand): Tensor {
  return typeof value === "number" ? constant(value) : value;
}

type Binary = "add" | "sub" | "mul" | "div" | "maximum" | "minimum";
type Unary = "neg" | "exp" | "log" | "sqrt" | "tanh" | "erf" | "cos" | "sin" | "sigmoid" | "softplus";

function requireType(op: OpName, tensor: Tensor, ...types: DType[]): void {
  if (!types.includes(tensor.dtype)) {
    throw new GraphError(`${op}: needs ${types.join(" or ")}, got ${tensor.dtype} of shape ${show(tensor.shape)}`);
  }
}

/** Both operands as tensors of the same type. */
function alike(op: OpName, a: Operand, b: Operand): [Tensor, Tensor] {
  const [x, y] = [tensorOf(a), tensorOf(b)];
  if (x.dtype === y.dtype) return [x, y];
  throw new GraphError(`${op}: types differ, ${x.dtype} ${show(x.shape)} and ${y.dtype} ${show(y.shape)}`);
}

function binary(op: Binary, a: Operand, b: Operand): Tensor {
  const [x, y] = alike(op, a, b);
  requireType(op, x, "float32", "float64", "int32", "int64");
  return node(op, [x, y], {}, x.dtype, broadcast(op, x.shape, y.shape));
}

function unary(op: Unary, x: Tensor): Tensor {
  requireType(op, x, "float32");
  return node(op, [x], {}, x.dtype, x.shape);
}

export const add = (a: Operand, b: Operand): Tensor => binary("add", a, b);
export const sub = (a: Operand, b: Operand): Tensor => binary("sub", a, b);
export const mul = (a: Operand, b: Operand): Tensor => binary("mul", a, b);
export const div = (a: Operand, b: Operand): Tensor => binary("div", a, b);
export const maximum = (a: Operand, b: Operand): Tensor => binary("maximum", a, b);
export const minimum = (a: Operand, b: Operand): Tensor => binary("minimum", a, b);
export const neg = (x: Tensor): Tensor => unary("neg", x);
export const exp = (x: Tensor): Tensor => unary("exp", x);
export const log = (x: Tensor): Tensor => unary("log", x);
export const sqrt = (x: Tensor): Tensor => unary("sqrt", x);
export const tanh = (x: Tensor): Tensor => unary("tanh", x);
/** The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x. */
export const erf = (x: Tensor): Tensor => unary("erf", x);
export const cos = (x: Tensor): Tensor => unary("cos", x);
export const sin = (x: Tensor): Tensor => unary("sin", x);
export const sigmoid = (x: Tensor): Tensor => unary("sigmoid", x);
/** log(1 + exp(x)), stable. */
export const softplus = (x: Tensor): Tensor => unary("softplus", x);

/** x clamped to [low, high]; the gradient passes inside the bounds and at them. */
export function clamp(x: Tensor, low: Operand, high: Operand): Tensor {
  return minimum(maximum(x, low), high);
}

function comparison(op: "less" | "equal", a: Operand, b: Operand): Tensor {
  const [x, y] = alike(op, a, b);
  requireType(op, x, "float32", "float64", "int32", "int64");
  return node(op, [x, y], {}, "bool", broadcast(op, x.shape, y.shape));
}

export const less = (a: Operand, b: Operand): Tensor => comparison("less", a, b);
export const greater = (a: Operand, b: Operand): Tensor => comparison("less", b, a);
export const equal = (a: Operand, b: Operand): Tensor => comparison("equal", a, b);

export function and(a: Tensor, b: Tensor): Tensor {
  requireType("and", a, "bool");
  requireType("and", b, "bool");
  return node("and", [a, b], {}, "bool", broadcast("and", a.shape, b.shape));
}

export function not(a: Tensor): Tensor {
  requireType("not", a, "bool");
  return node("not", [a], {}, "bool", a.shape);
}

/** a if the condition holds, else b, entry by entry. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  requireType("where", condition, "bool");
  const [x, y] = alike("where", a, b);
  const shape = broadcast("where", condition.shape, broadcast("where", x.shape, y.shape));
  return node("where", [condition, x, y], {}, x.dtype, shape);
}

export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : node("cast", [x], {}, dtype, x.shape);
}

/** The same values, but no gradient passes through them. */
export function stopGradient(x: Tensor): Tensor {
  return node("stopGradient", [x], {}, x.dtype, x.shape);
}

function reduce(op: "sum" | "max", x: Tensor, axes: readonly number[] | undefined, keepDims: boolean): Tensor {
  requireType(op, x, "float32", "int32", "int64");
  const normal = (axes ?? x.shape.map((_, i) => i)).map((axis) => axisOf(op, axis, x.shape));
  // ONNX reads empty axes as all axes.
  if (normal.length === 0) return x;
  const shape = keepDims
    ? x.shape.map((dim, i) => (normal.includes(i) ? 1 : dim))
    : x.shape.filter((_, i) => !normal.includes(i));
  return node(op, [x], { axes: normal, keepDims }, x.dtype, shape);
}

export interface ReduceOptions {
  readonly axes?: readonly number[];
  readonly keepDims?: boolean;
}

export function sum(x: Tensor, { axes, keepDims = false }: ReduceOptions = {}): Tensor {
  return reduce("sum", x, axes, keepDims);
}

export function max(x: Tensor, { axes, keepDims = false }: ReduceOptions = {}): Tensor {
  return reduce("max", x, axes, keepDims);
}

/** Index (int64) of the largest entry along the last axis, the first if several are equal. [..., n] -> [...] */
export function argmax(x: Tensor): Tensor {
  requireType("argmax", x, "float32");
  return node("argmax", [x], {}, "int64", x.shape.slice(0, -1));
}

/** Running sum along the last axis. */
export function cumsum(x: Tensor): Tensor {
  requireType("cumsum", x, "float32", "float64");
  return node("cumsum", [x], {}, x.dtype, x.shape);
}

/** The same entries in a different shape; the numbers of entries must agree, symbol by symbol. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  if (product(x.shape) !== product(shape)) {
    throw new GraphError(
      `reshape: ${show(x.shape)} has ${product(x.shape)} entries, ${show(shape)} has ${product(shape)}`,
    );
  }
  return sameShape(x.shape, shape) ? x : node("reshape", [x], {}, x.dtype, shape);
}

function withDim(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.map((old, i) => (i === axis ? dim : old));
}

/** Copies along axes of size 1, and new axes in front, up to `shape`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcast("expand", x.shape, shape), shape)) {
    throw new GraphError(`expand: ${show(x.shape)} cannot become ${show(shape)}`);
  }
  return sameShape(x.shape, shape) ? x : node("expand", [x], {}, x.dtype, shape);
}

export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  if ([...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i) || permutation.length !== x.shape.length) {
    throw new GraphError(`transpose: [${permutation}] does not permute the axes of ${show(x.shape)}`);
  }
  const shape = permutation.map((axis) => x.shape[axis] as Dim);
  return node("transpose", [x], { permutation: [...permutation] }, x.dtype, shape);
}

/** Entries [start, end) along an axis of known size. */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  const at = axisOf("slice", axis, x.shape);
  const size = x.shape[at] as Dim;
  if (start < 0 || end <= start || (typeof size === "number" && end > size)) {
    throw new GraphError(`slice: [${start}, ${end}) is outside axis ${axis} of ${show(x.shape)}`);
  }
  return node("slice", [x], { axis: at, start, end }, x.dtype, withDim(x.shape, at, end - start));
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0];
  if (first === undefined) throw new GraphError("concat: no tensors");
  const at = axisOf("concat", axis, first.shape);
  for (const part of parts) {
    const agrees = part.shape.length === first.shape.length && part.dtype === first.dtype;
    if (!agrees || part.shape.some((dim, i) => i !== at && dim !== first.shape[i])) {
      throw new GraphError(`concat: ${show(part.shape)} does not fit ${show(first.shape)} along axis ${axis}`);
    }
  }
  const size = sumDims(parts.map((part) => part.shape[at] as Dim));
  return node("concat", parts, { axis: at }, first.dtype, withDim(first.shape, at, size));
}

/** Parts along an axis: a number of equal parts, or parts of given sizes, which may be symbols. */
export function split(x: Tensor, axis: number, parts: number | Shape): Tensor[] {
  const at = axisOf("split", axis, x.shape);
  const size = x.shape[at] as Dim;
  if (typeof parts === "number" && (typeof size !== "number" || size % parts !== 0)) {
    throw new GraphError(`split: axis ${axis} of ${show(x.shape)} does not divide into ${parts} parts`);
  }
  const sizes = typeof parts === "number" ? new Array<Dim>(parts).fill((size as number) / parts) : parts;
  if (sumDims(sizes) !== size)
    throw new GraphError(`split: ${show(sizes)} do not add up to ${size} of ${show(x.shape)}`);
  const whole = node("split", [x], { axis: at, sizes }, x.dtype, x.shape);
  return sizes.map((part, i) => output(whole, i, x.dtype, withDim(x.shape, at, part)));
}

/** 0, 1, ... size - 1 as int64, where `size` may be a symbol. */
export function range(size: Dim): Tensor {
  return node("range", [], {}, "int64", [size]);
}

/** A dimension as an int64 scalar. */
export function sizeOf(dim: Dim): Tensor {
  return node("sizeOf", [], { dim }, "int64", []);
}

export interface GatherOptions {
  readonly axis?: number;
  /** The caller's promise that no index occurs twice: it makes the gradient cheaper, and wrong if the promise is broken. */
  readonly distinct?: boolean;
}

/** Slices of `table` along an axis at integer `indices`: [n, d] by [B, T] along 0 -> [B, T, d]. */
export function gather(table: Tensor, indices: Tensor, { axis = 0, distinct = false }: GatherOptions = {}): Tensor {
  requireType("gather", indices, "int32", "int64");
  const at = axisOf("gather", axis, table.shape);
  const shape = [...table.shape.slice(0, at), ...indices.shape, ...table.shape.slice(at + 1)];
  return node("gather", [table, indices], { axis: at, distinct }, table.dtype, shape);
}

export interface ScatterOptions {
  /** The caller's promise that no index occurs twice. */
  readonly distinct?: boolean;
  /** What the rows are added to, [rows, d]; zeros by default. Memory that nothing else reads is written over. */
  readonly into?: Tensor | undefined;
}

/** A tensor of shape [rows, d], zero or `into`, to which row i of `updates` [N, d] is added at `indices` [N]. */
export function scatterAdd(
  updates: Tensor,
  indices: Tensor,
  rows: Dim,
  { distinct = false, into }: ScatterOptions = {},
): Tensor {
  requireType("scatterAdd", updates, "float32");
  requireType("scatterAdd", indices, "int32", "int64");
  if (updates.shape.length !== 2 || indices.shape.length !== 1 || updates.shape[0] !== indices.shape[0]) {
    throw new GraphError(`scatterAdd: rows ${show(updates.shape)} at indices ${show(indices.shape)}`);
  }
  const shape = [rows, updates.shape[1] as Dim];
  if (into !== undefined && (into.dtype !== updates.dtype || String(into.shape) !== String(shape)))
    throw new GraphError(`scatterAdd: rows of ${show(shape)} into ${into.dtype} ${show(into.shape)}`);
  const inputs = into === undefined ? [updates, indices] : [updates, indices, into];
  return node("scatterAdd", inputs, { distinct }, updates.dtype, shape);
}

/** x[..., index[...]]: one entry of the last axis for each index. [..., n] by [...] -> [...] */
export function pick(x: Tensor, index: Tensor): Tensor {
  requireType("pick", index, "int32", "int64");
  if (!sameShape(x.shape.slice(0, -1), index.shape)) {
    throw new GraphError(`pick: indices ${show(index.shape)} do not fit ${show(x.shape)}`);
  }
  return node("pick", [x, index], {}, x.dtype, index.shape);
}

/** 1 at the index, 0 elsewhere, along a new last axis. */
export function oneHot(index: Tensor, size: number): Tensor {
  requireType("oneHot", index, "int32", "int64");
  return node("oneHot", [index], { size }, "float32", [...index.shape, size]);
}

/** The k largest entries along the last axis, largest first, and their indices. */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  requireType("topK", x, "float32");
  const size = x.shape.at(-1) ?? 0;
  if (k < 1 || (typeof size === "number" && k > size)) {
    throw new GraphError(`topK: ${k} of the last axis of ${show(x.shape)}`);
  }
  const shape = [...x.shape.slice(0, -1), k];
  const both = node("topK", [x], { k }, x.dtype, shape);
  return { values: output(both, 0, x.dtype, shape), indices: output(both, 1, "int64", shape) };
}

export interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Factor applied to the product. */
  readonly alpha?: number;
}

/** alpha * op(a) @ op(b) over the last two axes; leading axes broadcast. */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transA = false, transB = false, alpha = 1 }: MatmulOptions = {},
): Tensor {
  requireType("matmul", a, "float32");
  requireType("matmul", b, "float32");
  if (a.shape.length < 2 || b.shape.length < 2) throw new GraphError(`matmul: ${show(a.shape)} by ${show(b.shape)}`);
  const [m, k] = lastTwo(a.shape, transA);
  const [k2, n] = lastTwo(b.shape, transB);
  if (k !== k2) {
    const flags = `${transA ? " transposed" : ""} by ${show(b.shape)}${transB ? " transposed" : ""}`;
    throw new GraphError(`matmul: ${show(a.shape)}${flags}: inner sizes ${k} and ${k2} differ`);
  }
  const batch = broadcast("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  return node("matmul", [a, b], { transA, transB, alpha }, "float32", [...batch, m, n]);
}

function lastTwo(shape: Shape, swapped: boolean): [Dim, Dim] {
  const [rows, columns] = shape.slice(-2) as [Dim, Dim];
  return swapped ? [columns, rows] : [rows, columns];
}

/** x @ weight + bias: [N, i] by [i, o] and [o]. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [rows, inner] = x.shape;
  const [inner2, outer] = weight.shape;
  if (x.shape.length !== 2 || weight.shape.length !== 2 || inner !== inner2 || !sameShape(bias.shape, [outer as Dim])) {
    throw new GraphError(`linear: ${show(x.shape)} by ${show(weight.shape)} plus ${show(bias.shape)}`);
  }
  return node("linear", [x, weight, bias], {}, "float32", [rows as Dim, outer as Dim]);
}

/** Softmax along the last axis. */
export function softmax(x: Tensor): Tensor {
  requireType("softmax", x, "float32");
  return node("softmax", [x], {}, x.dtype, x.shape);
}

/** Log-softmax along the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  requireType("logSoftmax", x, "float32");
  return node("logSoftmax", [x], {}, x.dtype, x.shape);
}

/** GPT-2's GELU (`gelu_new`): 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
export function gelu(x: Tensor): Tensor {
  requireType("gelu", x, "float32");
  return node("gelu", [x], {}, x.dtype, x.shape);
}

/** (x - mean) / sqrt(var + epsilon) * scale + shift over the last axis. */
export function layerNorm(x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor {
  const width = x.shape.at(-1) as Dim;
  if (!sameShape(scale.shape, [width]) || !sameShape(shift.shape, [width])) {
    throw new GraphError(`layerNorm: ${show(x.shape)} with scale ${show(scale.shape)} and shift ${show(shift.shape)}`);
  }
  return node("layerNorm", [x, scale, shift], { epsilon }, x.dtype, x.shape);
}

/** x / sqrt(mean(x^2) + epsilon) * scale over the last axis (Zhang and Sennrich 2019). */
export function rmsNorm(x: Tensor, scale: Tensor, epsilon: number): Tensor {
  const width = x.shape.at(-1) as Dim;
  if (!sameShape(scale.shape, [width]))
    throw new GraphError(`rmsNorm: ${show(x.shape)} with scale ${show(scale.shape)}`);
  return node("rmsNorm", [x, scale], { epsilon }, x.dtype, x.shape);
}

/**
 * Rotates pairs of entries of each head by angles (Su et al. 2021, in GPT-NeoX's order): of x [B, H, S, K], entries k and k + R/2 become x_k cos - x_(k+R/2)
 * sin and x_(k+R/2) cos + x_k sin for k < R/2; entries from R on stay. `cos` and `sin` hold the angles' [S, R/2], or [B, S, R/2] if they differ by row.
 */
export function rotary(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  for (const tensor of [x, cos, sin]) requireType("rotary", tensor, "float32");
  const [B, , S, K] = x.shape as [Dim, Dim, Dim, Dim];
  const half = cos.shape.at(-1) as Dim;
  const fits = sameShape(cos.shape, [S, half]) || sameShape(cos.shape, [B, S, half]);
  if (x.shape.length !== 4 || !fits || !sameShape(cos.shape, sin.shape) || 2 * Number(half) > Number(K)) {
    throw new GraphError(`rotary: ${show(x.shape)} by angles ${show(cos.shape)} and ${show(sin.shape)}`);
  }
  return node("rotary", [x, cos, sin], {}, x.dtype, x.shape);
}

/** The results unchanged, differentiated by `inputs` as `gradient` says, and not through the graph that computes them. */
export function customGradient(
  results: readonly Tensor[],
  inputs: readonly Tensor[],
  gradient: CustomGradient["gradient"],
): Tensor[] {
  const whole = node("customGradient", [...results, ...inputs], { results: results.length, gradient }, "float32", []);
  return results.map((result, i) => output(whole, i, result.dtype, result.shape));
}

/** One of the results of an op with several outputs. */
export function output(of: Tensor, index: number, dtype: DType, shape: Shape): Tensor {
  return node("output", [of], { index }, dtype, shape);
}

export interface LoopBody {
  /** The state for the next step, with the types of the initial state. A shape may grow from step to step. */
  readonly states: readonly Tensor[];
  readonly stacked: readonly Tensor[];
}

/**
 * Runs `body` `steps` (int64 scalar) times, carrying states. Returns the last states and the stacked slices [steps, ...]. `stateShapes`
 * gives the shape of each state as the body sees it, with a symbol for an axis that grows. No gradient passes.
 */
export function loop(options: {
  readonly steps: Tensor;
  readonly initial: readonly Tensor[];
  readonly stateShapes: readonly Shape[];
  readonly stackedLength: Dim;
  readonly body: (step: Tensor, states: readonly Tensor[]) => LoopBody;
}): { states: Tensor[]; stacked: Tensor[] } {
  const { steps, initial, stateShapes, stackedLength, body } = options;
  requireType("loop", steps, "int64");
  const step = input("step", [], "int64");
  const stateInputs = initial.map((state, i) => input(`state${i}`, stateShapes[i] as Shape, state.dtype));
  const { states, stacked } = body(step, stateInputs);
  if (states.length !== initial.length) {
    throw new GraphError(`loop: the body returns ${states.length} states, it was given ${initial.length}`);
  }
  for (const [i, state] of states.entries()) {
    if (state.dtype !== initial[i]?.dtype) throw new GraphError(`loop: state ${i} changes its type to ${state.dtype}`);
  }
  const attributes = { step, stateInputs, stateOutputs: states, stackedLength, stacked };
  const whole = node("loop", [steps, ...initial], attributes, "int64", []);
  return {
    states: states.map((state, i) => output(whole, i, state.dtype, stateShapes[i] as Shape)),
    stacked: stacked.map((part, i) => output(whole, states.length + i, part.dtype, [stackedLength, ...part.shape])),
  };
}

/** Sums a gradient over the axes along which `shape` was broadcast, so that it has that shape. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1));
  return reshape(axes.length === 0 ? x : sum(x, { axes, keepDims: true }), shape);
}
