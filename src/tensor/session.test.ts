/** Runs of compiled graphs: the same bits twice, outputs in place, values that are not finite, feeds that do not fit. */
import { afterAll, describe, expect, test } from "vitest";
import { runOnce, runSession, toValue, uniformGrid } from "../../test/support/graphs.ts";
import { EngineError } from "../util/errors.ts";
import { gradients } from "./gradients.ts";
import { input, node, type Tensor } from "./graph.ts";
import * as ops from "./ops.ts";
import { Session } from "./session.ts";

const open: Session[] = [];
async function compile(outputs: Record<string, Tensor>): Promise<Session> {
  const session = await Session.compile(outputs, { threads: 2 });
  open.push(session);
  return session;
}
afterAll(async () => {
  for (const session of open) await session.release();
});

const bits = (values: readonly number[]): string => Buffer.from(Float32Array.from(values).buffer).toString("hex");

describe("the same run twice", () => {
  test("has the same bits, in the same session and in another", async () => {
    const [x, w, scale, shift] = [
      input("x", ["N", 64]),
      input("w", [64, 256]),
      input("scale", [64]),
      input("shift", [64]),
    ];
    const hidden = ops.gelu(ops.matmul(ops.layerNorm(x, scale, shift, 1e-5), w));
    const loss = ops.sum(ops.mul(ops.logSoftmax(ops.matmul(hidden, w, { transB: true })), x));
    const outputs = { loss, dw: gradients(loss, [w])[0]!, dscale: gradients(loss, [scale])[0]! };
    const feeds = {
      x: uniformGrid("x", [500, 64]),
      w: uniformGrid("w", [64, 256], [-0.1, 0.1]),
      scale: uniformGrid("scale", [64]),
      shift: uniformGrid("shift", [64]),
    };
    const sessions = [await compile(outputs), await compile(outputs)];
    const runs = [];
    for (const session of [...sessions, ...sessions]) runs.push(await runSession(session, feeds));
    for (const run of runs) {
      for (const name of Object.keys(outputs)) expect(bits(run[name]!.data)).toBe(bits(runs[0]![name]!.data));
    }
  });

  test("loses no update of a row that comes many times, on two threads", async () => {
    const [N, D, rows] = [4096, 256, 3];
    const table = input("table", [rows, D]);
    const taken = ops.gather(table, input("indices", ["N"], "int32"));
    const loss = ops.sum(ops.mul(taken, input("g", ["N", D])));
    const session = await compile({ grad: gradients(loss, [table])[0]!, loss });
    const feeds = {
      table: toValue(uniformGrid("table", [rows, D]), "float32"),
      indices: { data: Int32Array.from({ length: N }, (_, i) => i % rows), shape: [N] },
      g: { data: new Float32Array(N * D).fill(1), shape: [N, D] },
    };
    for (let run = 0; run < 20; run++) {
      const { grad } = await session.run(feeds, { outputs: ["grad"] });
      expect([...new Set(grad!.data as Float32Array)].sort()).toEqual([1365, 1366]);
    }
  });
});

