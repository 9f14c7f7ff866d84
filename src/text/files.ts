/** The files of a Hugging Face tokenizer as plain objects: their types, reading and writing. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { DataError, messageOf } from "../util/errors.ts";

/** The parts of `tokenizer.json` that Ballast reads. */
export interface TokenizerJson {
  readonly model: { readonly type?: string; readonly unk_token?: string | null; readonly [key: string]: unknown };
  readonly added_tokens: readonly AddedTokenJson[];
  readonly decoder: unknown;
  readonly [key: string]: unknown;
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly [key: string]: unknown;
}

/** The parts of `tokenizer_config.json` that Ballast reads. */
export interface TokenizerConfigJson {
  readonly bos_token?: SpecialTokenJson;
  readonly eos_token?: SpecialTokenJson;
  readonly pad_token?: SpecialTokenJson;
  readonly unk_token?: SpecialTokenJson;
  readonly chat_template?: string | readonly { readonly name: string; readonly template: string }[] | null;
  readonly clean_up_tokenization_spaces?: boolean;
  readonly add_bos_token?: boolean;
  readonly [key: string]: unknown;
}

export type SpecialTokenJson = string | { readonly content: string } | null | undefined;

export interface TokenizerFiles {
  readonly tokenizer: TokenizerJson;
  readonly config: TokenizerConfigJson;
  /** `generation_config.json`, if there is one: how a model is sampled, and where its responses stop. */
  readonly generation?: GenerationJson;
  /** `eos_token_id` of the model's `config.json`. */
  readonly modelEos?: unknown;
}

export interface GenerationJson {
  readonly eos_token_id?: unknown;
  readonly stop_strings?: unknown;
  readonly [key: string]: unknown;
}

/** What a model's folder says about where its responses stop; empty if it says nothing. */
export function readGenerationFiles(folder: string): Pick<TokenizerFiles, "generation" | "modelEos"> {
  const [generationPath, modelPath] = [join(folder, "generation_config.json"), join(folder, "config.json")];
  return {
    ...(existsSync(generationPath) && { generation: checkedStops(generationPath) }),
    ...(existsSync(modelPath) && { modelEos: checkedStops(modelPath).eos_token_id }),
  };
}

/** The file's object. Throws DataError if what it says of stops is neither ids nor texts: a response would silently not end there. */
function checkedStops(path: string): Record<string, unknown> {
  const file = readObject(path);
  const ids = [file.eos_token_id ?? []].flat();
  const wrongId = ids.find((id) => !Number.isSafeInteger(id) || (id as number) < 0);
  const texts = [file.stop_strings ?? []].flat();
  const wrongText = texts.find((text) => typeof text !== "string" || text === "");
  if (wrongId === undefined && wrongText === undefined) return file;
  const [key, value, what] =
    wrongId !== undefined ? ["eos_token_id", wrongId, "a token's id"] : ["stop_strings", wrongText, "a text"];
  throw new DataError(
    `${path}: ${key} holds ${JSON.stringify(value)}, which is not ${what}`,
    `correct ${key}: it is ${what} or a list of them`,
  );
}

/**
 * Reads `tokenizer.json`, and `tokenizer_config.json`, `chat_template.jinja` and `generation_config.json` if they exist.
 * @throws DataError if a file is missing, is not JSON, or has no vocabulary
 */
export function readTokenizerFiles(folder: string): TokenizerFiles {
  const path = join(folder, "tokenizer.json");
  if (!existsSync(path)) {
    const older = ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt"].find((name) =>
      existsSync(join(folder, name)),
    );
    if (older !== undefined) {
      const d = JSON.stringify(folder);
      throw new DataError(
        `${folder} has ${older}, and no tokenizer.json, which Ballast reads`,
        `convert it, after pip install transformers sentencepiece: python -c 'from transformers import AutoTokenizer as T; T.from_pretrained(${d}).save_pretrained(${d})'`,
      );
    }
    throw new DataError(
      `${path} does not exist`,
      "a tokenizer is a folder with tokenizer.json, and tokenizer_config.json beside it",
    );
  }
  const tokenizer = readObject(path);
  const model = tokenizer.model;
  if (typeof model !== "object" || model === null || !("vocab" in model)) {
    throw new DataError(`${path} has no model with a vocabulary`, "save it again with Hugging Face tokenizers");
  }
  const configPath = join(folder, "tokenizer_config.json");
  const config = existsSync(configPath) ? readObject(configPath) : {};
  const templatePath = join(folder, "chat_template.jinja");
  const template = existsSync(templatePath) ? { chat_template: readFileSync(templatePath, "utf8") } : {};
  return {
    tokenizer: { ...tokenizer, added_tokens: tokenizer.added_tokens ?? [] } as TokenizerJson,
    config: { ...config, ...template },
    ...readGenerationFiles(folder),
  };
}

/** Writes the files and flushes them to disk. The folder must exist. */
export function writeTokenizerFiles(folder: string, files: TokenizerFiles): void {
  writeDurably(join(folder, "tokenizer.json"), `${JSON.stringify(files.tokenizer, null, 1)}\n`);
  writeDurably(join(folder, "tokenizer_config.json"), `${JSON.stringify(files.config, null, 2)}\n`);
  if (files.generation !== undefined)
    writeDurably(join(folder, "generation_config.json"), `${JSON.stringify(files.generation, null, 2)}\n`);
}

function readObject(path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new DataError(`${path} cannot be read: ${messageOf(error)}`, "restore the file; it may be cut short", {
      cause: error,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new DataError(`${path} is not a JSON object`, "it must be a file that Hugging Face tokenizers wrote");
  }
  return value as Record<string, unknown>;
}
