/**
 * Reverse-mode differentiation: a total table with one rule per op, and the pass that walks the graph backwards.
 *
 * A rule takes the node y = op(x...) and g = dL/dy and returns dL/dx for each input, as more graph; null if no gradient flows. An op
 * without a rule does not compile.
 */
import { GraphError } from "../util/errors.ts";
import { type Dim, product as productOf, type Shape, show } from "./dims.ts";
import { constant, type OpName, type Tensor, topological } from "./graph.ts";
import {
  add,
  concat,
  cos,
  div,
  exp,
  expand,
  gather,
  less,
  matmul,
  mul,
  neg,
  not,
  oneHot,
  output,
  reshape,
  rotary,
  scatterAdd,
  sigmoid,
  sin,
  softmax,
  split,
  sub,
  sum,
  sumTo,
  transpose,
  where,
} from "./ops.ts";

type Rule<K extends OpName> = (y: Tensor<K>, g: Tensor) => (Tensor | null)[];

/** The rule of an op with several outputs: it gets one gradient per output, undefined if nothing depends on that output. */
interface ManyRule<K extends OpName> {
  readonly many: (
    y: Tensor<K>,
    gs: readonly (Tensor | undefined)[],
    wanted: (x: Tensor) => boolean,
  ) => (Tensor | null)[];
}

/** `stops`: the result is constant, or piecewise constant, in its inputs. `unsupported`: an error if the gradient is ever needed. */
type Entry<K extends OpName> = Rule<K> | ManyRule<K> | "stops" | "unsupported";

/** GELU's constants: y = x sigmoid(z), z = x (a + b x^2). */
const geluA = 2 * Math.sqrt(2 / Math.PI);
const geluB = geluA * 0.044715;

