/** Every op's values through ONNX Runtime, and every gradient rule, against float64 and finite differences. */
import { describe, expect, test } from "vitest";
import { distance, runOnce, uniformGrid } from "../../test/support/graphs.ts";
import { evaluate, type Grid } from "../../test/support/interpreter.ts";
import { GraphError } from "../util/errors.ts";
import type { Shape } from "./dims.ts";
import { gradientRules, gradients } from "./gradients.ts";
import { constant, type DType, input, type OpName, type Tensor, topological } from "./graph.ts";
import * as ops from "./ops.ts";

interface Feed {
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Explicit values; otherwise uniform in `within`. */
  readonly values?: readonly number[];
  readonly within?: readonly [number, number];
}

interface Case {
  readonly about?: string;
  readonly feeds: Readonly<Record<string, Feed>>;
  /** Values of the symbols in the shapes. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly build: (x: Record<string, Tensor>) => Tensor | readonly Tensor[];
}

const floats = (...shape: Shape): Feed => ({ shape });
const within = (low: number, high: number, ...shape: Shape): Feed => ({ shape, within: [low, high] });
const integers = (shape: Shape, values: readonly number[], dtype: DType = "int32"): Feed => ({ shape, values, dtype });
const dynamic = { B: 2, T: 3 };

/** The op on one tensor, then on one with symbolic axes. */
const unary = (op: (x: Tensor) => Tensor, low = -2, high = 2): Case[] => [
  { feeds: { x: within(low, high, 2, 3) }, build: ({ x }) => op(x!) },
  { feeds: { x: within(low, high, "B", 1, "T") }, sizes: dynamic, build: ({ x }) => op(x!) },
];

/** The op on two tensors: of equal shapes, stretched on both sides, scalar against tensor, and symbolic. */
const binary = (op: (a: ops.Operand, b: ops.Operand) => Tensor, low = -2, high = 2): Case[] => {
  const build = ({ a, b }: Record<string, Tensor>) => op(a!, b!);
  const pair = (a: Shape, b: Shape) => ({ a: within(low, high, ...a), b: within(low, high, ...b) });
  return [
    { feeds: pair([2, 3], [2, 3]), build },
    { about: "both stretched", feeds: pair([4, 1, 3], [2, 1]), build },
    { about: "scalars", feeds: pair([], [2, 2]), build },
    { about: "scalars on the right", feeds: pair([1, 2], []), build },
    { about: "symbolic", feeds: pair(["B", "T"], ["T"]), sizes: dynamic, build },
    { about: "symbolic against 1", feeds: pair(["B", 1], [1, "T"]), sizes: dynamic, build },
    { about: "number", feeds: { x: within(low, high, 3) }, build: ({ x }) => [op(x!, 1.25), op(1.25, x!)] },
    { about: "the same on both sides", feeds: { x: within(low, high, 3) }, build: ({ x }) => op(x!, x!) },
  ];
};

const condition: Feed = { shape: [2, 1], values: [1, 0], dtype: "bool" };

const matmulCases: Case[] = [];
for (const transA of [false, true]) {
  for (const transB of [false, true]) {
    const sides = (m: readonly number[], a: Shape, b: Shape) => ({
      a: floats(...a, ...(transA ? [m[1]!, m[0]!] : [m[0]!, m[1]!])),
      b: floats(...b, ...(transB ? [m[2]!, m[1]!] : [m[1]!, m[2]!])),
    });
    for (const [about, a, b, alpha] of [
      ["plain", [], [], 1],
      ["batch", [2], [2], 0.37],
      ["batch by one matrix", [2, 3], [], 1],
      ["one matrix by batch", [], [3], -2],
      ["stretched batches", [2, 1], [1, 3], 0.5],
      ["symbolic batch", ["B", "T"], ["B", "T"], 0.5],
    ] as const) {
      matmulCases.push({
        about: `${about}, transA ${transA}, transB ${transB}, alpha ${alpha}`,
        feeds: sides([2, 3, 4], a, b),
        sizes: dynamic,
        build: (x) => ops.matmul(x.a!, x.b!, { transA, transB, alpha }),
      });
    }
  }
}

/** Angles are no parameters: they come from integers, through which no gradient passes. */
const rotation = (about: string, x: Shape, angles: Shape): Case => {
  const size = angles.reduce<number>((n, dim) => n * (typeof dim === "number" ? dim : dynamic[dim as "B"]), 1);
  return {
    about,
    feeds: {
      x: floats(...x),
      angles: integers(
        angles,
        Array.from({ length: size }, (_, i) => (7 * i) % 11),
      ),
    },
    sizes: dynamic,
    build: ({ x, angles }) => {
      const radians = ops.cast(angles!, "float32");
      return ops.rotary(x!, ops.cos(radians), ops.sin(radians));
    },
  };
};

/** Total over the ops: a new one does not compile without a case. */
const cases: { readonly [K in OpName]: readonly Case[] } = {
  input: [{ feeds: { x: floats(2) }, build: ({ x }) => x! }],
  constant: [{ feeds: { x: floats(2) }, build: ({ x }) => ops.add(x!, constant([-0.5, 3e10], [2])) }],
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: binary(ops.div, 0.5, 2),
  maximum: binary(ops.maximum),
  minimum: binary(ops.minimum),
  neg: unary(ops.neg),
  exp: unary(ops.exp),
  log: unary(ops.log, 0.3, 3),
  sqrt: unary(ops.sqrt, 0.3, 3),
  tanh: unary(ops.tanh),
  erf: [...unary(ops.erf), ...unary(ops.erf, -4, 4)],
  cos: [...unary(ops.cos), ...unary(ops.cos, -40, 40)],
  sin: [...unary(ops.sin), ...unary(ops.sin, -40, 40)],
  sigmoid: unary(ops.sigmoid),
  softplus: [...unary(ops.softplus), ...unary(ops.softplus, -80, 80)],
  less: [{ feeds: { a: floats(2, 3), b: floats(3) }, build: ({ a, b }) => ops.less(a!, b!) }],
  equal: [
    {
      feeds: { a: integers([4], [1, 2, 3, 2], "int64"), b: integers([], [2], "int64") },
      build: ({ a, b }) => ops.equal(a!, b!),
    },
  ],
  and: [{ feeds: { a: floats(5), b: floats(5) }, build: ({ a, b }) => ops.and(ops.less(a!, 0.5), ops.less(-0.5, b!)) }],
  not: [{ feeds: { a: floats(5) }, build: ({ a }) => ops.not(ops.less(a!, 0)) }],
  where: [
    { feeds: { condition, a: floats(2, 3), b: floats(3) }, build: (x) => ops.where(x.condition!, x.a!, x.b!) },
    { feeds: { condition, a: floats(4, 1, 3) }, build: (x) => ops.where(x.condition!, x.a!, 0.5) },
    { feeds: { x: floats("B", "T") }, sizes: dynamic, build: ({ x }) => ops.where(ops.less(x!, 0), 2, ops.exp(x!)) },
  ],
  cast: [
    { feeds: { x: within(-4, 4, 6) }, build: ({ x }) => ops.cast(ops.cast(x!, "int32"), "float32") },
    { feeds: { x: floats(6) }, build: ({ x }) => ops.cast(ops.less(x!, 0), "int64") },
  ],
  stopGradient: [{ feeds: { x: floats(2, 3) }, build: ({ x }) => ops.stopGradient(x!) }],
  sum: [
    { feeds: { x: floats(2, 3) }, build: ({ x }) => ops.sum(x!) },
    { feeds: { x: floats(2, 3) }, build: ({ x }) => ops.sum(x!, { keepDims: true }) },
    { feeds: { x: floats(2, 3, 4) }, build: ({ x }) => ops.sum(x!, { axes: [1] }) },
    { feeds: { x: floats(2, 3, 4) }, build: ({ x }) => ops.sum(x!, { axes: [-1, 0], keepDims: true }) },
    { about: "no axes", feeds: { x: floats(2, 3) }, build: ({ x }) => ops.sum(x!, { axes: [] }) },
    { about: "a scalar", feeds: { x: floats() }, build: ({ x }) => ops.sum(x!) },
    { feeds: { x: floats("B", 2, "T") }, sizes: dynamic, build: ({ x }) => ops.sum(x!, { axes: [0] }) },
  ],
  max: [
    { feeds: { x: floats(2, 3, 4) }, build: ({ x }) => ops.max(x!, { axes: [1] }) },
    { feeds: { x: floats("B", "T") }, sizes: dynamic, build: ({ x }) => ops.max(x!, { axes: [-1], keepDims: true }) },
  ],
  argmax: [
    { feeds: { x: floats("B", 3, 5) }, sizes: dynamic, build: ({ x }) => ops.argmax(x!) },
    { about: "ties", feeds: { x: integers([2, 3], [1, 4, 4, 7, 7, 7], "float32") }, build: ({ x }) => ops.argmax(x!) },
  ],
  cumsum: [{ feeds: { x: floats("B", 5) }, sizes: dynamic, build: ({ x }) => ops.cumsum(x!) }],
  reshape: [
    { feeds: { x: floats(2, 6) }, build: ({ x }) => ops.reshape(x!, [3, 1, 4]) },
    {
      about: "symbolic",
      feeds: { x: floats("B", "T", 4) },
      sizes: dynamic,
      build: ({ x }) => ops.reshape(x!, ["B*T", 2, 2]),
    },
    { about: "to a scalar", feeds: { x: floats(1, 1) }, build: ({ x }) => ops.reshape(x!, []) },
    {
      about: "a sum times a number",
      feeds: { x: floats("B", 2), y: floats(1, 2) },
      sizes: dynamic,
      build: ({ x, y }) => {
        const joined = ops.concat([x!, y!], 0);
        return ops.mul(ops.reshape(ops.expand(ops.reshape(joined, ["B+1", 1, 2]), ["B+1", 3, 2]), ["6*B+6"]), 2);
      },
    },
  ],
  expand: [
    { feeds: { x: floats(3, 1) }, build: ({ x }) => ops.expand(x!, [2, 3, 4]) },
    {
      feeds: { x: floats(1), y: floats("B", "T") },
      sizes: dynamic,
      build: ({ x, y }) => ops.mul(ops.expand(x!, ["B", "T"]), y!),
    },
  ],
  transpose: [
    { feeds: { x: floats(2, 3, 4) }, build: ({ x }) => ops.transpose(x!, [2, 0, 1]) },
    { feeds: { x: floats("B", 2, "T", 1, 3) }, sizes: dynamic, build: ({ x }) => ops.transpose(x!, [2, 4, 0, 1, 3]) },
  ],
  slice: [
    { about: "middle", feeds: { x: floats(2, 5) }, build: ({ x }) => ops.slice(x!, 1, 1, 3) },
    { about: "front", feeds: { x: floats(5, "B") }, sizes: dynamic, build: ({ x }) => ops.slice(x!, 0, 0, 2) },
    { about: "end", feeds: { x: floats("B", 5) }, sizes: dynamic, build: ({ x }) => ops.slice(x!, -1, 4, 5) },
    { about: "all", feeds: { x: floats(5) }, build: ({ x }) => ops.slice(x!, 0, 0, 5) },
  ],
  concat: [
    { feeds: { a: floats(2, 1), b: floats(2, 3) }, build: ({ a, b }) => ops.concat([a!, b!, a!], 1) },
    { feeds: { a: floats("B", 2), b: floats("T", 2) }, sizes: dynamic, build: ({ a, b }) => ops.concat([a!, b!], 0) },
    { about: "one", feeds: { a: floats(2, 1) }, build: ({ a }) => ops.concat([a!], -1) },
  ],
  split: [
    { feeds: { x: floats(2, 6) }, build: ({ x }) => ops.split(x!, 1, 3) },
    { about: "an unused part", feeds: { x: floats(2, 6) }, build: ({ x }) => [ops.split(x!, 1, [1, 2, 3])[1]!] },
    {
      about: "a part used twice",
      feeds: { x: floats(4, "T") },
      sizes: dynamic,
      build: ({ x }) => {
        const [a, b] = ops.split(x!, 0, 2) as [Tensor, Tensor];
        return ops.add(ops.mul(a, b), ops.exp(a));
      },
    },
    {
      about: "symbolic",
      feeds: { x: floats("B", 2), y: floats("T", 2) },
      sizes: dynamic,
      build: ({ x, y }) => ops.split(ops.exp(ops.concat([x!, y!], 0)), 0, ["T", "B"]),
    },
  ],
  range: [{ feeds: { x: floats("B", "T") }, sizes: dynamic, build: ({ x }) => [ops.range("T"), ops.range(4), x!] }],
  sizeOf: [
    { feeds: { x: floats("B", "T") }, sizes: dynamic, build: ({ x }) => [ops.sizeOf("T"), ops.sizeOf("2*B*T+1"), x!] },
  ],
  gather: [
    {
      about: "repeated indices",
      feeds: { table: floats(4, 3), indices: integers([2, 3], [1, 1, 3, 0, 1, 3]) },
      build: (x) => ops.gather(x.table!, x.indices!),
    },
    {
      about: "symbolic rows",
      feeds: { table: floats("B", 3), indices: integers(["T"], [1, 0, 1], "int64") },
      sizes: dynamic,
      build: (x) => ops.gather(x.table!, x.indices!),
    },
    {
      about: "distinct",
      feeds: { table: floats(5, 2), indices: integers(["T"], [4, 0, 2]) },
      sizes: dynamic,
      build: (x) => ops.gather(x.table!, x.indices!, { distinct: true }),
    },
    {
      about: "a scalar index",
      feeds: { table: floats(4, 3), indices: integers([], [2], "int64") },
      build: (x) => ops.gather(x.table!, x.indices!),
    },
  ],
  scatterAdd: [
    {
      about: "repeated indices",
      feeds: { x: floats("B", 3), indices: integers(["B"], [2, 2]) },
      sizes: dynamic,
      build: (x) => ops.scatterAdd(x.x!, x.indices!, 4),
    },
    {
      about: "distinct",
      feeds: { x: floats(2, 3), indices: integers([2], [2, 0], "int64") },
      build: (x) => ops.scatterAdd(x.x!, x.indices!, 3, { distinct: true }),
    },
    {
      about: "repeated indices, into a tensor",
      feeds: { x: floats("B", 3), into: floats(4, 3), indices: integers(["B"], [2, 2]) },
      sizes: dynamic,
      build: (x) => ops.scatterAdd(x.x!, x.indices!, 4, { into: x.into }),
    },
    {
      about: "distinct, into a tensor",
      feeds: { x: floats(2, 3), into: floats(3, 3), indices: integers([2], [2, 0], "int64") },
      build: (x) => ops.scatterAdd(x.x!, x.indices!, 3, { distinct: true, into: x.into }),
    },
  ],
  pick: [
    { feeds: { x: floats(2, 3), i: integers([2], [2, 0]) }, build: ({ x, i }) => ops.pick(x!, i!) },
    {
      feeds: { x: floats("B", "T", 4), i: integers(["B", "T"], [3, 0, 1, 1, 2, 0], "int64") },
      sizes: dynamic,
      build: ({ x, i }) => ops.pick(x!, i!),
    },
  ],
  oneHot: [{ feeds: { i: integers(["B", 2], [0, 3, 1, 1]) }, sizes: dynamic, build: ({ i }) => ops.oneHot(i!, 4) }],
  topK: [
    {
      feeds: { x: floats("B", 6) },
      sizes: dynamic,
      build: ({ x }) => Object.values(ops.topK(x!, 3)),
    },
    {
      about: "ties",
      feeds: { x: integers([5], [1, 4, 2, 4, 4], "float32") },
      build: ({ x }) => Object.values(ops.topK(x!, 4)),
    },
  ],
  matmul: matmulCases,
  linear: [
    {
      feeds: { x: floats("B", 3), w: floats(3, 4), b: floats(4) },
      sizes: dynamic,
      build: ({ x, w, b }) => ops.linear(x!, w!, b!),
    },
  ],
  softmax: [...unary(ops.softmax), ...unary(ops.softmax, -30, 30)],
  logSoftmax: [...unary(ops.logSoftmax), ...unary(ops.logSoftmax, -30, 30)],
  gelu: [...unary(ops.gelu), ...unary(ops.gelu, -9, 9)],
  layerNorm: [
    {
      feeds: { x: floats(3, 4), scale: floats(4), shift: floats(4) },
      build: (x) => ops.layerNorm(x.x!, x.scale!, x.shift!, 1e-5),
    },
    {
      about: "three axes, symbolic",
      feeds: { x: floats("B", "T", 5), scale: floats(5), shift: floats(5) },
      sizes: dynamic,
      build: (x) => ops.layerNorm(x.x!, x.scale!, x.shift!, 0.1),
    },
  ],
  rmsNorm: [
    { feeds: { x: floats(3, 4), scale: floats(4) }, build: ({ x, scale }) => ops.rmsNorm(x!, scale!, 1e-5) },
    {
      about: "four axes, symbolic",
      feeds: { x: floats("B", 2, "T", 5), scale: floats(5) },
      sizes: dynamic,
      build: ({ x, scale }) => ops.rmsNorm(x!, scale!, 0.1),
    },
  ],
  rotary: [
    rotation("the same angles in every row", [2, 2, 3, 4], [3, 2]),
    rotation("symbolic", ["B", 3, "T", 6], ["T", 3]),
    rotation("part of each head", ["B", 2, "T", 10], ["T", 2]),
    rotation("angles by row", ["B", 2, 1, 4], ["B", 1, 2]),
    rotation("part of each head, angles by row", ["B", 2, "T", 7], ["B", "T", 3]),
  ],
  // loop.test.ts has the others.
  loop: [
    {
      feeds: { x: floats("B"), steps: integers([], [3], "int64") },
      sizes: dynamic,
      build: ({ x, steps }) =>
        ops.loop({
          steps: steps!,
          initial: [x!],
          stateShapes: [["B"]],
          stackedLength: "U",
          body: (_, [state]) => ({ states: [ops.mul(state!, 0.5)], stacked: [ops.exp(state!)] }),
        }).states,
    },
  ],
  customGradient: [
    {
      feeds: { x: floats(3), y: floats(3) },
      build: ({ x, y }) =>
        ops.customGradient([ops.mul(x!, y!), ops.exp(y!)], [x!, y!], ([gProduct, gExp]) => [
          ops.mul(gProduct!, y!),
          ops.add(ops.mul(gProduct!, x!), ops.mul(gExp!, ops.exp(y!))),
        ]),
    },
    {
      about: "one result unused, one input unwanted",
      feeds: { x: floats(3), n: integers([3], [1, 2, 3]) },
      build: ({ x, n }) =>
        ops.customGradient([ops.tanh(x!), x!], [x!, n!], ([g, none], wanted) => {
          expect([none, wanted]).toEqual([undefined, [true, false]]);
          return [ops.mul(g!, ops.sub(1, ops.mul(ops.tanh(x!), ops.tanh(x!)))), null];
        })[0]!,
    },
  ],
  output: [{ feeds: { x: floats(4) }, build: ({ x }) => ops.split(x!, 0, 2)[1]! }],
};

/** Ops whose result is constant, or piecewise constant, in their inputs; and those that nobody differentiates. */
const constantOps = [
  ...[
    "input",
    "constant",
    "less",
    "equal",
    "and",
    "not",
    "cast",
    "stopGradient",
    "argmax",
    "range",
    "sizeOf",
    "oneHot",
  ],
];
const unsupportedOps = ["max", "cumsum", "topK", "loop", "output"];

function feedsOf(name: string, { feeds, sizes = {} }: Case): Record<string, Grid> {
  const grids: Record<string, Grid> = {};
  for (const [key, { shape, values, within: range }] of Object.entries(feeds)) {
    const known = shape.map((dim) => (typeof dim === "number" ? dim : sizes[dim]!));
    grids[key] =
      values === undefined
        ? uniformGrid(`${name}/${key}`, known, range as [number, number])
        : { shape: known, data: values };
  }
  return grids;
}

function graphOf({ feeds, build }: Case): { inputs: Record<string, Tensor>; outputs: readonly Tensor[] } {
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  );
  const built = build(inputs);
  return { inputs, outputs: Array.isArray(built) ? built : [built as Tensor] };
}

