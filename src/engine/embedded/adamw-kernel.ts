/**
 * The loops of the optimizer in WebAssembly: sums of gradients with two float64 numbers at a time, AdamW with four float32 numbers at a time, as PyTorch's
 * fused AdamW computes in float32. The operations, their order and so the bits are those of the loops in JavaScript that the test keeps beside them. The
 * module is a few instructions, assembled here.
 */

/** Numbers in a block: four arrays of them are in the processor's second cache. A multiple of 4. */
export const blockSize = 4096;
/** Bytes. */
const stride = 4 * blockSize;

export interface AdamWKernel {
  /** A block of each array, [blockSize]. */
  readonly weights: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
  readonly gradient: Float32Array;
  /** Four running sums of squares, then four of the entries; number i of the gradient goes to sum i mod 4. */
  readonly sums: Float64Array;
  /** Adds the first `count` numbers of the gradient's block, a multiple of 4, to the sums. */
  addSums(count: number): void;
  /** A step of AdamW on the first `count` numbers of the blocks, with the factors of `adamWStep` rounded to float32. */
  step(
    count: number,
    ...factors: [
      beta1: number,
      beta2: number,
      gradToM: number,
      gradToV: number,
      decay: number,
      rate: number,
      epsilon: number,
    ]
  ): void;
}

let made: AdamWKernel | null = null;

/** The kernel, made once per thread. */
export function adamWKernel(): AdamWKernel {
  made ??= make();
  return made;
}

const offsets = { weights: 0, m: stride, v: 2 * stride, gradient: 3 * stride, sums: 4 * stride } as const;

/** What is used of the standard's interface, which Node's types leave out. */
interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => unknown;
  readonly Instance: new (module: unknown) => { readonly exports: Exports };
}

interface Exports extends Pick<AdamWKernel, "addSums" | "step"> {
  readonly memory: { readonly buffer: ArrayBuffer };
}

function make(): AdamWKernel {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyInterface }).WebAssembly;
  const { memory, addSums, step } = new Instance(new Module(moduleBytes())).exports;
  const { buffer } = memory;
  const block = (offset: number) => new Float32Array(buffer, offset, blockSize);
  return {
    weights: block(offsets.weights),
    m: block(offsets.m),
    v: block(offsets.v),
    gradient: block(offsets.gradient),
    sums: new Float64Array(buffer, offsets.sums, 8),
    addSums,
    step,
  };
}

/** Instructions, as bytes. */
type Code = readonly number[];

const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const [low, rest] = [value & 127, value >> 7];
  const last = (rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0);
  return last ? [low] : [low | 128, ...signed(rest)];
}

const vector = (...operation: Code): Code => [0xfd, ...operation];
const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const i32 = (value: number): Code => [0x41, ...signed(value)];
const binary =
  (...operation: Code) =>
  (a: Code, b: Code): Code => [...a, ...b, ...operation];
const addI32 = binary(0x6a);
const shiftLeft = binary(0x74);
const lessUnsigned = binary(0x49);
const ofVectors = (operation: number) => binary(...vector(...unsigned(operation)));
const addDoubles = ofVectors(240);
const mulDoubles = ofVectors(242);
const add = ofVectors(228);
const sub = ofVectors(229);
const mul = ofVectors(230);
const div = ofVectors(231);
const sqrt = (x: Code): Code => [...x, ...vector(...unsigned(227))];
const splat = (x: Code): Code => [...x, ...vector(19)];
/** Two float32 numbers at an address, as float64. */
const loadPair = (address: Code, offset: number): Code => [
  ...[...address, ...vector(93), 2, ...unsigned(offset)],
  ...vector(95),
];
/** Four float32 numbers or two float64 numbers at an address, whose alignment is 2^`align` bytes. */
const loadAt = (address: Code, offset: number, align = 2): Code => [
  ...[...address, ...vector(0), align, ...unsigned(offset)],
];
const storeAt = (address: Code, offset: number, value: Code, align = 2): Code => [
  ...[...address, ...value, ...vector(11), align, ...unsigned(offset)],
];
/** Runs the body at least once, and again as long as the condition holds. */
const loopWhile = (condition: Code, body: Code): Code => [0x03, 0x40, ...body, ...condition, 0x0d, 0, 0x0b];