export const gradientRules: { readonly [K in OpName]: Entry<K> } = {
  input: "stops",
  constant: "stops",
  // d(a + b) = da + db
  add: (y, g) => each(y, (a, b) => [sumTo(g, a.shape), sumTo(g, b.shape)]),
  // d(a - b) = da - db
  sub: (y, g) => each(y, (a, b) => [sumTo(g, a.shape), sumTo(neg(g), b.shape)]),
  // d(a b) = b da + a db
  mul: (y, g) => each(y, (a, b) => [sumTo(mul(g, b), a.shape), sumTo(mul(g, a), b.shape)]),
  // d(a / b) = da / b - y db / b
  div: (y, g) => each(y, (a, b) => [sumTo(div(g, b), a.shape), sumTo(neg(div(mul(g, y), b)), b.shape)]),
  // The larger one takes the gradient; if both are equal, the first.
  maximum: (y, g) => each(y, (a, b) => chosen(not(less(a, b)), g, a, b)),
  // The smaller one takes the gradient; if both are equal, the first.
  minimum: (y, g) => each(y, (a, b) => chosen(not(less(b, a)), g, a, b)),
  // d(-x) = -dx
  neg: (_, g) => [neg(g)],
  // d exp(x) = y dx
  exp: (y, g) => [mul(g, y)],
  // d log(x) = dx / x
  log: (y, g) => [div(g, first(y))],
  // d sqrt(x) = dx / (2 y)
  sqrt: (y, g) => [div(mul(g, 0.5), y)],
  // d tanh(x) = (1 - y^2) dx
  tanh: (y, g) => [mul(g, sub(1, mul(y, y)))],
  // d erf(x) = 2/sqrt(pi) exp(-x^2) dx
  erf: (y, g) => [mul(g, mul(exp(neg(mul(first(y), first(y)))), 2 / Math.sqrt(Math.PI)))],
  // d cos(x) = -sin(x) dx
  cos: (y, g) => [neg(mul(g, sin(first(y))))],
  // d sin(x) = cos(x) dx
  sin: (y, g) => [mul(g, cos(first(y)))],
  // d sigmoid(x) = y (1 - y) dx
  sigmoid: (y, g) => [mul(g, mul(y, sub(1, y)))],
  // d softplus(x) = sigmoid(x) dx
  softplus: (y, g) => [mul(g, sigmoid(first(y)))],
  less: "stops",
  equal: "stops",
  and: "stops",
  not: "stops",
  // Each side takes the gradient for the entries chosen from it.
  where: (y, g) => {
    const [condition, a, b] = y.inputs as readonly [Tensor, Tensor, Tensor];
    return [null, ...chosen(condition, g, a, b)];
  },
  cast: "stops",
  stopGradient: "stops",
  // d sum(x) = sum(dx): every entry takes the gradient of its sum.
  sum: (y, g) => {
    const x = first(y);
    const kept = x.shape.map((dim, i) => (y.attributes.axes.includes(i) ? 1 : dim));
    return [expand(reshape(g, kept), x.shape)];
  },
  max: "unsupported",
  argmax: "stops",
  cumsum: "unsupported",
  reshape: (y, g) => [reshape(g, first(y).shape)],
  expand: (y, g) => [sumTo(g, first(y).shape)],
  // The inverse permutation.
  transpose: (y, g) => {
    const { permutation } = y.attributes;
    return [
      transpose(
        g,
        permutation.map((_, i) => permutation.indexOf(i)),
      ),
    ];
  },
  // The slice's gradient, padded with zeros.
  slice: (y, g) => {
    const { axis, start, end } = y.attributes;
    const x = first(y);
    const size = x.shape[axis];
    if (typeof size !== "number")
      throw new GraphError(`slice: no gradient along the symbolic axis of ${show(x.shape)}`);
    const zeros = (n: number) => zerosOf(x.shape.map((dim, i) => (i === axis ? n : dim)));
    const parts = [...(start > 0 ? [zeros(start)] : []), g, ...(end < size ? [zeros(size - end)] : [])];
    return [parts.length === 1 ? g : concat(parts, axis)];
  },
  // The parts of the gradient, in the inputs' sizes.
  concat: (y, g) => {
    const { axis } = y.attributes;
    return y.inputs.length === 1
      ? [g]
      : split(
          g,
          axis,
          y.inputs.map((part) => part.shape[axis] as Dim),
        );
  },
  // The gradients of the parts side by side; zeros for a part that nothing depends on.
  split: {
    many: (y, gs) => {
      const { axis, sizes } = y.attributes;
      const zeros = (size: Dim) => zerosOf(y.shape.map((dim, i) => (i === axis ? size : dim)));
      return [
        concat(
          sizes.map((size, i) => gs[i] ?? zeros(size)),
          axis,
        ),
      ];
    },
  },
  range: "stops",
  sizeOf: "stops",
  // Each row of the table takes the sum of the gradients of its copies.
  gather: (y, g) => {
    const [table, indices] = y.inputs as readonly [Tensor, Tensor];
    const [rows, width] = table.shape;
    if (y.attributes.axis !== 0 || table.shape.length !== 2) {
      throw new GraphError(
        `gather: no gradient for a table of shape ${show(table.shape)} along axis ${y.attributes.axis}`,
      );
    }
    const flat = reshape(g, [productOf(indices.shape), width as Dim]);
    const { distinct } = y.attributes;
    return [scatterAdd(flat, reshape(indices, [productOf(indices.shape)]), rows as Dim, { distinct }), null];
  },
  // Each update was added once, and what it was added to passes through.
  scatterAdd: (y, g) => [gather(g, y.inputs[1] as Tensor, { distinct: y.attributes.distinct }), null, g],
  // The picked entry takes the gradient, the others 0.
  pick: (y, g) => {
    const [x, index] = y.inputs as readonly [Tensor, Tensor];
    return [mul(oneHot(index, knownWidth(y.op, x)), reshape(g, [...g.shape, 1])), null];
  },
  oneHot: "stops",
  topK: "unsupported",
  // C = alpha A B: dA = alpha dC B', dB = alpha A' dC; if an operand is transposed, so is its gradient.
  matmul: (y, g) => {
    const [a, b] = y.inputs as readonly [Tensor, Tensor];
    const { transA, transB, alpha } = y.attributes;
    const da = transA
      ? matmul(b, g, { transA: transB, transB: true, alpha })
      : matmul(g, b, { transB: !transB, alpha });
    const db = transB
      ? matmul(g, a, { transA: true, transB: transA, alpha })
      : matmul(a, g, { transA: !transA, alpha });
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  },
  // y = x W + b: dx = g W', dW = x' g, db = column sums of g.
  linear: (y, g) => {
    const [x, weight] = y.inputs as readonly [Tensor, Tensor];
    return [matmul(g, weight, { transB: true }), matmul(x, g, { transA: true }), columnSums(g)];
  },
  // dx = y (g - sum(g y))
  softmax: (y, g) => {
    const gy = mul(g, y);
    return [sub(gy, mul(y, sum(gy, { axes: [-1], keepDims: true })))];
  },
  // dx = g - softmax(x) sum(g)
  logSoftmax: (y, g) => [sub(g, mul(softmax(first(y)), sum(g, { axes: [-1], keepDims: true })))],
  // y = x s, s = sigmoid(x p), p = a + b x^2: dy/dx = s (1 + (x - y) (3 p - 2 a)), since x s = y.
  gelu: (y, g) => {
    const x = first(y);
    const p = add(mul(mul(x, x), geluB), geluA);
    const s = sigmoid(mul(x, p));
    const inner = mul(sub(x, y), sub(mul(p, 3), 2 * geluA));
    return [mul(mul(add(inner, 1), s), g)];
  },
  // n = (x - m) r, y = n scale + shift: with h = g scale, dx = r (h - mean(h) - n mean(h n));
  // dscale = column sums of g n, dshift = column sums of g. Means over the last axis are products with `scale`.
  layerNorm: (y, g) => {
    const [x, scale] = y.inputs as readonly [Tensor, Tensor];
    const width = knownWidth(y.op, x);
    const lead = x.shape.slice(0, -1);
    const rows = productOf(lead);
    const flat = (t: Tensor, columns: Dim) => reshape(t, [rows, columns]);
    const mean = flat(output(y, 1, "float32", [...lead, 1]), 1);
    const r = flat(output(y, 2, "float32", [...lead, 1]), 1);
    const [x2, g2] = [flat(x, width), flat(g, width)];
    const n = mul(sub(x2, mean), r);
    const gn = mul(g2, n);
    const column = reshape(scale, [width, 1]);
    const meanH = matmul(g2, column, { alpha: 1 / width });
    const meanHn = matmul(gn, column, { alpha: 1 / width });
    const dx = mul(sub(sub(mul(g2, scale), meanH), mul(n, meanHn)), r);
    return [reshape(dx, x.shape), columnSums(gn), columnSums(g2)];
  },
  // n = x r, y = n scale: with h = g scale, dx = r (h - n mean(h n)); dscale = column sums of g n. The mean is a product with `scale`.
  rmsNorm: (y, g) => {
    const [x, scale] = y.inputs as readonly [Tensor, Tensor];
    const width = knownWidth(y.op, x);
    const lead = x.shape.slice(0, -1);
    const rows = productOf(lead);
    const r = reshape(output(y, 1, "float32", [...lead, 1]), [rows, 1]);
    const [x2, g2] = [reshape(x, [rows, width]), reshape(g, [rows, width])];
    const n = mul(x2, r);
    const gn = mul(g2, n);
    const meanHn = matmul(gn, reshape(scale, [width, 1]), { alpha: 1 / width });
    const dx = mul(sub(mul(g2, scale), mul(n, meanHn)), r);
    return [reshape(dx, x.shape), columnSums(gn)];
  },
  // A rotation's transpose is the rotation by the opposite angles. The angles depend on positions only: no gradient flows to them.
  rotary: (y, g) => {
    const [, c, s] = y.inputs as readonly [Tensor, Tensor, Tensor];
    return [rotary(g, c, neg(s)), null, null];
  },
  loop: "unsupported",
  // The results pass none on: their own graph is not differentiated.
  customGradient: {
    many: (y, gs, wanted) => {
      const { results, gradient } = y.attributes;
      return [...new Array<null>(results).fill(null), ...gradient(gs, y.inputs.slice(results).map(wanted))];
    },
  },
  output: "unsupported",
};

