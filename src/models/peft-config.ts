/** PEFT's `adapter_config.json` of a LoRA adapter: what it says, in PEFT's terms, and a refusal of what Ballast does not compute. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError, messageOf } from "../util/errors.ts";
import { adapterConfigFile } from "../util/weight-files.ts";
import { isTarget, lastParts, type Projection } from "./adapter.ts";
import type { AdapterConfig, AdapterModule } from "./model-config.ts";

/** Most bytes of the file. */
const maxBytes = 4 * 2 ** 20;

/** Keys that this file reads, and keys that say nothing about what an adapter computes. */
const known = new Set([
  ...["r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules", "exclude_modules"],
  ...["layers_to_transform", "layers_pattern", "modules_to_save", "peft_type", "task_type", "base_model_name_or_path"],
  ...["bias", "init_lora_weights", "lora_dropout", "fan_in_fan_out", "inference_mode", "revision", "auto_mapping"],
  ...["peft_version", "megatron_core", "qalora_group_size", "eva_config", "ensure_weight_tying"],
]);

/** Initialisations that leave the base's weights as they are; the others (PiSSA, OLoRA, LoftQ, CorDA) store an adapter of a changed base. */
const plainStarts = [true, false, "gaussian", "orthogonal", "eva"];

export class PeftConfig {
  readonly path: string;
  readonly json: Readonly<Record<string, unknown>>;

  /** Throws a CheckpointError if the file cannot be read, or asks for more than a plain LoRA adapter. */
  constructor(folder: string) {
    this.path = join(folder, adapterConfigFile);
    try {
      const { size } = statSync(this.path);
      if (size > maxBytes) throw new Error(`it has ${size} bytes, above ${maxBytes}`);
      this.json = (JSON.parse(readFileSync(this.path, "utf8")) ?? {}) as Record<string, unknown>;
    } catch (error) {
      throw new CheckpointError(`cannot read ${this.path}: ${messageOf(error)}`, "Copy the adapter's folder again.");
    }
    const { peft_type: type, bias = "none", init_lora_weights: start = true } = this.json;
    if (type !== "LORA") throw this.error(`peft_type is ${JSON.stringify(type)}; only LORA is supported`);
    if (bias !== "none") throw this.error(`bias is ${JSON.stringify(bias)}; only none is supported`);
    if (!plainStarts.includes(start as never))
      throw this.error(
        `init_lora_weights is ${JSON.stringify(start)}, which changes the base's weights`,
        "Convert it with PEFT (path_initial_model_for_weight_conversion), or merge it there.",
      );
    for (const [key, value] of Object.entries(this.json))
      if (!known.has(key) && !isEmpty(value))
        throw this.error(
          `${key} is ${JSON.stringify(value).slice(0, 80)}, which is not supported`,
          "Merge the adapter with PEFT (merge_and_unload) and give the whole model.",
        );
  }

  get rslora(): boolean {
    return this.json.use_rslora === true;
  }

  get dropout(): number {
    return typeof this.json.lora_dropout === "number" ? this.json.lora_dropout : 0;
  }

  /** Whether it is an adapter of a classifier, whose head is a score. */
  get classifies(): boolean {
    return this.json.task_type === "SEQ_CLS";
  }

  get base(): string | null {
    const { base_model_name_or_path: base } = this.json;
    return typeof base === "string" && base !== "" ? base : null;
  }

