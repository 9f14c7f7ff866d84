/** Our ONNX bytes, decoded by an independent protobuf library. */
import { onnx } from "onnx-proto";
import { describe, expect, test } from "vitest";
import { input } from "./graph.ts";
import { lower } from "./lower.ts";
import { encodeModel, type GraphProto, type NodeProto } from "./onnx.ts";
import * as ops from "./ops.ts";

const empty: GraphProto = { name: "g", nodes: [], initializers: [], inputs: [], outputs: [] };

function decode(graph: Partial<GraphProto>): onnx.ModelProto {
  const model = onnx.ModelProto.decode(encodeModel({ ...empty, ...graph }));
  expect(onnx.ModelProto.verify(model)).toBeNull();
  return model;
}

function decodeNode(node: Partial<NodeProto>): onnx.INodeProto {
  return decode({ nodes: [{ op: "Op", inputs: [], outputs: [], ...node }] }).graph!.node![0]!;
}

/** The library returns 64-bit numbers as objects. */
const whole = (value: unknown): bigint => BigInt(String(value));

describe("encodeModel", () => {
  test("says its IR version, producer and the two sets of operators", () => {
    const model = decode({});
    expect(whole(model.irVersion)).toBe(10n);
    expect(model.producerName).toBe("ballast");
    expect(model.opsetImport.map(({ domain, version }) => [domain, whole(version)])).toEqual([
      ["", 20n],
      ["com.microsoft", 1n],
    ]);
    expect(model.graph!.name).toBe("g");
  });

  test("a node has its names in order, empty ones too, and its domain", () => {
    const node = decodeNode({ op: "Loop", domain: "com.microsoft", inputs: ["n", "", "größe"], outputs: ["=y", "z"] });
    expect(node.opType).toBe("Loop");
    expect(node.domain).toBe("com.microsoft");
    expect(node.input).toEqual(["n", "", "größe"]);
    expect(node.output).toEqual(["=y", "z"]);
  });

  test.each([0, 1, 127, 128, 300, -1, -128, 2 ** 31, -(2 ** 31), 2 ** 40 + 3, 2 ** 53 - 1, -(2 ** 53 - 1)])(
    "the integer %d survives",
    (value) => {
      const [one, many] = decodeNode({ attributes: { one: { int: value }, many: { ints: [value, 7, value] } } })
        .attribute!;
      expect(one!.type).toBe(onnx.AttributeProto.AttributeType.INT);
      expect(whole(one!.i)).toBe(BigInt(value));
      expect(many!.type).toBe(onnx.AttributeProto.AttributeType.INTS);
      expect(many!.ints!.map(whole)).toEqual([value, 7, value].map(BigInt));
    },
  );

  test("floats and strings", () => {
    const [alpha, mode, infinite] = decodeNode({
      attributes: { alpha: { float: 0.1 }, mode: { string: "add" }, infinite: { float: -Infinity } },
    }).attribute!;
    expect(alpha!.name).toBe("alpha");
    expect(alpha!.f).toBe(Math.fround(0.1));
    expect(infinite!.f).toBe(-Infinity);
    expect(new TextDecoder().decode(mode!.s!)).toBe("add");
    expect(mode!.type).toBe(onnx.AttributeProto.AttributeType.STRING);
  });

  test.each([
    ["float32", [1.5, -0, Number.NaN], (bytes: ArrayBuffer) => new Float32Array(bytes)],
    ["int32", [1, -2, 2 ** 31 - 1], (bytes: ArrayBuffer) => new Int32Array(bytes)],
    ["int64", [1, -2, 2 ** 53 - 1], (bytes: ArrayBuffer) => Array.from(new BigInt64Array(bytes), Number)],
    ["bool", [1, 0, 1], (bytes: ArrayBuffer) => new Uint8Array(bytes)],
  ] as const)("an initializer of %s", (type, values, read) => {
    const [tensor] = decode({ initializers: [{ name: "w", type, shape: [3, 1], values }] }).graph!.initializer!;
    expect(tensor!.name).toBe("w");
    expect(tensor!.dims!.map(whole)).toEqual([3n, 1n]);
    expect(tensor!.dataType).toBe({ float32: 1, int32: 6, int64: 7, bool: 9 }[type]);
    expect(Array.from(read(Uint8Array.from(tensor!.rawData!).buffer))).toEqual(values);
  });

  test("values have types and shapes: numbers, symbols, none at all", () => {
    const { input: inputs, output } = decode({
      inputs: [
        { name: "a", type: "float32", shape: ["B", 3, "2*B+1"] },
        { name: "b", type: "int64", shape: [] },
      ],
      outputs: [{ name: "c", type: "bool" }],
    }).graph!;
    const shape = (value: onnx.IValueInfoProto) =>
      value.type!.tensorType!.shape?.dim?.map(({ dimParam, dimValue }) => dimParam || Number(whole(dimValue)));
    expect(inputs!.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(inputs!.map(({ type }) => type!.tensorType!.elemType)).toEqual([1, 7]);
    expect(inputs!.map(shape)).toEqual([["B", 3, "2*B+1"], []]);
    expect(shape(output![0]!)).toBeUndefined();
  });

  test("bodies within bodies, longer than a length of one byte", () => {
    const nodes = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ op: "Add", inputs: [`x${i}`, "y"], outputs: [`z${i}`] }));
    const inner: GraphProto = { ...empty, name: "inner", nodes: nodes(40) };
    const outer: GraphProto = {
      ...empty,
      name: "outer",
      nodes: [...nodes(3), { op: "Loop", inputs: ["n"], outputs: ["r"], attributes: { body: { graph: inner } } }],
    };
    const loop = decodeNode({ op: "Loop", attributes: { body: { graph: outer } } });
    expect(loop.attribute![0]!.type).toBe(onnx.AttributeProto.AttributeType.GRAPH);
    const read = loop.attribute![0]!.g!;
    expect(read.name).toBe("outer");
    expect(read.node!.map(({ opType }) => opType)).toEqual(["Add", "Add", "Add", "Loop"]);
    const deepest = read.node![3]!.attribute![0]!.g!;
    expect(deepest.node!.length).toBe(40);
    expect(deepest.node![39]!.output).toEqual(["z39"]);
  });
});

