/** Models and tokenizers under the names that Python's libraries use. A model is its folder: the run's engine reads the weights. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { adapterBase, readBaseConfig } from "../models/adapter-folder.ts";
import { loadTokenizer, type Tokenizer } from "../text/index.ts";
import { UsageError } from "../util/errors.ts";
import { adapterConfigFile, isAdapterFolder } from "../util/weight-files.ts";

/** A Hugging Face folder with a language model, or with an adapter of one. */
export interface PretrainedModel {
  readonly folder: string;
  /** The configuration; an adapter's is its base's. */
  readonly config: ReturnType<typeof readBaseConfig>;
}

export interface PretrainedTokenizer extends Tokenizer {
  readonly folder: string;
}

export const AutoModelForCausalLM = {
  /**
   * Finds a model. An adapter's folder is one, too: a policy's is merged into its base, and all weights are trained.
   * @throws UsageError if there is no such folder; CheckpointError if it has no model that Ballast can read.
   */
  async fromPretrained(folder: string): Promise<PretrainedModel> {
    const path = present(folder, isAdapterFolder(resolve(folder)) ? adapterConfigFile : "config.json");
    return { folder: path, config: readBaseConfig(path) };
  },
};

/** The policy. Its value head is new, and starts at 0. */
export const AutoModelForCausalLMWithValueHead = AutoModelForCausalLM;

export const AutoTokenizer = {
  /**
   * Reads a tokenizer; an adapter's folder without one has its base's.
   * @throws UsageError if there is no such folder; DataError if it has no tokenizer that Ballast can read.
   */
  async fromPretrained(folder: string): Promise<PretrainedTokenizer> {
    const own = resolve(folder);
    const adapts = isAdapterFolder(own) && !existsSync(join(own, "tokenizer.json"));
    const path = present(adapts ? adapterBase(own) : folder, "tokenizer.json");
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
