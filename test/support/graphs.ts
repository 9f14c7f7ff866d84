/** Random feeds for the graphs of tests, and runs through ONNX Runtime with the interpreter's values. */
import type { DType, Tensor } from "../../src/tensor/graph.ts";
import { type Data, Session, type Value } from "../../src/tensor/session.ts";
import { random } from "../../src/util/random.ts";
import type { Grid } from "./interpreter.ts";

export function toValue({ shape, data }: Grid, dtype: DType): Value {
  switch (dtype) {
    case "float32":
      return { shape, data: Float32Array.from(data) };
    case "float64":
      return { shape, data: Float64Array.from(data) };
    case "int32":
      return { shape, data: Int32Array.from(data) };
    case "int64":
      return { shape, data: BigInt64Array.from(data, BigInt) };
    case "bool":
      return { shape, data: Uint8Array.from(data) };
  }
}

export function toGrid({ shape, data }: { readonly shape: readonly number[]; readonly data: Data }): Grid {
  return { shape, data: Array.from(data as Iterable<number | bigint>, Number) };
}

/** Compiles, runs once and releases. It uses two threads, so that races show. */
export async function runOnce(
  outputs: Readonly<Record<string, Tensor>>,
  feeds: Readonly<Record<string, Grid>>,
): Promise<Record<string, Grid>> {
  const session = await Session.compile(outputs, { threads: 2 });
  try {
    return await runSession(session, feeds);
  } finally {
    await session.release();
  }
}

export async function runSession(
  session: Session,
  feeds: Readonly<Record<string, Grid>>,
): Promise<Record<string, Grid>> {
  const values = session.program.inputs.map(({ name, dtype }) => [name, toValue(feeds[name]!, dtype)] as const);
  const results = await session.run(Object.fromEntries(values));
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, toGrid(value)]));
}

/** Numbers uniform in [low, high), exact in float32. */
export function uniformGrid(seed: string, shape: readonly number[], [low, high] = [-1.5, 1.5]): Grid {
  const stream = random("grid", seed);
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Array.from({ length: count }, () => Math.fround(low! + (high! - low!) * stream.uniform())) };
}

/** Largest |a - b| / (1 + |b|); infinite if shapes differ or only one of two is a number. */
export function distance(a: Grid, b: Grid): number {
  if (a.shape.join() !== b.shape.join() || a.data.length !== b.data.length) return Infinity;
  return a.data.reduce((largest, x, i) => {
    const y = b.data[i]!;
    const gap = Object.is(x, y) || x === y ? 0 : Math.abs(x - y) / (1 + Math.abs(y));
    return Math.max(largest, Number.isNaN(gap) ? Infinity : gap);
  }, 0);
}
