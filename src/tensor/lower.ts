/** Writes a tensor graph as one ONNX model: a total table with one lowering per op. */
import { GraphError } from "../util/errors.ts";
import { type Dim, product, type Shape } from "./dims.ts";
import { type DType, type LoopAttributes, type OpName, type Tensor, topological } from "./graph.ts";
import {
  type Attribute,
  elementTypes,
  encodeModel,
  type InitializerProto,
  type NodeProto,
  type ValueProto,
} from "./onnx.ts";

export interface Program {
  /** The bytes of an ONNX model. */
  readonly model: Uint8Array;
  readonly inputs: readonly { readonly name: string; readonly dtype: DType; readonly shape: Shape }[];
  readonly outputs: readonly { readonly name: string; readonly dtype: DType; readonly shape: Shape }[];
}

/** One level of the graph: the model itself, or the body of a loop. */
interface Scope {
  readonly parent: Scope | null;
  readonly nodes: NodeProto[];
  /** Where each symbol's size can be read: the name of a value and its axis. */
  readonly symbols: Map<string, { name: string; axis: number }>;
  /** Names of one-entry int64 vectors holding dimensions, by dimension. */
  readonly dims: Map<Dim, string>;
}

type Lowering<K extends OpName> = (y: Tensor<K>, inputs: string[], emit: Emitter) => void;

const single =
  (op: string, attributes: Record<string, Attribute> = {}, domain?: string): Lowering<OpName> =>
  (y, inputs, emit) =>
    emit.node(op, inputs, [emit.name(y)], attributes, domain);

const contrib = "com.microsoft";

