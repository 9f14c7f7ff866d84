/** Models and tokenizers under the names that Python's libraries use. A model is its folder: the run's engine reads the weights. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { readModelConfig } from "../models/hf-folder.ts";
import { loadTokenizer, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";

/** A Hugging Face folder with a language model. */
export interface PretrainedModel {
  readonly folder: string;
  readonly config: ReturnType<typeof readModelConfig>;
}

export interface PretrainedTokenizer extends Tokenizer {
  readonly folder: string;
}

export const AutoModelForCausalLM = {
  /**
   * Finds a model.
   * @throws UsageError if there is no such folder; CheckpointError if it has no model that Ballast can read.
   */
  async fromPretrained(folder: string): Promise<PretrainedModel> {
    const path = present(folder, "config.json");
    return { folder: path, config: readModelConfig(path) };
  },
};

/** The policy. Its value head is new, and starts at 0. */
export const AutoModelForCausalLMWithValueHead = AutoModelForCausalLM;

export const AutoTokenizer = {
  /**
   * Reads a tokenizer.
   * @throws UsageError if there is no such folder; DataError if it has no tokenizer that Ballast can read.
   */
  async fromPretrained(folder: string): Promise<PretrainedTokenizer> {
    const path = present(folder, "tokenizer.json");
    return { ...loadTokenizer(path), folder: path };
  },
};

function present(folder: string, file: string): string {
  const path = resolve(folder);
  if (existsSync(join(path, file))) return path;
  throw new UsageError(
    `${folder} is not a folder with ${file}`,
    "A name of the Hugging Face Hub is no folder: `ballast pull ORG/NAME` prints the folder to give.",
  );
}
