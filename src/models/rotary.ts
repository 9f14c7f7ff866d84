/** Rotary positions (Su et al. 2021, RoFormer) and their scalings to longer contexts, with the float32 frequencies of transformers. */
import type { Dim } from "../tensor/dims.ts";
import { constant, type Tensor } from "../tensor/graph.ts";
import { cast, cos, mul, reshape, rotary, sin } from "../tensor/ops.ts";
import { UsageError } from "../util/errors.ts";
import type { Reading } from "./attention.ts";

/** How positions become angles: Hugging Face's `rope_parameters`, by its names. Plain data. */
export type RopeParameters = { readonly rope_theta: number; readonly partial_rotary_factor?: number } & (
  | { readonly rope_type: "default" }
  | { readonly rope_type: "linear"; readonly factor: number }
  | {
      readonly rope_type: "llama3";
      readonly factor: number;
      readonly low_freq_factor: number;
      readonly high_freq_factor: number;
      readonly original_max_position_embeddings: number;
    }
  | {
      readonly rope_type: "yarn";
      readonly factor: number;
      readonly original_max_position_embeddings: number;
      readonly attention_factor?: number;
      readonly beta_fast?: number;
      readonly beta_slow?: number;
      readonly mscale?: number;
      readonly mscale_all_dim?: number;
      readonly truncate?: boolean;
    }
);

export interface Frequencies {
  /** Radians a position, one for each pair of entries that is rotated; float32 numbers. */
  readonly radians: readonly number[];
  /** Factor on cosines and sines, with which yarn makes attention sharper. */
  readonly factor: number;
}

const f32 = Math.fround;

/**
 * The frequencies of heads of a width. Each step is rounded to float32 as in transformers: at position 100,000 a frequency's last bit is an angle of 0.006.
 * Throws a UsageError if an odd width is rotated whole.
 */
export function frequenciesOf(rope: RopeParameters, headDim: number): Frequencies {
  const rotated = Math.trunc(headDim * (rope.partial_rotary_factor ?? 1));
  if (rotated === headDim && headDim % 2 === 1)
    throw new UsageError(
      `heads of width ${headDim} cannot be rotated: their entries do not form pairs`,
      "Give heads an even width.",
    );
  if (rotated < 1)
    throw new UsageError(
      `heads of width ${headDim} have no entries to rotate: ${rope.partial_rotary_factor} of them is less than one`,
      "Give heads a larger width.",
    );
  const periods = Array.from({ length: Math.ceil(rotated / 2) }, (_, i) =>
    f32(rope.rope_theta ** f32((2 * i) / rotated)),
  );
  const plain = periods.map((period) => f32(1 / period));
  switch (rope.rope_type) {
    case "default":
      return { radians: plain, factor: 1 };
    case "linear":
      return { radians: plain.map((radians) => f32(radians / rope.factor)), factor: 1 };
    case "llama3":
      return { radians: plain.map((radians) => llama3(radians, rope)), factor: 1 };
    case "yarn":
      return yarn(periods, rope, rotated);
  }
}

/** Long waves are stretched, short ones stay, between them a blend (Grattafiori et al. 2024, The Llama 3 herd; the formula is in their code). */
function llama3(radians: number, rope: RopeParameters & { rope_type: "llama3" }): number {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = rope;
  const wave = f32(f32(2 * Math.PI) / radians);
  if (wave > original / low) return f32(radians / factor);
  if (wave < original / high) return radians;
  const blend = f32(f32(f32(original / wave) - low) / (high - low));
  return f32(f32(f32(f32(1 - blend) * radians) / factor) + f32(blend * radians));
}

/** Frequencies that turn often stay, rare ones are stretched, with a ramp between (Peng et al. 2023, YaRN, section 3.2 and equation 22). */
function yarn(periods: readonly number[], rope: RopeParameters & { rope_type: "yarn" }, rotated: number): Frequencies {
  const { factor, original_max_position_embeddings: original, truncate = true } = rope;
  const pairAt = (turns: number) =>
    (rotated * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(rope.rope_theta));
  const [fast, slow] = [pairAt(rope.beta_fast ?? 32), pairAt(rope.beta_slow ?? 1)];
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
  const high = Math.min(truncate ? Math.ceil(slow) : slow, rotated - 1);
  const span = f32(low === high ? 0.001 : high - low);
  const radians = periods.map((period, i) => {
    const ramp = Math.min(1, Math.max(0, f32(f32(i - f32(low)) / span)));
    const kept = f32(1 - ramp);
    return f32(f32(f32(1 / f32(factor * period)) * f32(1 - kept)) + f32(f32(1 / period) * kept));
  });
  return { radians, factor: rope.attention_factor ?? sharpness(rope) };
}

function sharpness({ factor, mscale, mscale_all_dim: all }: RopeParameters & { rope_type: "yarn" }): number {
  const of = (scale = 1) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  return mscale && all ? of(mscale) / of(all) : of();
}

/**
 * Rotates queries or keys [B, H, S, K] by the positions of the ids read. One reading's cosines and sines are made once for each set of parameters, however
 * many layers use them: [S, R/2] for whole sequences, [B, 1, R/2] for one token per row.
 */
export function rotations(reading: Reading, headDim: number): (x: Tensor, rope: RopeParameters) => Tensor {
  const tables = new Map<string, { cos: Tensor; sin: Tensor }>();
  return (x, rope) => {
    const key = JSON.stringify(rope);
    const table = tables.get(key) ?? tableOf(reading, frequenciesOf(rope, headDim));
    tables.set(key, table);
    return rotary(x, table.cos, table.sin);
  };
}

function tableOf({ ids, positions }: Reading, { radians, factor }: Frequencies): { cos: Tensor; sin: Tensor } {
  const [count] = positions.shape as [Dim];
  const column = reshape(cast(positions, "float32"), ids.shape.length === 1 ? [count, 1, 1] : [count, 1]);
  const angles = mul(column, constant(radians));
  const scaled = (x: Tensor) => (factor === 1 ? x : mul(x, factor));
  return { cos: scaled(cos(angles)), sin: scaled(sin(angles)) };
}
