/**
 * Seeded random streams named by a path, such as `random(seed, "rollout", iteration)`.
 *
 * A stream is a pure function of its path, so nothing about it needs to be saved: a resumed run asks for the
 * same path and gets the same numbers. The generator is sfc32 (Chris Doty-Humphrey, PractRand), seeded by the
 * cyrb128 hash of the path.
 */

export type PathPart = string | number;

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(...path: PathPart[]) {
    [this.#a, this.#b, this.#c] = hash(path.map((part) => `${typeof part === "number" ? "n" : "s"}${part}`).join("/"));
    for (let i = 0; i < 15; i++) this.uint32();
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }

  /** A uniform number in [0, 1) with 23 bits: exact in float32, so that `u * total < total` holds in float32. */
  uniform(): number {
    return (this.uint32() >>> 9) / 0x800000;
  }

  /** A uniform integer in [0, n). The modulo bias is negligible (2^32 against n below a million). */
  integer(n: number): number {
    return Math.floor((this.uint32() / 0x100000000) * n);
  }

  /** A standard normal number (Box-Muller). */
  normal(): number {
    const u = (this.uint32() + 1) / 0x100000001;
    const v = this.uint32() / 0x100000000;
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }

  /** One of the items, chosen uniformly. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("pick from an empty list");
    return items[this.integer(items.length)] as T;
  }

  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = items.slice();
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
    }
    return copy;
  }
}

/** The stream at a path. */
export function random(...path: PathPart[]): Random {
  return new Random(...path);
}

/**
 * Uniform numbers in [0, 1) with 46 bits: the upper 23 from the stream at a path, the lower 23 from a stream beside it. For choices whose
 * probabilities may be below 2^-23.
 */
export function fineUniforms(...path: PathPart[]): () => number {
  const [coarse, fine] = [random(...path), random(...path, "fine")];
  return () => coarse.uniform() + fine.uniform() * 2 ** -23;
}

function hash(text: string): [number, number, number] {
  let a = 1779033703;
  let b = 3144134277;
  let c = 1013904242;
  let d = 2773480762;
  for (let i = 0; i < text.length; i++) {
    const k = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ k, 597399067);
    b = c ^ Math.imul(b ^ k, 2869860233);
    c = d ^ Math.imul(c ^ k, 951274213);
    d = a ^ Math.imul(d ^ k, 2716044179);
  }
  a = Math.imul(c ^ (a >>> 18), 597399067);
  b = Math.imul(d ^ (b >>> 22), 2869860233);
  c = Math.imul(a ^ (c >>> 17), 951274213);
  d = Math.imul(b ^ (d >>> 19), 2716044179);
  return [(a ^ b ^ c ^ d) | 0, (b ^ a) | 0, (c ^ a) | 0];
}