describe("a lowered graph", () => {
  const x = input("x", ["B", 4]);

  test("lists the inputs it reads and its outputs, with symbolic shapes", () => {
    const unused = input("unused", [2]);
    const { model, inputs, outputs } = lower({ y: ops.exp(x), "w.z": ops.sum(ops.add(x, 1), { axes: [1] }) });
    expect(unused.shape).toEqual([2]);
    expect(inputs).toEqual([{ name: "x", dtype: "float32", shape: ["B", 4] }]);
    expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ["y", ["B", 4]],
      ["w.z", ["B"]],
    ]);
    const graph = onnx.ModelProto.decode(model).graph!;
    expect(graph.input!.map(({ name }) => name)).toEqual(["x"]);
    expect(graph.output!.map(({ name }) => name)).toEqual(["=y", "=w.z"]);
  });

  test("equal constants and equal sizes are written once, and no value twice", () => {
    const shape = ["2*B", 2];
    const y = ops.add(ops.mul(ops.reshape(x, shape), 0.5), ops.mul(ops.reshape(ops.exp(x), shape), 0.5));
    const graph = onnx.ModelProto.decode(lower({ y }).model).graph!;
    const names = [...graph.node!.flatMap(({ output }) => output!), ...graph.initializer!.map(({ name }) => name!)];
    expect(new Set(names).size).toBe(names.length);
    expect(graph.initializer!.filter(({ dataType }) => dataType === 1).length).toBe(1);
    expect(graph.node!.filter(({ opType }) => opType === "Shape").length).toBe(1);
  });

  test("two inputs of one name are an error, and a size that no input binds", () => {
    expect(() => lower({ y: ops.add(x, input("x", ["B", 4])) })).toThrow('two inputs are called "x"');
    expect(() => lower({ y: ops.range("Q") })).toThrow('dimension "Q" is not bound by the shape of any input');
  });
});