describe("outputs", () => {
  test("may be written over the inputs they are made of, if nothing else reads those", async () => {
    const [w, m, g] = [input("w", ["N"]), input("m", ["N"]), input("g", ["N"])];
    const next = ops.add(ops.mul(m, 0.5), g);
    const session = await compile({ w: ops.sub(ops.mul(w, 2), next), m: next, sum: ops.sum(ops.mul(next, g)) });
    const data = { w: Float32Array.of(1, 2, 3), m: Float32Array.of(2, 4, 8), g: Float32Array.of(1, 1, 2) };
    const value = (name: keyof typeof data) => ({ data: data[name], shape: [3] });
    const state = { w: value("w"), m: value("m") };
    const { w: out, sum } = await session.run({ ...state, g: value("g") }, { into: state });
    expect([...data.m]).toEqual([2, 3, 6]);
    expect([...data.w]).toEqual([0, 1, 0]);
    expect(out!.data).toBe(data.w);
    expect([...(sum!.data as Float32Array)]).toEqual([17]);
  });

  test("that are inputs, constants or one another's equals are allowed", async () => {
    const x = input("x", [2]);
    const y = ops.exp(x);
    const feeds = { x: { shape: [2], data: [0, 0] } };
    const result = await runOnce({ x, y, again: y, stopped: ops.stopGradient(x) }, feeds);
    expect(Object.values(result).map(({ data }) => data)).toEqual([
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
  });

  test("may be asked for by name", async () => {
    const x = input("x", [1]);
    const session = await compile({ a: ops.exp(x), b: ops.neg(x) });
    const value = { x: { data: Float32Array.of(0), shape: [1] } };
    expect(Object.keys(await session.run(value, { outputs: ["b"] }))).toEqual(["b"]);
  });
});

describe("sizes of 0", () => {
  test("pass through reshapes, products and reductions", async () => {
    const [x, w, i] = [input("x", ["N", 4]), input("w", [6, 4]), input("i", ["N"], "int32")];
    const logits = ops.matmul(x, w, { transB: true });
    const picked = ops.pick(ops.logSoftmax(logits), i);
    const loss = ops.sum(ops.mul(picked, ops.reshape(ops.sum(x, { axes: [1], keepDims: true }), ["N"])));
    const wide = ops.reshape(x, ["2*N", 2]);
    const [dx, dw] = gradients(loss, [x, w]);
    const feeds = {
      x: { shape: [0, 4], data: [] },
      w: uniformGrid("w", [6, 4]),
      i: { shape: [0], data: [] },
    };
    const result = await runOnce({ loss, dx: dx!, dw: dw!, wide }, feeds);
    expect(result.loss!.data).toEqual([0]);
    expect(result.dx!.shape).toEqual([0, 4]);
    expect(result.dw!.data.every((v) => v === 0)).toBe(true);
    expect(result.wide!.shape).toEqual([0, 2]);
  });

  test("of which one comes if the other shape has another size", async () => {
    const x = input("x", ["B", "N"]);
    const result = await runOnce({ y: ops.reshape(x, ["N", "B"]) }, { x: { shape: [3, 0], data: [] } });
    expect(result.y!.shape).toEqual([0, 3]);
  });
});

describe("NaN", () => {
  const feeds = { x: { shape: [3], data: [Number.NaN, 1, -1] } };
  const x = input("x", [3]);

  test.each([
    ["maximum", ops.maximum(x, 0)],
    ["maximum from the right", ops.maximum(0, x)],
    ["minimum", ops.minimum(x, 0)],
    ["clamp", ops.clamp(x, -1, 1)],
    ["mul by 0", ops.mul(x, 0)],
    ["softplus", ops.softplus(x)],
    ["gelu", ops.gelu(x)],
    ["tanh", ops.tanh(x)],
    ["softmax", ops.softmax(x)],
    ["sum", ops.sum(x)],
    ["max", ops.max(x)],
  ])("is not lost in %s", async (_, y) => {
    expect((await runOnce({ y }, feeds)).y!.data[0]).toBeNaN();
  });

  test("where picks nothing of the other side", async () => {
    const y = ops.where(ops.less(x, 5), x, 7);
    expect((await runOnce({ y }, feeds)).y!.data).toEqual([7, 1, -1]);
  });
});

describe("feeds that do not fit", () => {
  test("a missing one is named", async () => {
    const session = await compile({ y: ops.exp(input("x", [2])) });
    await expect(session.run({})).rejects.toThrow('input "x" was not fed');
    await expect(session.run({})).rejects.toBeInstanceOf(EngineError);
  });

  test.each([
    ["a size", { data: new Float32Array(3), shape: [3] }],
    ["a rank", { data: new Float32Array(2), shape: [1, 2] }],
    ["a number of entries", { data: new Float32Array(3), shape: [2] }],
    ["a type", { data: new Int32Array(2), shape: [2] }],
  ])("%s", async (_, value) => {
    const session = await compile({ y: ops.exp(input("x", [2])) });
    await expect(session.run({ x: value })).rejects.toThrow();
  });

  test("a graph that ONNX Runtime refuses is an EngineError", async () => {
    const wrong = node("gelu", [input("x", [2], "int32")], {}, "int32", [2]);
    await expect(compile({ wrong })).rejects.toBeInstanceOf(EngineError);
    await expect(compile({ wrong })).rejects.toThrow(/^ONNX Runtime refused a graph: .*Gelu/s);
  });
});