const lowerings: { readonly [K in OpName]: Lowering<K> } = {
  input: (y) => {
    throw new GraphError(`input "${y.attributes.name}" belongs to another graph`);
  },
  constant: (y, _, emit) => emit.alias(y, emit.initializer(y.attributes.values, y.shape as number[], y.dtype)),
  add: single("Add"),
  sub: single("Sub"),
  mul: single("Mul"),
  div: single("Div"),
  maximum: single("Max"),
  minimum: single("Min"),
  neg: single("Neg"),
  exp: single("Exp"),
  log: single("Log"),
  sqrt: single("Sqrt"),
  tanh: single("Tanh"),
  erf: single("Erf"),
  cos: single("Cos"),
  sin: single("Sin"),
  sigmoid: single("Sigmoid"),
  softplus: single("Softplus"),
  less: single("Less"),
  equal: single("Equal"),
  and: single("And"),
  not: single("Not"),
  where: single("Where"),
  cast: (y, inputs, emit) => emit.node("Cast", inputs, [emit.name(y)], { to: { int: elementTypes[y.dtype] } }),
  stopGradient: (y, [x], emit) => emit.alias(y, x as string),
  sum: (y, [x], emit) => reduction("ReduceSum", y, x as string, emit),
  max: (y, [x], emit) => reduction("ReduceMax", y, x as string, emit),
  argmax: single("ArgMax", { axis: { int: -1 }, keepdims: { int: 0 } }),
  cumsum: (y, [x], emit) => emit.node("CumSum", [x as string, emit.ints([-1], [])], [emit.name(y)]),
  reshape: (y, [x], emit) =>
    emit.node("Reshape", [x as string, emit.shape(y.shape)], [emit.name(y)], { allowzero: { int: 1 } }),
  expand: (y, [x], emit) => emit.node("Expand", [x as string, emit.shape(y.shape)], [emit.name(y)]),
  transpose: (y, inputs, emit) =>
    emit.node("Transpose", inputs, [emit.name(y)], { perm: { ints: y.attributes.permutation } }),
  slice: (y, [x], emit) => {
    const { axis, start, end } = y.attributes;
    emit.node("Slice", [x as string, emit.ints([start]), emit.ints([end]), emit.ints([axis])], [emit.name(y)]);
  },
  concat: (y, inputs, emit) => emit.node("Concat", inputs, [emit.name(y)], { axis: { int: y.attributes.axis } }),
  split: (y, [x], emit) => {
    const { axis, sizes } = y.attributes;
    emit.node("Split", [x as string, emit.shape(sizes)], emit.names(y, sizes.length), { axis: { int: axis } });
  },
  range: (y, _, emit) => {
    const limit = emit.dimScalar(y.shape[0] as Dim);
    emit.node("Range", [emit.ints([0], []), limit, emit.ints([1], [])], [emit.name(y)]);
  },
  sizeOf: (y, _, emit) => emit.alias(y, emit.dimScalar(y.attributes.dim)),
  gather: (y, inputs, emit) => emit.node("Gather", inputs, [emit.name(y)], { axis: { int: y.attributes.axis } }),
  scatterAdd: (y, [updates, indices, into], emit) => {
    const [long, column] = [emit.fresh(), emit.fresh()];
    emit.node("Cast", [indices as string], [long], { to: { int: elementTypes.int64 } });
    emit.node("Unsqueeze", [long, emit.ints([1])], [column]);
    const base = into ?? emit.fresh();
    if (into === undefined) emit.node("Expand", [emit.initializer([0], [], "float32"), emit.shape(y.shape)], [base]);
    const reduction = { reduction: { string: "add" } };
    if (y.attributes.distinct)
      return emit.node(
        "ScatterND",
        [base, column, updates as string],
        [emit.name(y)],
        into === undefined ? {} : reduction,
      );
    // ScatterND adds from several threads at once and loses updates if an index occurs twice; ScatterElements does not.
    const spread = emit.fresh();
    emit.node("Expand", [column, emit.shape((y.inputs[0] as Tensor).shape)], [spread]);
    const attributes = { axis: { int: 0 }, ...reduction };
    emit.node("ScatterElements", [base, spread, updates as string], [emit.name(y)], attributes);
  },
  pick: (y, [x, index], emit) => {
    const [column, picked] = [emit.fresh(), emit.fresh()];
    emit.node("Unsqueeze", [index as string, emit.ints([-1])], [column]);
    emit.node("GatherElements", [x as string, column], [picked], { axis: { int: -1 } });
    emit.node("Squeeze", [picked, emit.ints([-1])], [emit.name(y)]);
  },
  oneHot: (y, [index], emit) => {
    const long = emit.fresh();
    emit.node("Cast", [index as string], [long], { to: { int: elementTypes.int64 } });
    const values = emit.initializer([0, 1], [2], "float32");
    emit.node("OneHot", [long, emit.ints([y.attributes.size]), values], [emit.name(y)]);
  },
  topK: (y, [x], emit) => emit.node("TopK", [x as string, emit.ints([y.attributes.k])], emit.names(y, 2)),
  matmul: (y, inputs, emit) => {
    const { transA, transB, alpha } = y.attributes;
    if (!transA && !transB && alpha === 1) return emit.node("MatMul", inputs, [emit.name(y)]);
    const flags = { transA: { int: Number(transA) }, transB: { int: Number(transB) }, alpha: { float: alpha } };
    emit.node("FusedMatMul", inputs, [emit.name(y)], flags, contrib);
  },
  linear: single("Gemm"),
  softmax: single("Softmax"),
  logSoftmax: single("LogSoftmax"),
  gelu: single("Gelu", { approximate: { string: "tanh" } }),
  layerNorm: (y, inputs, emit) =>
    emit.node("LayerNormalization", inputs, emit.names(y, 3), { epsilon: { float: y.attributes.epsilon } }),
  rmsNorm: (y, inputs, emit) =>
    emit.node("SimplifiedLayerNormalization", inputs, emit.names(y, 2), {
      axis: { int: -1 },
      epsilon: { float: y.attributes.epsilon },
    }),
  rotary: (y, [x, cos, sin], emit) => {
    const [, H, , K] = (y.inputs[0] as Tensor).shape as [Dim, number, Dim, number];
    const angles = (y.inputs[1] as Tensor).shape;
    const [rows, half] = [product(angles.slice(0, -1)), angles.at(-1) as number];
    // The kernel looks angles up by position: one table for all rows from 0 on, or a table with an entry of its own for each id.
    const [table, positions] = [emit.fresh(), emit.fresh()];
    const tables = [cos, sin].map((name) => {
      if (angles.length === 2) return name as string;
      const flat = emit.fresh();
      emit.node("Reshape", [name as string, emit.shape([rows, half])], [flat], { allowzero: { int: 1 } });
      return flat;
    });
    if (angles.length === 3) {
      emit.node("Range", [emit.ints([0], []), emit.dimScalar(rows), emit.ints([1], [])], [table]);
      emit.node("Reshape", [table, emit.shape(angles.slice(0, -1))], [positions], { allowzero: { int: 1 } });
    }
    const at = angles.length === 3 ? positions : emit.ints([0]);
    const partial: Record<string, Attribute> =
      2 * half === K ? {} : { rotary_embedding_dim: { int: 2 * half }, num_heads: { int: H } };
    emit.node("RotaryEmbedding", [x as string, at, ...tables], [emit.name(y)], partial, contrib);
  },
  loop: (y, inputs, emit) => emit.loop(y, inputs),
  customGradient: (y, inputs, emit) => emit.alias(y, ...inputs.slice(0, y.attributes.results)),
  output: (y, _, emit) => emit.alias(y, emit.names(y.inputs[0] as Tensor, 0)[y.attributes.index] as string),
};

