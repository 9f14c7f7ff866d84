/** Arithmetic of symbolic dimensions, and the errors of shapes that do not fit, each with its op and shapes. */

import { describe, expect, test } from "vitest";
import fc from "../../test/support/property.ts";
import { GraphError } from "../util/errors.ts";
import { axisOf, broadcast, type Dim, product, sum } from "./dims.ts";
import { constant, input } from "./graph.ts";
import * as ops from "./ops.ts";

describe("symbolic dimensions", () => {
  const sizes: Record<string, number> = { B: 2, P: 3, R: 5, T: 7 };

  function sizeOf(dim: Dim): number {
    return String(dim)
      .split("+")
      .map((term) => term.split("*").reduce((value, part) => value * (sizes[part] ?? Number(part)), 1))
      .reduce((a, b) => a + b, 0);
  }

  const atom = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom("B", "P", "R", "T"));
  const dim = fc.array(fc.array(atom, { minLength: 1, maxLength: 3 }).map(product), { maxLength: 3 }).map(sum);
  const dims = fc.array(dim, { maxLength: 3 });

  test("products and sums have the value of their parts", () => {
    fc.assert(
      fc.property(dims, (list) => {
        expect(sizeOf(product(list))).toBe(list.map(sizeOf).reduce((a, b) => a * b, 1));
        expect(sizeOf(sum(list))).toBe(list.map(sizeOf).reduce((a, b) => a + b, 0));
      }),
    );
  });

  test("equal ones are the same string, in whatever order they were made", () => {
    fc.assert(
      fc.property(dims, dim, (list, factor) => {
        expect(product([...list].reverse())).toBe(product(list));
        expect(sum([...list].reverse())).toBe(sum(list));
        expect(product([sum(list), factor])).toBe(sum(list.map((part) => product([part, factor]))));
      }),
    );
  });

  test("known sizes are numbers", () => {
    expect(product([2, 3])).toBe(6);
    expect(sum([2, 3])).toBe(5);
    expect(product([])).toBe(1);
    expect(product([0, "B"])).toBe(0);
    expect(sum([])).toBe(0);
  });

  test("written shortly, atoms in order and the number last", () => {
    expect(product(["T", 4, "B"])).toBe("4*B*T");
    expect(sum([1, "R", "P"])).toBe("P+R+1");
    expect(product(["P+1", 2])).toBe("2*P+2");
    expect(sum(["B", "B"])).toBe(product([2, "B"]));
  });
});

describe("broadcasting", () => {
  test("aligns at the right and stretches 1", () => {
    expect(broadcast("add", [4, 1, 3], [2, 1])).toEqual([4, 2, 3]);
    expect(broadcast("add", ["B", 1], ["T"])).toEqual(["B", "T"]);
    expect(broadcast("add", [], ["B"])).toEqual(["B"]);
  });

  test("negative axes count from the end", () => {
    expect(axisOf("sum", -1, [2, 3])).toBe(1);
    expect(() => axisOf("sum", 2, [2, 3])).toThrow("sum: axis 2 is outside the shape [2, 3]");
    expect(() => axisOf("sum", -3, [2, 3])).toThrow("axis -3");
    expect(() => axisOf("sum", 0.5, [2, 3])).toThrow("axis 0.5");
  });
});

