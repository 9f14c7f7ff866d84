/** The commands that get or make what a run starts from: models and data sets of the Hub, tokenizers. */
import { folder, integer, several, text } from "../arguments.ts";
import type { CommandMaker } from "./command-maker.ts";

export function defineSources({ command, does, terminal }: CommandMaker): void {
  command(
    "pull",
    "get a model or a data set from the Hugging Face Hub",
    "pull EleutherAI/pythia-160m",
    "pull Qwen/Qwen2.5-0.5B@main --json",
    "pull datasets/openai/gsm8k",
    "pull --dataset Anthropic/hh-rlhf --include 'harmless-base/*'",
    "pull hf://datasets/openai/gsm8k/main/train-*.parquet",
    "run my.yaml model.path=hf://EleutherAI/pythia-160m",
  )
    .argument("<names...>", "ORG/NAME, ORG/NAME@REVISION, datasets/ORG/NAME, or hf://ORG/NAME/FILE", several)
    .option("--dataset", "the names are those of data sets")
    .option("--include <pattern>", "files to get, in place of those that Ballast reads; repeatable", several)
    .option("--exclude <pattern>", "files to leave out; repeatable", several)
    .option("--verify", "compare what the cache has with the Hub's hashes, too")
    .option("--json", "print one line of JSON per name")
    .addHelpText(
      "after",
      `
What has come stays after Ctrl-C or a cut: the same command goes on from there.
Environment: HF_TOKEN, HF_ENDPOINT, HF_HOME or HF_HUB_CACHE, HF_HUB_OFFLINE=1.
More: docs/hub.md`,
    )
    .action(
      does(async (names, options) =>
        (await import("../commands/pull/index.ts")).pullCommand({ names, ...options, terminal }),
      ),
    );

  const tokenizer = command(
    "tokenizer",
    "train a tokenizer for models from scratch",
    "tokenizer train corpus.txt --vocab 8192 --output my-tokenizer",
    "tokenizer train 'data/*.jsonl' --vocab 4096 --output my-tokenizer",
    "run my.yaml tokenizer.kind=file tokenizer.path=my-tokenizer",
  );
  tokenizer
    .command("train")
    .description("byte-level BPE, as GPT-2's; transformers reads the folder")
    .argument("<files...>", "text, JSONL, JSON, CSV or Parquet, patterns, or hf://datasets/ORG/NAME/FILE")
    .requiredOption("--vocab <n>", "largest vocabulary, special tokens and 256 bytes included", integer(1, 1_000_000))
    .requiredOption("--output <folder>", "a new folder", folder)
    .option("--field <name=column>", "the file's name for a field, Ballast's first; repeatable", several)
    .option("--special <token>", "a special token of your own; repeatable", several)
    .option("--chat-template <file>", "a Jinja template; default: <user>...<assistant>", text)
    .option("--min-count <n>", "fewest occurrences of a pair that becomes a token", integer(1), 2)
    .option("--json", "print one line of JSON")
    .action(
      does(async (files, options) =>
        (await import("../commands/tokenizer/index.ts")).trainTokenizer({ files, ...options, terminal }),
      ),
    );
}