/**
 * dL/dx for each x in `wrt`, as graph. `loss` is a float32 scalar; an x that it does not depend on gets zeros.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0 || loss.dtype !== "float32") {
    throw new GraphError(`gradients: the loss must be a float32 scalar, got ${loss.dtype} ${show(loss.shape)}`);
  }
  return pullback([[loss, constant(1)]], wrt);
}

/** The sum over pairs (y, dL/dy) of dL/dx for each x in `wrt`, as graph. No y may depend on a different one. */
export function pullback(seeds: readonly (readonly [Tensor, Tensor])[], wrt: readonly Tensor[]): Tensor[] {
  const order = topological(seeds.map(([y]) => y));
  const needed = dependents(order, new Set(wrt));
  const total = new Map<Tensor, Tensor>(seeds);
  const parts = new Map<Tensor, (Tensor | undefined)[]>();
  for (const y of order.reverse()) {
    const g = total.get(y);
    const gs = parts.get(y);
    if (!needed.has(y) || (g === undefined && gs === undefined)) continue;
    if (y.op === "output") {
      const { index } = (y as Tensor<"output">).attributes;
      const owner = first(y);
      const list = parts.get(owner) ?? [];
      list[index] = g;
      parts.set(owner, list);
      continue;
    }
    for (const [i, dx] of applyRule(y, g, gs, (x) => needed.has(x)).entries()) {
      const x = y.inputs[i] as Tensor;
      if (dx === null || !needed.has(x)) continue;
      const before = total.get(x);
      total.set(x, before === undefined ? dx : plus(before, dx));
    }
  }
  return wrt.map((x) => total.get(x) ?? zerosOf(x.shape));
}

