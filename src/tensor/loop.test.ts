/** Loops: growing states, stacked slices, values from outside, loops within loops; against a slow interpreter. */
import { describe, expect, test } from "vitest";
import { distance, runOnce, runSession, uniformGrid } from "../../test/support/graphs.ts";
import { evaluate, type Grid } from "../../test/support/interpreter.ts";
import { constant, input, type Tensor } from "./graph.ts";
import * as ops from "./ops.ts";
import { Session } from "./session.ts";

const steps = input("steps", [], "int64");
const x = input("x", ["B", "T"]);
const weight = input("weight", ["B", 1]);

const count = (n: number): Grid => ({ shape: [], data: [n] });
const feeds = (B: number, T: number, n: number) => ({
  x: uniformGrid("x", [B, T]),
  weight: uniformGrid("weight", [B, 1]),
  steps: count(n),
});

const named = (outputs: readonly Tensor[]) => Object.fromEntries(outputs.map((tensor, i) => [`y${i}`, tensor]));

async function expectSame(outputs: readonly Tensor[], values: Record<string, Grid>): Promise<Grid[]> {
  const expected = evaluate(outputs, values);
  const actual = await runOnce(named(outputs), values);
  for (const [i, grid] of expected.entries()) expect(distance(actual[`y${i}`]!, grid)).toBeLessThan(1e-5);
  return expected;
}

/** Each step appends the mean of the history times a weight and a growing factor; it stacks that, and a number. */
function history(): Tensor[] {
  const { states, stacked } = ops.loop({
    steps,
    initial: [x, weight],
    stateShapes: [
      ["B", "R"],
      ["B", 1],
    ],
    stackedLength: "U",
    body: (step, [past, factor]) => {
      const mean = ops.div(ops.sum(past!, { axes: [1], keepDims: true }), ops.cast(ops.sizeOf("R"), "float32"));
      const next = ops.mul(ops.mul(mean, weight), factor!);
      const numbered = ops.add(ops.sum(next), ops.cast(step, "float32"));
      return { states: [ops.concat([past!, next], 1), ops.add(factor!, 1)], stacked: [numbered, next] };
    },
  });
  expect(stacked.map(({ shape }) => shape)).toEqual([["U"], ["U", "B", 1]]);
  return [...states, ...stacked];
}

describe("a loop", () => {
  test("carries states, one of which grows, and stacks slices", async () => {
    const [past, , numbered, slices] = await expectSame(history(), feeds(2, 3, 5));
    expect(past!.shape).toEqual([2, 8]);
    expect(numbered!.shape).toEqual([5]);
    expect(slices!.shape).toEqual([5, 2, 1]);
  });

  test("one program serves every number of steps and every size", async () => {
    const outputs = history();
    const session = await Session.compile(named(outputs), { threads: 2 });
    for (const values of [feeds(1, 1, 1), feeds(3, 2, 7), feeds(2, 4, 2), feeds(3, 2, 7)]) {
      const actual = await runSession(session, values);
      const expected = evaluate(outputs, values);
      for (const [i, grid] of expected.entries()) expect(distance(actual[`y${i}`]!, grid)).toBeLessThan(1e-5);
    }
    await session.release();
  });

  test("no step at all gives the states it began with", async () => {
    const { y0, y2 } = await runOnce(named(history()), feeds(2, 3, 0));
    expect(y0).toEqual(feeds(2, 3, 0).x);
    expect(y2!.shape).toEqual([0]);
  });

  test("states may pass through, swap, or take a value from outside", async () => {
    const outside = ops.exp(weight);
    const { states, stacked } = ops.loop({
      steps,
      initial: [weight, ops.neg(weight), weight],
      stateShapes: [weight.shape, weight.shape, weight.shape],
      stackedLength: "U",
      body: (_, [a, b, c]) => ({ states: [b!, a!, outside], stacked: [c!, c!, outside, constant(3)] }),
    });
    await expectSame([...states, ...stacked, outside], feeds(2, 1, 3));
  });

  test("the number of the step chooses a slice, as the sampler's uniforms are chosen", async () => {
    const rows = input("rows", ["U", "B"]);
    const { stacked } = ops.loop({
      steps,
      initial: [weight],
      stateShapes: [["B", 1]],
      stackedLength: "U",
      body: (step, [state]) => ({ states: [state!], stacked: [ops.gather(rows, step)] }),
    });
    const values = { ...feeds(2, 1, 3), rows: uniformGrid("rows", [3, 2]) };
    const [picked] = await expectSame(stacked, values);
    expect(picked).toEqual(values.rows);
  });

  test("two loops, the second over the first one's states, by the same symbol", async () => {
    const grow = (from: Tensor) =>
      ops.loop({
        steps,
        initial: [from],
        stateShapes: [["B", "R"]],
        stackedLength: "U",
        body: (_, [state]) => ({
          states: [ops.concat([state!, ops.sum(state!, { axes: [1], keepDims: true })], 1)],
          stacked: [],
        }),
      }).states[0]!;
    const [first] = [grow(x)];
    const second = grow(ops.mul(weight, 0.5));
    await expectSame([first!, second], feeds(2, 3, 3));
  });

  test("a loop within a loop sees the outer one's state and step", async () => {
    const { states } = ops.loop({
      steps,
      initial: [weight],
      stateShapes: [["B", 1]],
      stackedLength: "U",
      body: (outerStep, [outer]) => {
        const inner = ops.loop({
          steps: constant(2, [], "int64"),
          initial: [weight],
          stateShapes: [["B", 1]],
          stackedLength: 2,
          body: (_, [state]) => ({
            states: [ops.add(ops.mul(state!, 0.5), ops.add(outer!, ops.cast(outerStep, "float32")))],
            stacked: [],
          }),
        });
        return { states: inner.states, stacked: [] };
      },
    });
    await expectSame(states, feeds(2, 1, 3));
  });
});