const titled = Object.entries(cases).flatMap(([op, list]) =>
  list.map((one, i) => ({ op: op as OpName, title: `${op} ${i + 1}${one.about ? `, ${one.about}` : ""}`, one })),
);

describe("values through ONNX Runtime equal float64's within 1e-5", () => {
  test.each(titled)("$title", async ({ op, title, one }) => {
    const { outputs } = graphOf(one);
    if (op !== "sum") expect(topological(outputs).map((tensor) => tensor.op)).toContain(op);
    const feeds = feedsOf(title, one);
    const expected = evaluate(outputs, feeds);
    const actual = await runOnce(Object.fromEntries(outputs.map((tensor, i) => [`y${i}`, tensor])), feeds);
    for (const [i, grid] of expected.entries()) expect(distance(actual[`y${i}`]!, grid)).toBeLessThan(1e-5);
  });
});

describe("gradient rules equal central differences within 1e-6 in float64, and ONNX Runtime within 1e-5", () => {
  const differentiable = titled.filter(({ op }) => typeof gradientRules[op] !== "string");

  test("the ops without a rule are those that have no gradient", () => {
    const withRule = (kind: string) => Object.entries(gradientRules).filter(([, rule]) => rule === kind);
    expect(
      withRule("stops")
        .map(([op]) => op)
        .sort(),
    ).toEqual([...constantOps].sort());
    expect(
      withRule("unsupported")
        .map(([op]) => op)
        .sort(),
    ).toEqual([...unsupportedOps].sort());
    const tested = new Set(differentiable.map(({ op }) => op));
    expect(tested.size).toBe(Object.keys(gradientRules).length - constantOps.length - unsupportedOps.length);
  });

  test.each(differentiable)("$title", async ({ title, one }) => {
    const { inputs, outputs } = graphOf(one);
    const feeds = feedsOf(title, one);
    // The loss is a random projection of the outputs, so that a misplaced gradient shows.
    let loss: Tensor = constant(0);
    for (const [i, y] of outputs.entries()) {
      const [{ shape }] = evaluate([y], feeds) as [Grid];
      feeds[`projection${i}`] = uniformGrid(`${title}/projection${i}`, shape);
      loss = ops.add(loss, ops.sum(ops.mul(y, input(`projection${i}`, y.shape))));
    }
    const wrt = Object.entries(inputs).filter(([, tensor]) => tensor.dtype === "float32");
    const derived = gradients(
      loss,
      wrt.map(([, tensor]) => tensor),
    );
    expect(derived.map(({ shape }) => shape)).toEqual(wrt.map(([, tensor]) => tensor.shape));
    const [, ...exact] = evaluate([loss, ...derived], feeds);
    const named = Object.fromEntries(wrt.map(([name], i) => [name, derived[i]!]));
    const actual = await runOnce({ loss, ...named }, feeds);
    for (const [i, [name]] of wrt.entries()) {
      expect(distance(exact[i]!, differences(loss, feeds, name))).toBeLessThan(1e-6);
      expect(distance(actual[name]!, exact[i]!)).toBeLessThan(1e-5);
    }
  });
});