/** The sum of two gradients. Rows of a table go into the other gradient, which saves an array of the table's size. */
function plus(before: Tensor, dx: Tensor): Tensor {
  if (dx.op !== "scatterAdd" || dx.inputs.length === 3) return add(before, dx);
  const [updates, indices] = dx.inputs as readonly [Tensor, Tensor];
  const { distinct } = (dx as Tensor<"scatterAdd">).attributes;
  return scatterAdd(updates, indices, dx.shape[0] as Dim, { distinct, into: before });
}

function applyRule<K extends OpName>(
  y: Tensor<K>,
  g: Tensor | undefined,
  gs: (Tensor | undefined)[] | undefined,
  wanted: (x: Tensor) => boolean,
): (Tensor | null)[] {
  const rule = gradientRules[y.op] as Entry<K>;
  if (rule === "stops") return [];
  if (rule === "unsupported") throw new GraphError(`${y.op}: has no gradient`);
  if (typeof rule === "function") return rule(y, g as Tensor);
  return rule.many(y, gs ?? [], wanted);
}

/** The tensors that depend on one of `sources`, the sources included. */
function dependents(order: readonly Tensor[], sources: ReadonlySet<Tensor>): Set<Tensor> {
  const found = new Set<Tensor>();
  for (const tensor of order) {
    if (sources.has(tensor) || tensor.inputs.some((x) => found.has(x))) found.add(tensor);
  }
  return found;
}

function first(y: Tensor): Tensor {
  return y.inputs[0] as Tensor;
}

function each(y: Tensor, rule: (a: Tensor, b: Tensor) => (Tensor | null)[]): (Tensor | null)[] {
  return rule(y.inputs[0] as Tensor, y.inputs[1] as Tensor);
}

/** The size of the last axis, which must not be a symbol. */
function knownWidth(op: OpName, x: Tensor): number {
  const width = x.shape.at(-1);
  if (typeof width === "number") return width;
  throw new GraphError(`${op}: no gradient along the symbolic last axis of ${show(x.shape)}`);
}

function chosen(condition: Tensor, g: Tensor, a: Tensor, b: Tensor): Tensor[] {
  return [sumTo(where(condition, g, 0), a.shape), sumTo(where(condition, 0, g), b.shape)];
}

function zerosOf(shape: Shape): Tensor {
  return expand(constant(0), shape);
}

/** [N, d] -> [d] */
function columnSums(x: Tensor): Tensor {
  return sum(x, { axes: [0] });
}
