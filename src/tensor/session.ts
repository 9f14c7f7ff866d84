/** Runs a lowered graph on ONNX Runtime. */
import type * as Ort from "onnxruntime-common";
import { EngineError, messageOf } from "../util/errors.ts";
import type { DType, Tensor } from "./graph.ts";
import { lower, outputName, type Program } from "./lower.ts";
import { loadRuntime } from "./runtime.ts";

export type Data = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

export interface Value {
  readonly data: Data;
  readonly shape: readonly number[];
}

export interface SessionOptions {
  /** Threads within one op. */
  readonly threads: number;
}

/**
 * Whether a graph keeps the memory of a run for the next, by the bytes of its inputs with fixed sizes, which are a model's parameters and gradients. That
 * saves about 5% of the time, and every graph holds its own peak as long as it lives: with a large model several gigabytes, of which only one graph's are
 * in use (docs/performance.md).
 */
export function keepsMemory(bytesOfInputs: number): boolean {
  return bytesOfInputs < 2 ** 26;
}

/** A compiled program. Runs are synchronous in the native runtime, although they return a promise. */
export class Session {
  readonly program: Program;
  readonly #session: Ort.InferenceSession;
  readonly #dtypes: ReadonlyMap<string, DType>;
  /** Seconds spent in the native runtime so far. */
  seconds = 0;

  private constructor(program: Program, session: Ort.InferenceSession) {
    this.program = program;
    this.#session = session;
    this.#dtypes = new Map([...program.inputs, ...program.outputs].map(({ name, dtype }) => [name, dtype]));
  }

  static async compile(outputs: Readonly<Record<string, Tensor>>, { threads }: SessionOptions): Promise<Session> {
    const program = lower(outputs);
    const runtime = loadRuntime();
    try {
      const session = await runtime.InferenceSession.create(program.model, {
        executionProviders: ["cpu"],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        // Shapes vary from run to run: keeping a memory plan for each would grow without end.
        enableMemPattern: false,
        enableCpuMemArena: keepsMemory(fixedBytes(program)),
        // A pool may spin for work during a run, but not after it, when the core belongs to the next session.
        extra: { session: { force_spinning_stop: "1" } },
        logSeverityLevel: 3,
      });
      return new Session(program, session);
    } catch (error) {
      throw new EngineError(`ONNX Runtime refused a graph: ${messageOf(error)}`, undefined, { cause: error });
    }
  }

  /**
   * Computes the named outputs (all by default). An array given in `into` is filled in place and becomes the output's data; it must have
   * the right size. Feeds are read without a copy, so such an array may also feed an input, as long as only the producers of that output
   * read the input.
   */
  async run(
    feeds: Readonly<Record<string, Value>>,
    { outputs, into = {} }: { outputs?: readonly string[]; into?: Readonly<Record<string, Value>> } = {},
  ): Promise<Record<string, Value>> {
    const native: Record<string, Ort.Tensor> = {};
    for (const { name } of this.program.inputs) {
      const value = feeds[name];
      if (value === undefined) throw new EngineError(`input "${name}" was not fed`);
      native[name] = this.#tensor(name, value);
    }
    const wanted = outputs ?? this.program.outputs.map(({ name }) => name);
    const fetches: Record<string, Ort.Tensor | null> = {};
    for (const name of wanted) {
      const target = into[name];
      fetches[outputName(name)] = target === undefined ? null : this.#tensor(name, target);
    }
    const start = performance.now();
    const results = await this.#session.run(native, fetches as Ort.InferenceSession.FetchesType);
    this.seconds += (performance.now() - start) / 1000;
    const values: Record<string, Value> = {};
    for (const name of wanted) {
      const result = results[outputName(name)] as Ort.Tensor;
      values[name] = into[name] ?? { data: result.data as Data, shape: result.dims };
    }
    return values;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  #tensor(name: string, { data, shape }: Value): Ort.Tensor {
    const dtype = this.#dtypes.get(name) as DType;
    return new (loadRuntime().Tensor)(dtype as "float32", data as Float32Array, shape as number[]);
  }
}

function fixedBytes({ inputs }: Program): number {
  const sizes = inputs.map(({ shape }) =>
    shape.reduce<number>((size, dim) => size * (typeof dim === "number" ? dim : 0), 4),
  );
  return sizes.reduce((total, size) => total + size, 0);
}
