/**
 * Makes a folder with a small random model of Qwen2.5's architecture, for trying the path without a download: biases, grouped keys and values and tied
 * embeddings as in Qwen2.5-0.5B, Qwen's special tokens and chat template, and a byte-level BPE trained on this example's rows.
 *
 *   npx tsx examples/qwen/make.ts FOLDER [SIZE]
 *
 * SIZE is `small`, or the size of a published model (0.5B, 1.5B, 3B): then the folder has no weights, and serves `ballast plan`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildTokenizer, openEngine } from "ballast";

const small = { layers: 2, width: 64, heads: 4, kvHeads: 2, innerWidth: 176, context: 256, vocabularySize: 512 };
const published = { context: 32_768, vocabularySize: 151_936 };
const sizes = {
  small,
  "0.5B": { layers: 24, width: 896, heads: 14, kvHeads: 2, innerWidth: 4864, ...published },
  "1.5B": { layers: 28, width: 1536, heads: 12, kvHeads: 2, innerWidth: 8960, ...published },
  "3B": { layers: 36, width: 2048, heads: 16, kvHeads: 2, innerWidth: 11_008, ...published },
} as const;

const [, , folder, size = "small"] = process.argv;
if (folder === undefined || !Object.hasOwn(sizes, size)) {
  console.error(`usage: npx tsx examples/qwen/make.ts FOLDER [${Object.keys(sizes).join("|")}]`);
  process.exit(2);
}
if (existsSync(folder)) {
  console.error(`${folder} exists already: name a new folder`);
  process.exit(2);
}

const texts = ["problems", "pairs"].flatMap((name) =>
  readFileSync(new URL(`rows/${name}.jsonl`, import.meta.url), "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => Object.values(JSON.parse(line) as Record<string, string>)),
);
const tokenizer = buildTokenizer(
  {
    kind: "bpe",
    vocabularySize: small.vocabularySize,
    specialTokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    stopTokens: ["<|im_end|>"],
    chatTemplate: readFileSync(new URL("chat.jinja", import.meta.url), "utf8"),
  },
  texts,
);
const shape = sizes[size as keyof typeof sizes];
mkdirSync(folder, { recursive: true });
if (size === "small") {
  const engine = await openEngine();
  const { id, parameters } = await engine.createModel({
    config: {
      ...{ family: "qwen2", ...shape, tieEmbeddings: true },
      options: { rms_norm_eps: 1e-6, rope_parameters: { rope_type: "default", rope_theta: 1e6 } },
    },
    heads: ["lm"],
    seed: 1,
  });
  await engine.saveModel(id, folder);
  await engine.close();
  console.log(`${parameters.toLocaleString("en-US")} random parameters in ${folder}`);
} else {
  const { layers, width, heads, kvHeads, innerWidth, context, vocabularySize } = shape;
  const config = {
    ...{ model_type: "qwen2", architectures: ["Qwen2ForCausalLM"], vocab_size: vocabularySize },
    ...{ num_hidden_layers: layers, hidden_size: width, intermediate_size: innerWidth },
    ...{ num_attention_heads: heads, num_key_value_heads: kvHeads, max_position_embeddings: context },
    ...{ rms_norm_eps: 1e-6, rope_theta: 1e6, tie_word_embeddings: true },
  };
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  console.log(`the shape of Qwen2.5-${size} in ${folder}, without weights`);
}
tokenizer.save(folder);