function reduction(op: string, y: Tensor<"sum" | "max">, x: string, emit: Emitter): void {
  const { axes, keepDims } = y.attributes;
  emit.node(op, [x, emit.ints(axes)], [emit.name(y)], { keepdims: { int: Number(keepDims) } });
}

/** The name of an output inside the model, where inputs and outputs share one space of names. */
export function outputName(name: string): string {
  return `=${name}`;
}

/** The program that computes named outputs. Inputs are found by walking back from them. */
export function lower(outputs: Readonly<Record<string, Tensor>>): Program {
  const emitter = new Emitter();
  return emitter.program(outputs);
}

class Emitter {
  readonly #names = new Map<Tensor, string[]>();
  readonly #visited = new Set<Tensor>();
  readonly #initializers = new Map<string, InitializerProto>();
  readonly #root: Scope = { parent: null, nodes: [], symbols: new Map(), dims: new Map() };
  #scope: Scope = this.#root;
  #count = 0;

  program(outputs: Readonly<Record<string, Tensor>>): Program {
    const inputs = this.#graphInputs(Object.values(outputs));
    for (const tensor of inputs) this.#bind(tensor, tensor.attributes.name);
    const order = topological(Object.values(outputs));
    const entries = Object.entries(outputs);
    // Naming a value after the output that it becomes saves a copy; values that the graph did not make already have names.
    for (const [name, tensor] of entries) if (!this.#names.has(tensor)) this.alias(tensor, outputName(name));
    for (const tensor of order) this.#visit(tensor);
    for (const [name, tensor] of entries) {
      if (this.name(tensor) !== outputName(name)) this.node("Identity", [this.name(tensor)], [outputName(name)]);
    }
    const value = (name: string, tensor: Tensor): ValueProto => ({ name, type: tensor.dtype, shape: tensor.shape });
    const model = encodeModel({
      name: "graph",
      nodes: this.#root.nodes,
      initializers: [...this.#initializers.values()],
      inputs: inputs.map((tensor) => value(tensor.attributes.name, tensor)),
      outputs: Object.entries(outputs).map(([name, tensor]) => value(outputName(name), tensor)),
    });
    return {
      model,
      inputs: inputs.map(({ attributes, dtype, shape }) => ({ name: attributes.name, dtype, shape })),
      outputs: Object.entries(outputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    };
  }

  fresh(): string {
    return `_${this.#count++}`;
  }

  /** The name of a tensor's value, assigned on first use. */
  name(tensor: Tensor): string {
    return this.names(tensor, 1)[0] as string;
  }

  names(tensor: Tensor, count: number): string[] {
    const names = this.#names.get(tensor) ?? [];
    while (names.length < count) names.push(this.fresh());
    this.#names.set(tensor, names);
    return names;
  }

  alias(tensor: Tensor, ...names: string[]): void {
    this.#names.set(tensor, names);
  }

  node(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain?: string,
  ): void {
    this.#scope.nodes.push({ op, inputs, outputs, attributes, ...(domain === undefined ? {} : { domain }) });
  }

  /** The name of a constant; equal ones are shared. */
  initializer(values: readonly number[], shape: readonly number[], type: DType): string {
    const key = `${type}[${shape}]${values.map((value) => (Object.is(value, -0) ? "-0" : value))}`;
    const known = this.#initializers.get(key);
    if (known !== undefined) return known.name;
    const name = this.fresh();
    this.#initializers.set(key, { name, type, shape, values });
    return name;
  }

  ints(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.initializer(values, shape, "int64");
  }

  /** The name of an int64 vector holding a shape. */
  shape(shape: Shape): string {
    if (shape.every((dim) => typeof dim === "number")) return this.ints(shape as number[]);
    const name = this.fresh();
    this.node(
      "Concat",
      shape.map((dim) => this.#dim(dim)),
      [name],
      { axis: { int: 0 } },
    );
    return name;
  }

  dimScalar(dim: Dim): string {
    const name = this.fresh();
    this.node("Squeeze", [this.#dim(dim), this.ints([0])], [name]);
    return name;
  }

  loop(y: Tensor<"loop">, inputs: string[]): void {
    const { step, stateInputs, stateOutputs, stacked } = y.attributes;
    const results = bodyOutputs(y.attributes);
    const inside = this.#inside(y.attributes, results);
    const order = topological(results);
    for (const tensor of order) if (!inside.has(tensor)) this.#visit(tensor);
    const outer = this.#scope;
    this.#scope = { parent: outer, nodes: [], symbols: new Map(), dims: new Map() };
    const placeholders = [step, ...stateInputs];
    for (const tensor of placeholders) this.#bind(tensor, this.fresh());
    for (const tensor of order) if (inside.has(tensor)) this.#visit(tensor);
    const used = new Set(placeholders.map((tensor) => this.name(tensor)));
    const outputs = results.map((tensor) => {
      let name = this.name(tensor);
      // A name may leave the body only once, and only if the body made it.
      if (used.has(name) || !inside.has(tensor)) {
        name = this.fresh();
        this.node("Identity", [this.name(tensor)], [name]);
      }
      used.add(name);
      return { name, type: tensor.dtype };
    });
    const [stepValue, ...stateValues] = placeholders.map((tensor) => ({
      name: this.name(tensor),
      type: tensor.dtype,
      shape: tensor.shape,
    })) as [ValueProto, ...ValueProto[]];
    const condition = this.fresh();
    const again = this.fresh();
    this.node("Identity", [condition], [again]);
    const body = {
      name: "body",
      nodes: this.#scope.nodes,
      initializers: [],
      inputs: [stepValue, { name: condition, type: "bool", shape: [] } as const, ...stateValues],
      outputs: [{ name: again, type: "bool", shape: [] } as const, ...outputs],
    };
    this.#scope = outer;
    const [steps, ...initial] = inputs as [string, ...string[]];
    this.node("Loop", [steps, "", ...initial], this.names(y, stateOutputs.length + stacked.length), {
      body: { graph: body },
    });
  }

  #visit(tensor: Tensor): void {
    if (this.#visited.has(tensor)) return;
    this.#visited.add(tensor);
    const inputs = tensor.inputs.map((x) => this.name(x));
    (lowerings[tensor.op] as Lowering<OpName>)(tensor, inputs, this);
  }

  #bind(tensor: Tensor, name: string): void {
    this.#visited.add(tensor);
    this.alias(tensor, name);
    for (const [axis, dim] of tensor.shape.entries()) {
      if (typeof dim === "string" && !/[*+]/.test(dim) && !this.#scope.symbols.has(dim)) {
        this.#scope.symbols.set(dim, { name, axis });
      }
    }
  }

  /** The name of a one-entry int64 vector holding a dimension. */
  #dim(dim: Dim): string {
    if (typeof dim === "number") return this.ints([dim]);
    for (let scope: Scope | null = this.#scope; scope !== null; scope = scope.parent) {
      const known = scope.dims.get(dim);
      if (known !== undefined) return known;
    }
    const name = this.fresh();
    if (dim.includes("+")) this.#fold("Add", dim.split("+"), name);
    else if (dim.includes("*")) this.#fold("Mul", dim.split("*"), name);
    else {
      const { name: value, axis } = this.#symbol(dim);
      this.node("Shape", [value], [name], { start: { int: axis }, end: { int: axis + 1 } });
    }
    this.#scope.dims.set(dim, name);
    return name;
  }

  #fold(op: "Add" | "Mul", parts: readonly string[], name: string): void {
    const names = parts.map((part) => this.#dim(/^\d+$/.test(part) ? Number(part) : part));
    let left = names[0] as string;
    for (const [i, right] of names.slice(1).entries()) {
      const result = i === names.length - 2 ? name : this.fresh();
      this.node(op, [left, right], [result]);
      left = result;
    }
  }

  #symbol(symbol: string): { name: string; axis: number } {
    for (let scope: Scope | null = this.#scope; scope !== null; scope = scope.parent) {
      const bound = scope.symbols.get(symbol);
      if (bound !== undefined) return bound;
    }
    throw new GraphError(`dimension "${symbol}" is not bound by the shape of any input`);
  }

  /** Tensors that must be computed inside a loop: those that depend on values that change from step to step. */
  #inside(attributes: LoopAttributes, results: readonly Tensor[]): Set<Tensor> {
    const placeholders = new Set<Tensor>([attributes.step, ...attributes.stateInputs]);
    const symbols = new Set(attributes.stateInputs.flatMap((state) => state.shape.filter((dim) => this.#isNew(dim))));
    const inside = new Set<Tensor>();
    const search = (outputs: readonly Tensor[]) => {
      for (const tensor of topological(outputs)) {
        const body = tensor.op === "loop" ? bodyOutputs(tensor.attributes as LoopAttributes) : [];
        search(body);
        const changes = dimsOf(tensor).some((dim) => [...symbols].some((symbol) => mentions(dim, symbol as string)));
        const depends = [...tensor.inputs, ...body].some((x) => inside.has(x));
        if (placeholders.has(tensor) || changes || depends) inside.add(tensor);
      }
    };
    search(results);
    return inside;
  }

  #isNew(dim: Dim): boolean {
    if (typeof dim === "number" || /[*+]/.test(dim)) return false;
    for (let scope: Scope | null = this.#scope; scope !== null; scope = scope.parent) {
      if (scope.symbols.has(dim)) return false;
    }
    return true;
  }

  /** The inputs of the whole graph, in order of discovery, including those that only loop bodies read. */
  #graphInputs(outputs: readonly Tensor[]): Tensor<"input">[] {
    const found = new Map<string, Tensor<"input">>();
    const search = (tensors: readonly Tensor[], bound: ReadonlySet<Tensor>) => {
      for (const tensor of topological(tensors)) {
        if (tensor.op === "loop") {
          const attributes = tensor.attributes as LoopAttributes;
          search(bodyOutputs(attributes), new Set([...bound, attributes.step, ...attributes.stateInputs]));
        }
        if (tensor.op !== "input" || bound.has(tensor)) continue;
        const { name } = (tensor as Tensor<"input">).attributes;
        const other = found.get(name);
        if (other !== undefined && other !== tensor) throw new GraphError(`two inputs are called "${name}"`);
        found.set(name, tensor as Tensor<"input">);
      }
    };
    search(outputs, new Set());
    return [...found.values()];
  }
}

function bodyOutputs({ stateOutputs, stacked }: LoopAttributes): Tensor[] {
  return [...stateOutputs, ...stacked];
}

/** The dimensions that a tensor's own value depends on. */
function dimsOf(tensor: Tensor): readonly Dim[] {
  return tensor.op === "sizeOf" ? [(tensor as Tensor<"sizeOf">).attributes.dim] : tensor.shape;
}

function mentions(dim: Dim, symbol: string): boolean {
  return typeof dim === "string" && dim.split(/[*+]/).includes(symbol);
}