describe("a call that does not fit is a GraphError with the op and the shapes", () => {
  const [a23, b4, s] = [input("a", [2, 3]), input("b", [4]), input("s", ["B", "T"])];
  const index = input("i", ["B"], "int32");
  const flag = input("f", [2, 3], "bool");
  const body = (states: readonly ReturnType<typeof input>[]) => ({ states, stacked: [] });
  const loop = (options: Partial<Parameters<typeof ops.loop>[0]>) =>
    ops.loop({
      steps: input("n", [], "int64"),
      initial: [b4],
      stateShapes: [[4]],
      stackedLength: "U",
      body: (_, states) => ({ states, stacked: [] }),
      ...options,
    });

  test.each([
    ["add: shapes [2, 3] and [4] do not broadcast: 3 against 4", () => ops.add(a23, b4)],
    ["mul: shapes [B, T] and [4] do not broadcast: T against 4", () => ops.mul(s, b4)],
    ["sub: types differ, float32 [2, 3] and int32 [B]", () => ops.sub(a23, index)],
    ["maximum: needs float32 or float64 or int32 or int64, got bool of shape [2, 3]", () => ops.maximum(flag, flag)],
    ["exp: needs float32, got int32 of shape [B]", () => ops.exp(index)],
    ["less: types differ, int32 [B] and float32 []", () => ops.less(index, 0)],
    ["equal: shapes [2, 3] and [4] do not broadcast", () => ops.equal(a23, b4)],
    ["and: needs bool, got float32 of shape [2, 3]", () => ops.and(flag, a23)],
    ["not: needs bool, got float32 of shape [4]", () => ops.not(b4)],
    ["where: needs bool, got float32 of shape [2, 3]", () => ops.where(a23, a23, a23)],
    ["where: shapes [2, 3] and [4] do not broadcast", () => ops.where(flag, b4, 0)],
    ["where: types differ, float32 [4] and int32 [B]", () => ops.where(flag, b4, index)],
    ["sum: axis 2 is outside the shape [2, 3]", () => ops.sum(a23, { axes: [2] })],
    ["max: needs float32 or int32 or int64, got bool of shape [2, 3]", () => ops.max(flag)],
    ["reshape: [2, 3] has 6 entries, [4] has 4", () => ops.reshape(a23, [4])],
    ["reshape: [B, T] has B*T entries, [2*B, T] has 2*B*T", () => ops.reshape(s, ["2*B", "T"])],
    ["expand: [2, 3] cannot become [3]", () => ops.expand(a23, [3])],
    ["transpose: [0,0] does not permute the axes of [2, 3]", () => ops.transpose(a23, [0, 0])],
    ["transpose: [0] does not permute the axes of [2, 3]", () => ops.transpose(a23, [0])],
    ["slice: [1, 4) is outside axis 1 of [2, 3]", () => ops.slice(a23, 1, 1, 4)],
    ["slice: [2, 2) is outside axis 1 of [2, 3]", () => ops.slice(a23, 1, 2, 2)],
    ["concat: [4] does not fit [2, 3] along axis 0", () => ops.concat([a23, b4], 0)],
    ["concat: no tensors", () => ops.concat([], 0)],
    ["split: axis 1 of [2, 3] does not divide into 2 parts", () => ops.split(a23, 1, 2)],
    ["split: axis 0 of [B, T] does not divide into 2 parts", () => ops.split(s, 0, 2)],
    ["split: [1, 1] do not add up to 3 of [2, 3]", () => ops.split(a23, 1, [1, 1])],
    ["gather: needs int32 or int64, got float32 of shape [4]", () => ops.gather(a23, b4)],
    ["gather: axis 2 is outside the shape [2, 3]", () => ops.gather(a23, index, { axis: 2 })],
    ["scatterAdd: rows [2, 3] at indices [B]", () => ops.scatterAdd(a23, index, 4)],
    [
      "scatterAdd: rows of [5, 3] into float32 [2, 3]",
      () => ops.scatterAdd(a23, constant([0, 1], [2], "int32"), 5, { into: a23 }),
    ],
    ["pick: indices [B] do not fit [2, 3]", () => ops.pick(a23, index)],
    ["oneHot: needs int32 or int64, got float32 of shape [4]", () => ops.oneHot(b4, 3)],
    ["topK: 4 of the last axis of [2, 3]", () => ops.topK(a23, 4)],
    ["matmul: [2, 3] by [4]", () => ops.matmul(a23, b4)],
    ["matmul: [2, 3] by [2, 3]: inner sizes 3 and 2 differ", () => ops.matmul(a23, a23)],
    [
      "matmul: [2, 3] transposed by [B, T] transposed: inner sizes 2 and T differ",
      () => ops.matmul(a23, s, { transA: true, transB: true }),
    ],
    ["matmul: shapes [2] and [3] do not broadcast", () => ops.matmul(input("x", [2, 1, 1]), input("y", [3, 1, 1]))],
    ["linear: [2, 3] by [B, T] plus [4]", () => ops.linear(a23, s, b4)],
    ["softmax: needs float32, got int32 of shape [B]", () => ops.softmax(index)],
    ["layerNorm: [2, 3] with scale [4] and shift [4]", () => ops.layerNorm(a23, b4, b4, 1e-5)],
    ["loop: needs int64, got int32 of shape [B]", () => loop({ steps: index })],
    ["loop: the body returns 0 states, it was given 1", () => loop({ body: () => body([]) })],
    ["loop: state 0 changes its type to int32", () => loop({ body: () => body([index]) })],
  ])("%s", (message, call) => {
    expect(call).toThrow(GraphError);
    expect(call).toThrow(message);
  });

  test("constants must have as many values as their shape", () => {
    expect(() => constant([1, 2, 3], [2])).toThrow(GraphError);
    expect(() => constant([1, 2, 3], [2])).toThrow("constant: 3 values for the shape [2]");
  });
});
