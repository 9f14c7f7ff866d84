/**
 * How much memory a graph takes while it runs, from its shapes: values are counted from their computation to their last use, in the order in which ONNX
 * Runtime runs a graph.
 */
import type { Dim, Shape } from "./dims.ts";
import type { DType, LoopAttributes, OpName, Tensor } from "./graph.ts";
import { topological } from "./graph.ts";

/** The sizes of the symbols in a graph's shapes. */
export type Sizes = Readonly<Record<string, number>>;

const bytesOf: { readonly [D in DType]: number } = { float32: 4, float64: 8, int32: 4, int64: 8, bool: 1 };

/** Ops whose result is their first input's memory under a different shape or name. */
const views: ReadonlySet<OpName> = new Set(["reshape", "stopGradient", "customGradient"]);

/** Ops that write over an input of the result's size if nothing else needs it. */
const inPlace: ReadonlySet<OpName> = new Set([
  ...([
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "exp",
    "log",
    "sqrt",
    "tanh",
    "sigmoid",
    "softplus",
    "softmax",
    "scatterAdd",
  ] as const),
]);

/** Ops without memory of their own: fed from outside, or part of another node. */
const given: ReadonlySet<OpName> = new Set(["input", "constant", "output", "sizeOf"]);

/**
 * Bytes at the fullest moment, without the graph's inputs and constants. Outputs in `elsewhere` are written into memory that the caller gives.
 */
export function peakBytes(
  outputs: Readonly<Record<string, Tensor>>,
  { sizes, elsewhere = () => false }: { readonly sizes: Sizes; readonly elsewhere?: (name: string) => boolean },
): number {
  const entries = Object.entries(outputs);
  const outside = new Set(entries.flatMap(([name, tensor]) => (elsewhere(name) ? [tensor] : [])));
  return run(
    entries.map(([, tensor]) => tensor),
    { sizes, outside, ready: new Set() },
  );
}

interface Scope {
  readonly sizes: Sizes;
  /** Results in memory that the caller gives. */
  readonly outside: ReadonlySet<Tensor>;
  /** What an enclosing graph computed before. */
  readonly ready: ReadonlySet<Tensor>;
}

function run(outputs: readonly Tensor[], { sizes, outside, ready }: Scope): number {
  const order = inOrder(outputs, ready);
  // Each tensor's memory belongs to a root: itself, or the tensor that it views.
  const roots = new Map<Tensor, readonly Tensor[]>();
  const rootsOf = (tensor: Tensor): readonly Tensor[] => roots.get(tensor) ?? [];
  for (const tensor of order) roots.set(tensor, memoryOf(tensor, rootsOf, ready));
  const uses = new Map<Tensor, number>();
  const count = (tensors: readonly Tensor[]) => {
    for (const root of tensors) uses.set(root, (uses.get(root) ?? 0) + 1);
  };
  for (const tensor of order) for (const x of readBy(tensor)) count(rootsOf(x));
  for (const output of outputs) count(rootsOf(output));
  const held = new Map<Tensor, number>();
  let live = 0;
  let peak = 0;
  for (const tensor of order) {
    const inputs = readBy(tensor).flatMap(rootsOf);
    if (roots.get(tensor)?.includes(tensor) && !ready.has(tensor)) {
      const size = outside.has(tensor) ? 0 : sizeOf(tensor, sizes);
      const reused = inPlace.has(tensor.op)
        ? inputs.find((root) => uses.get(root) === 1 && held.get(root) === size && size > 0)
        : undefined;
      if (reused !== undefined) {
        live -= held.get(reused) as number;
        held.set(reused, 0);
      }
      const inside = tensor.op === "loop" ? insideLoop(tensor as Tensor<"loop">, sizes, new Set(order)) : 0;
      live += size;
      held.set(tensor, size);
      peak = Math.max(peak, live + inside);
    }
    for (const root of inputs) {
      const left = (uses.get(root) as number) - 1;
      uses.set(root, left);
      if (left > 0) continue;
      live -= held.get(root) ?? 0;
      held.set(root, 0);
    }
  }
  return peak;
}

