/** A model's `config.json` as Hugging Face writes it, with errors that name the file and the key. */
import { readFileSync, statSync } from "node:fs";
import { CheckpointError, messageOf } from "../util/errors.ts";

/** Most bytes of the file; real ones have a few kilobytes. */
const maxBytes = 2 ** 20;

export class HfConfig {
  readonly path: string;
  readonly json: Readonly<Record<string, unknown>>;

  /** Reads the file. Throws a CheckpointError if it does not exist or is not JSON. */
  constructor(path: string) {
    this.path = path;
    try {
      const status = statSync(path);
      if (!status.isFile()) throw new Error("it is not a file");
      const { size } = status;
      if (size > maxBytes) throw new Error(`it has ${size} bytes, and a model's configuration ${maxBytes} at most`);
      this.json = (JSON.parse(readFileSync(path, "utf8")) ?? {}) as Record<string, unknown>;
    } catch (error) {
      throw new CheckpointError(
        `cannot read ${path}: ${messageOf(error)}`,
        "A model folder has config.json and model.safetensors.",
      );
    }
  }

  /** A positive whole number. */
  count(key: string): number {
    const value = this.json[key];
    if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
    throw this.error(`${key} must be a positive integer, found ${JSON.stringify(value)}`);
  }

  /** A positive whole number; null if the key is absent or null. */
  optionalCount(key: string): number | null {
    return (this.json[key] ?? null) === null ? null : this.count(key);
  }

  /** A positive number; an absent key has the default. */
  positive(key: string, byDefault: number): number {
    const value = this.json[key] ?? byDefault;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw this.error(`${key} must be a positive number, found ${JSON.stringify(value)}`);
  }

  /** true or false; an absent key has the default. */
  flag(key: string, byDefault: boolean): boolean {
    const value = this.json[key] ?? byDefault;
    if (typeof value === "boolean") return value;
    throw this.error(`${key} must be true or false, found ${JSON.stringify(value)}`);
  }

  /** One of some texts; an absent key has the default. */
  oneOf<T extends string>(key: string, choices: readonly T[], byDefault: T): T {
    const value = this.json[key] ?? byDefault;
    if (choices.includes(value as T)) return value as T;
    throw this.error(`${key} is ${JSON.stringify(value)}; only ${choices.join(", ")} are supported`);
  }

  /** Refuses a model that is computed by code in its folder (transformers' `trust_remote_code`), whatever its family is said to be. */
  refuseCode(): void {
    const map = this.json.auto_map ?? null;
    if (map === null || JSON.stringify(map) === "{}") return;
    throw this.error(
      `the model wants Python code of its own to be run (auto_map: ${JSON.stringify(map).slice(0, 80)}), and Ballast runs none from a model's folder`,
      "No setting allows it. Take a model that transformers computes by itself; remove auto_map only if the weights are of such a family, as converted ones often are.",
    );
  }

  /** Refuses what changes the computation in every class of Hugging Face and is computed by no family here. */
  refuseUncomputed(): void {
    this.only({ is_encoder_decoder: false, add_cross_attention: false, is_causal: true });
    for (const key of ["compression_config", "per_layer_config", "pruned_heads"]) {
      const value = this.json[key] ?? null;
      if (value === null || JSON.stringify(value) === "{}") continue;
      throw this.error(
        `${key} is not supported, and would change what the model computes: ${JSON.stringify(value).slice(0, 80)}`,
      );
    }
  }

  /** Refuses values of these keys other than the given ones; an absent key has the given one. */
  only(supported: Readonly<Record<string, unknown>>): void {
    for (const [key, wanted] of Object.entries(supported)) {
      const value = this.json[key] ?? wanted;
      if (value !== wanted) throw this.error(`${key} is ${JSON.stringify(value)}; only ${wanted} is supported`);
    }
  }

  error(message: string, hint?: string): CheckpointError {
    return new CheckpointError(`${this.path}: ${message}`, hint);
  }
}