function differences(loss: Tensor, feeds: Readonly<Record<string, Grid>>, name: string): Grid {
  const { shape, data } = feeds[name]!;
  const h = 1e-5;
  const moved = (i: number, by: number) => ({ ...feeds, [name]: { shape, data: data.with(i, data[i]! + by) } });
  const value = (i: number, by: number) => evaluate([loss], moved(i, by))[0]!.data[0]!;
  return { shape, data: data.map((_, i) => (value(i, h) - value(i, -h)) / (2 * h)) };
}

describe("gradients", () => {
  const x = input("x", [4]);
  const of = (loss: Tensor, ...wrt: Tensor[]) => gradients(loss, wrt);
  const tied = { a: { shape: [3], data: [1, 2, 3] }, b: { shape: [3], data: [1, 3, 2] } };

  test("of equals, the first takes the gradient of maximum and minimum", () => {
    const [a, b] = [input("a", [3]), input("b", [3])];
    const at = (y: Tensor) => evaluate(of(ops.sum(y), a, b), tied).map(({ data }) => data);
    expect(at(ops.maximum(a, b))).toEqual([
      [1, 0, 1],
      [0, 1, 0],
    ]);
    expect(at(ops.minimum(a, b))).toEqual([
      [1, 1, 0],
      [0, 0, 1],
    ]);
  });

  test("clamp passes the gradient inside and at its bounds", () => {
    const [grad] = of(ops.sum(ops.clamp(x, -1, 1)), x);
    expect(evaluate([grad!], { x: { shape: [4], data: [-2, -1, 1, 2] } })[0]!.data).toEqual([0, 1, 1, 0]);
  });

  test("a tensor used many times takes the sum of its gradients", async () => {
    const y = ops.mul(ops.exp(x), ops.add(x, ops.exp(x)));
    const feeds = { x: uniformGrid("many", [4]) };
    const [grad] = of(ops.sum(y), x);
    // d/dx e^x (x + e^x)
    const expected = feeds.x.data.map((v) => Math.exp(v) * (v + 1) + 2 * Math.exp(2 * v));
    expect(distance((await runOnce({ grad: grad! }, feeds)).grad!, { shape: [4], data: expected })).toBeLessThan(1e-6);
  });

  test("a table that is also multiplied, such as tied embeddings, has one gradient of its size: rows go into the other", async () => {
    const table = input("table", [4, 3]);
    const ids = input("ids", ["T"], "int32");
    const hidden = ops.gather(table, ids);
    const [grad] = of(ops.sum(ops.matmul(hidden, table, { transB: true })), table);
    expect(grad!.op).toBe("scatterAdd");
    expect(grad!.inputs[2]!.op).toBe("matmul");
    const feeds = { table: uniformGrid("tied", [4, 3]), ids: { shape: [3], data: [2, 0, 2] } };
    // dL/dtable[v] = sum of the hidden rows, and for each reading of v the sum of all rows of the table.
    const column = (rows: readonly number[], c: number) =>
      rows.reduce((sum, r) => sum + feeds.table.data[3 * r + c]!, 0);
    const data = [0, 1, 2, 3].flatMap((v) =>
      [0, 1, 2].map((c) => column([2, 0, 2], c) + [1, 0, 2, 0][v]! * column([0, 1, 2, 3], c)),
    );
    expect(distance((await runOnce({ grad: grad! }, feeds)).grad!, { shape: [4, 3], data })).toBeLessThan(1e-6);
  });

  test("what the loss does not depend on, or only through stopGradient, has zeros", async () => {
    const other = input("other", ["B", 2]);
    const loss = ops.sum(ops.add(ops.stopGradient(ops.exp(x)), ops.mul(0, ops.sum(other))));
    const [grad] = of(loss, x);
    const [unused] = of(ops.sum(x), other);
    const feeds = { x: uniformGrid("stop", [4]), other: uniformGrid("stop", [3, 2]) };
    const results = await runOnce({ loss, grad: grad!, unused: unused! }, feeds);
    expect(results.grad!.data).toEqual([0, 0, 0, 0]);
    expect(results.unused).toEqual({ shape: [3, 2], data: [0, 0, 0, 0, 0, 0] });
  });

  test("intermediate tensors have gradients too", () => {
    const y = ops.mul(x, 3);
    const [grad] = of(ops.sum(ops.mul(y, y)), y);
    expect(evaluate([grad!], { x: { shape: [4], data: [1, 2, 3, 4] } })[0]!.data).toEqual([6, 12, 18, 24]);
  });

  test.each(unsupportedOps.filter((op) => op !== "output"))("%s has no gradient, and says so", (op) => {
    const [{ feeds, build }] = cases[op as OpName] as [Case];
    const { inputs, outputs } = graphOf({ feeds, build });
    const loss = ops.sum(outputs[0]!);
    const wanted = inputs.x!;
    expect(() => of(loss, wanted)).toThrow(GraphError);
    expect(() => of(loss, wanted)).toThrow(`${op}: has no gradient`);
  });

  test("no gradient if the rule needs a size that is not known, with the shape", () => {
    const symbolic = input("s", ["B", "T"]);
    const index = input("i", ["B"], "int32");
    const one = (name: string) => input(name, ["T"]);
    expect(() => of(ops.sum(ops.slice(symbolic, 1, 0, 2)), symbolic)).toThrow(
      "slice: no gradient along the symbolic axis of [B, T]",
    );
    expect(() => of(ops.sum(ops.pick(symbolic, index)), symbolic)).toThrow(/pick.*\[B, T\]/);
    expect(() => of(ops.sum(ops.layerNorm(symbolic, one("a"), one("b"), 1e-5)), symbolic)).toThrow(
      /layerNorm.*\[B, T\]/,
    );
    expect(() => of(ops.sum(ops.gather(symbolic, index, { axis: 1 })), symbolic)).toThrow(
      /gather: no gradient.*\[B, T\]/,
    );
  });

  test("only a float32 scalar is a loss", () => {
    expect(() => of(x, x)).toThrow("gradients: the loss must be a float32 scalar, got float32 [4]");
    expect(() => of(ops.sum(ops.cast(x, "int32")), x)).toThrow("got int32 []");
  });
});