  /** The rank and alpha that a module of this name has. */
  moduleOf(name: string): Omit<AdapterModule, "name"> {
    const of = (
      [key, usual]: readonly ["rank_pattern" | "alpha_pattern", "r" | "lora_alpha"],
      holds: (x: number) => boolean,
    ) => {
      const patterns = this.#patterns(key);
      const pattern = Object.keys(patterns).find((one) => this.#regex(key, `(.*\\.)?(${one})$`).test(name));
      return pattern === undefined
        ? this.#positive(usual, this.json[usual] ?? 8, holds)
        : this.#positive(key, patterns[pattern], holds);
    };
    return {
      rank: of(["rank_pattern", "r"], Number.isInteger),
      alpha: of(["alpha_pattern", "lora_alpha"], Number.isFinite),
    };
  }

  /** Whether PEFT would put an adapter beside the module of this name. */
  targets(name: string): boolean {
    const { target_modules: wanted, exclude_modules: excluded, layers_to_transform: layers } = this.json;
    if (typeof excluded === "string" && this.#regex("exclude_modules", `(${excluded})$`).test(name)) return false;
    if (Array.isArray(excluded) && excluded.some((one) => isTarget(String(one), name))) return false;
    if (this.wholeNames().some((one) => this.#regex("modules_to_save", `(.*\\.)?${one}($|\\..*)`).test(name)))
      return false;
    if (wanted === "all-linear") return true;
    if (typeof wanted === "string") return this.#regex("target_modules", `(${wanted})$`).test(name);
    if (!Array.isArray(wanted)) throw this.error("target_modules is missing");
    if (wanted.includes(name)) return true;
    if (!wanted.some((one) => isTarget(String(one), name))) return false;
    const indices = [layers ?? []].flat();
    if (indices.length === 0) return true;
    const patterns = [this.json.layers_pattern ?? []].flat();
    const places = patterns.length === 0 ? [".*?\\.[^.]*"] : patterns.map((one) => `(?:.*?\\.)?${one}`);
    const found = places
      .map((place) => this.#regex("layers_pattern", `${place}\\.(?<idx>\\d+)\\.`).exec(name))
      .find(Boolean);
    const index = found?.groups?.idx;
    return index !== undefined && indices.includes(Number(index));
  }

  /** The last parts of the names of modules that the adapter holds whole. */
  wholeNames(): string[] {
    const { modules_to_save: names } = this.json;
    return Array.isArray(names) ? names.map(String) : [];
  }

  error(message: string, hint?: string): CheckpointError {
    return new CheckpointError(`${this.path}: ${message}`, hint);
  }

  #patterns(key: string): Record<string, unknown> {
    const value = this.json[key] ?? {};
    if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.error(`${key} is not an object`);
  }

  #positive(key: string, value: unknown, holds: (x: number) => boolean): number {
    if (typeof value === "number" && value > 0 && holds(value)) return value;
    throw this.error(`${key} holds ${JSON.stringify(value)}, which is not a positive number`);
  }

  /** Python's `re.match` of a pattern of the file. */
  #regex(key: string, pattern: string): RegExp {
    try {
      return new RegExp(`^(?:${pattern.replaceAll("(?P<", "(?<")})`);
    } catch {
      throw this.error(`${key} holds a regular expression that Ballast cannot read: ${pattern.slice(0, 200)}`);
    }
  }
}

/** The file's content for an adapter, as PEFT 0.21 reads it. */
export function peftConfigOf(
  { modules, rslora, whole }: AdapterConfig,
  options: {
    readonly projections: readonly Projection[];
    readonly base: string;
    readonly task: "CAUSAL_LM" | "SEQ_CLS" | null;
    /** Modules beside `whole` that the adapter holds: heads. */
    readonly heads: readonly string[];
    readonly fanInFanOut: boolean;
  },
): Record<string, unknown> {
  const { projections, base, task, heads, fanInFanOut } = options;
  const [rank, alpha] = [most(modules.map((one) => one.rank)) ?? 8, most(modules.map((one) => one.alpha)) ?? 8];
  const patterns = (of: "rank" | "alpha", usual: number) =>
    Object.fromEntries(
      modules.filter((one) => one[of] !== usual).map((one) => [one.name.replaceAll(".", "\\."), one[of]]),
    );
  const names = modules.map(({ name }) => name);
  // The last parts of the names, unless they mean other projections too.
  const short = lastParts(modules);
  const meant = projections.filter(({ name }) => short.some((one) => isTarget(one, name)));
  const saved = [...whole, ...heads];
  return {
    peft_type: "LORA",
    task_type: task,
    base_model_name_or_path: base,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    use_rslora: rslora,
    rank_pattern: patterns("rank", rank),
    alpha_pattern: patterns("alpha", alpha),
    target_modules: meant.length === names.length ? short : names,
    modules_to_save: saved.length === 0 ? null : saved,
    bias: "none",
    fan_in_fan_out: fanInFanOut,
  };
}

function most(values: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce<[number, number] | undefined>(
    (a, b) => (a === undefined || b[1] > a[1] ? b : a),
    undefined,
  )?.[0];
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