const size = (values: Code): Code => [...unsigned(values.length), ...values];
const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const text = (value: string): Code => size([...Buffer.from(value)]);

/** A function's locals, in groups of a type, and its instructions. */
function body(locals: readonly (readonly [count: number, type: number])[], code: Code): Code {
  return size([...list(locals.map(([count, type]) => [...unsigned(count), type])), ...code, 0x0b]);
}

function moduleBytes(): Uint8Array {
  const signature = (inputs: readonly number[]): Code => [0x60, ...list(inputs.map((type) => [type])), 0];
  const section = (id: number, items: readonly Code[]): Code => [id, ...size(list(items))];
  const pages = Math.ceil((offsets.sums + 64) / 65_536);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [signature([types.i32]), signature([types.i32, ...Array<number>(7).fill(types.f32)])]),
    ...section(3, [[0], [1]]),
    ...section(5, [[0, ...unsigned(pages)]]),
    ...section(7, [
      [...text("memory"), 2, 0],
      [...text("addSums"), 0, 0],
      [...text("step"), 0, 1],
    ]),
    ...section(10, [sumsCode(), stepCode()]),
  ]);
}

function sumsCode(): Code {
  // Locals: 0 the count and then the end in bytes, 1 the place in bytes, 2 to 5 the sums, 6 a pair.
  const places = [0, 16, 32, 48].map((offset) => offsets.sums + offset);
  const add2 = (half: number): Code => [
    ...set(6, loadPair(get(1), offsets.gradient + 8 * half)),
    ...set(2 + half, addDoubles(get(2 + half), mulDoubles(get(6), get(6)))),
    ...set(4 + half, addDoubles(get(4 + half), get(6))),
  ];
  return body(
    [
      [1, types.i32],
      [5, types.v128],
    ],
    [
      ...set(0, shiftLeft(get(0), i32(2))),
      ...places.flatMap((offset, i) => set(2 + i, loadAt(i32(0), offset, 3))),
      ...loopWhile(lessUnsigned(get(1), get(0)), [...add2(0), ...add2(1), ...set(1, addI32(get(1), i32(16)))]),
      ...places.flatMap((offset, i) => storeAt(i32(0), offset, get(2 + i), 3)),
    ],
  );
}

function stepCode(): Code {
  // Locals: 0 the count and then the end in bytes, 1 to 7 the factors, 8 the place in bytes, 9 to 15 the factors four times each, 16 g, 17 m, 18 v, 19 w.
  const [beta1, beta2, gradToM, gradToV, decay, rate, epsilon] = [9, 10, 11, 12, 13, 14, 15].map(get) as [
    ...[Code, Code, Code, Code],
    ...[Code, Code, Code],
  ];
  const [at, g, m, v, w] = [get(8), get(16), get(17), get(18), get(19)];
  return body(
    [
      [1, types.i32],
      [11, types.v128],
    ],
    [
      ...set(0, shiftLeft(get(0), i32(2))),
      ...[1, 2, 3, 4, 5, 6, 7].flatMap((factor) => set(8 + factor, splat(get(factor)))),
      ...loopWhile(lessUnsigned(at, get(0)), [
        ...set(16, loadAt(at, offsets.gradient)),
        ...set(17, add(mul(beta1, loadAt(at, offsets.m)), mul(gradToM, g))),
        ...set(18, add(mul(beta2, loadAt(at, offsets.v)), mul(gradToV, mul(g, g)))),
        ...set(19, loadAt(at, offsets.weights)),
        ...storeAt(at, offsets.m, m),
        ...storeAt(at, offsets.v, v),
        ...storeAt(at, offsets.weights, sub(w, add(mul(decay, w), div(mul(rate, m), add(sqrt(v), epsilon))))),
        ...set(8, addI32(at, i32(16))),
      ]),
    ],
  );
}