/** The tensors that a tensor's computation reads; a loop also reads what its body takes from outside. */
function readBy(tensor: Tensor): readonly Tensor[] {
  if (tensor.op === "customGradient")
    return tensor.inputs.slice(0, (tensor as Tensor<"customGradient">).attributes.results);
  if (tensor.op !== "loop") return tensor.inputs;
  return [...tensor.inputs, ...topological(bodyOf((tensor as Tensor<"loop">).attributes))];
}

function memoryOf(
  tensor: Tensor,
  rootsOf: (x: Tensor) => readonly Tensor[],
  ready: ReadonlySet<Tensor>,
): readonly Tensor[] {
  const [first] = tensor.inputs;
  if (tensor.op === "output" && first !== undefined) {
    if (first.op !== "customGradient") return rootsOf(first);
    return rootsOf(first.inputs[(tensor as Tensor<"output">).attributes.index] as Tensor);
  }
  if (tensor.op === "customGradient") return [];
  if (views.has(tensor.op) && first !== undefined) return rootsOf(first);
  return given.has(tensor.op) || ready.has(tensor) ? [] : [tensor];
}

/**
 * The order in which ONNX Runtime runs a graph: a search from the last result back, which computes the newest input first. Nodes have the order in which
 * the graph is written.
 */
function inOrder(outputs: readonly Tensor[], ready: ReadonlySet<Tensor>): Tensor[] {
  const written = topological(outputs);
  const index = new Map(written.map((tensor, i) => [tensor, i]));
  const used = new Set(written.flatMap(readBy));
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  const stack = written.filter((tensor) => !used.has(tensor)).map((tensor) => ({ tensor, leaving: false }));
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { tensor, leaving } = top;
    if (leaving) {
      order.push(tensor);
      continue;
    }
    if (seen.has(tensor) || ready.has(tensor)) continue;
    seen.add(tensor);
    stack.push({ tensor, leaving: true });
    const inputs = readBy(tensor).filter((x) => index.has(x));
    inputs.sort((a, b) => (index.get(a) as number) - (index.get(b) as number));
    for (const x of inputs) stack.push({ tensor: x, leaving: false });
  }
  return order;
}

/** A loop holds its states twice, the slices that it stacks beside their join, and the memory of one step. */
function insideLoop(tensor: Tensor<"loop">, sizes: Sizes, outer: ReadonlySet<Tensor>): number {
  const { attributes } = tensor;
  const body = bodyOf(attributes);
  const step = run(body, { sizes, outside: new Set(), ready: outer });
  return step + loopBytes(attributes, sizes);
}

function bodyOf({ stateOutputs, stacked }: LoopAttributes): Tensor[] {
  return [...stateOutputs, ...stacked];
}

function loopBytes({ stateOutputs, stacked, stackedLength }: LoopAttributes, sizes: Sizes): number {
  const states = stateOutputs.reduce((total, state) => total + bytes(state, sizes), 0);
  return states + numberOf(stackedLength, sizes) * stacked.reduce((total, slice) => total + bytes(slice, sizes), 0);
}

function sizeOf(tensor: Tensor, sizes: Sizes): number {
  if (tensor.op === "loop") return loopBytes((tensor as Tensor<"loop">).attributes, sizes);
  // A scatter into nothing begins with zeros of the result's size.
  return bytes(tensor, sizes) * (tensor.op === "scatterAdd" && tensor.inputs.length === 2 ? 2 : 1);
}

function bytes({ shape, dtype }: Tensor, sizes: Sizes): number {
  return bytesOf[dtype] * entries(shape, sizes);
}

function entries(shape: Shape, sizes: Sizes): number {
  return shape.reduce<number>((total, dim) => total * numberOf(dim, sizes), 1);
}

function numberOf(dim: Dim, sizes: Sizes): number {
  if (typeof dim === "number") return dim;
  const one = (text: string) => (/^\d+$/.test(text) ? Number(text) : (sizes[text] ?? 0));
  return dim
    .split("+")
    .reduce((sum, term) => sum + term.split("*").reduce((product, text) => product * one(text), 1), 0);
}
