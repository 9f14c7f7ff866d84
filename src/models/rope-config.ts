/**
 * Rotary parameters of `config.json`, in both spellings: `rope_parameters` (transformers 5), and `rope_theta` with `rope_scaling` (before). If a file
 * has both, the first counts.
 */
import type { HfConfig } from "./hf-config.ts";
import type { RopeParameters } from "./rotary.ts";

type Json = Readonly<Record<string, unknown>>;
type RopeType = RopeParameters["rope_type"];

/** What each type takes beside `rope_theta` and `partial_rotary_factor`. */
const fields: {
  readonly [T in RopeType]: { readonly needed: readonly string[]; readonly optional: readonly string[] };
} = {
  default: { needed: [], optional: [] },
  linear: { needed: ["factor"], optional: [] },
  llama3: {
    needed: ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
    optional: [],
  },
  yarn: {
    needed: ["factor", "original_max_position_embeddings"],
    optional: ["attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"],
  },
};

const dependOnLength = ["dynamic", "longrope", "su"];

/** The places of a family's rotary parameters in its file, and what counts if the file has none. */
export interface RopePlace {
  /** The entry of `rope_parameters` for one type of layers, for families with several. */
  readonly entry?: string;
  /** The key of the base in the older spelling. */
  readonly thetaKey?: string;
  readonly theta?: number;
  /** Whether the older `rope_scaling` is for these layers. */
  readonly scaled?: boolean;
  /** The key of the share of a head that is rotated in the older spelling, and its default, for families with one. */
  readonly partial?: { readonly key: string; readonly default: number };
}

/** Reads the rotary parameters. Throws a CheckpointError that names what this trunk does not compute. */
export function readRope(file: HfConfig, place: RopePlace = {}): RopeParameters {
  const { entry, thetaKey = "rope_theta", theta = 10_000, scaled = true, partial } = place;
  const { original_max_position_embeddings: pretrained } = file.json;
  const read = objectOf(file, "rope_parameters");
  // As in transformers, an empty object says nothing.
  const whole = read !== null && Object.keys(read).length > 0 ? read : null;
  const scaling = objectOf(file, "rope_scaling");
  if (entry !== undefined && Object.values(whole ?? {}).some((value) => value !== null && !isObject(value)))
    throw file.error(`rope_parameters has no entries by type of layer, such as ${entry}`);
  const own = entry === undefined ? whole : ((whole?.[entry] ?? null) as Json | null);
  const where = own ? (entry === undefined ? "rope_parameters" : `rope_parameters.${entry}`) : "rope_scaling";
  const given: Json = own ?? (scaled ? scaling : null) ?? {};
  const type = given.rope_type ?? given.type ?? "default";
  if (dependOnLength.includes(type as string))
    throw file.error(
      `${where} has the type ${type}, whose frequencies depend on the length that is read: a token's probability when it is sampled would differ from that in the forward pass, and PPO's ratio with it`,
    );
  if (typeof type !== "string" || !Object.hasOwn(fields, type))
    throw file.error(
      `${where} has the type ${JSON.stringify(type)}; only ${Object.keys(fields).join(", ")} are supported`,
    );
  const { needed, optional } = fields[type as RopeType];
  // A file may keep the context of the pretraining outside; transformers prefers that.
  const values: Record<string, unknown> = { ...given };
  if (needed.includes("original_max_position_embeddings"))
    values.original_max_position_embeddings =
      pretrained ?? given.original_max_position_embeddings ?? file.count("max_position_embeddings");
  // DeepSeek's spelling: the factor follows from the two contexts.
  if (type === "yarn" && values.factor === null)
    values.factor = file.count("max_position_embeddings") / (values.original_max_position_embeddings as number);
  if (entry !== undefined && values.truncate === false)
    throw file.error(`${where}.truncate is false; transformers ignores it there, and only true is supported`);
  const known = new Set(["rope_type", "type", "rope_theta", "partial_rotary_factor", ...needed, ...optional]);
  for (const [key, value] of Object.entries(values))
    if (!known.has(key) && value !== null) throw file.error(`${where}.${key} is not part of the type ${type}`);
  const rope: Record<string, unknown> = {
    rope_type: type,
    rope_theta: positive(file, `${where}.rope_theta`, values.rope_theta ?? file.json[thetaKey] ?? theta),
  };
  const share =
    values.partial_rotary_factor ?? file.json[partial?.key ?? "partial_rotary_factor"] ?? partial?.default ?? 1;
  if (partial === undefined && share !== 1)
    throw file.error(`partial_rotary_factor is ${JSON.stringify(share)}; this family rotates heads whole`);
  if (partial !== undefined) {
    rope.partial_rotary_factor = positive(file, partial.key, share);
    if ((share as number) > 1) throw file.error(`${partial.key} is ${share}; it must be at most 1`);
  }
  for (const key of [...needed, ...optional]) {
    // In transformers a 0 counts as not given, except for attention_factor.
    const value = values[key] === 0 && /^(beta|mscale)_/.test(`${key}_`) ? null : (values[key] ?? null);
    if (value === null && optional.includes(key)) continue;
    rope[key] = key === "truncate" ? value !== false : positive(file, `${where}.${key}`, value);
  }
  if (type !== "default" && (rope.factor as number) < 1)
    throw file.error(`${where}.factor is ${rope.factor}; it must be at least 1`);
  return rope as RopeParameters;
}

/** Writes both spellings, so that every version of transformers reads the same. */
export function writeRope(rope: RopeParameters): Json {
  const { rope_theta, partial_rotary_factor: _, ...scaling } = rope;
  return {
    rope_parameters: rope,
    rope_theta,
    rope_scaling: rope.rope_type === "default" ? null : scaling,
  };
}

/** An object of the file; null if the key is absent or null. */
function objectOf(file: HfConfig, key: string): Json | null {
  const value = file.json[key] ?? null;
  if (value === null || isObject(value)) return value;
  throw file.error(`${key} must be an object, found ${JSON.stringify(value).slice(0, 80)}`);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function positive(file: HfConfig, name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw file.error(`${name} must be a positive number, found ${JSON.stringify(value)}`);
}
