/**
 * Makes a folder with a random model of the shape of SmolLM-135M, for trying the path without a download: the configuration of
 * HuggingFaceTB/SmolLM-135M, weights from a seed, and Ballast's byte tokenizer, whose 262 tokens are the first rows of the vocabulary.
 *
 *   npx tsx examples/smollm/make.ts FOLDER [SIZE]
 *
 * SIZE is `135M`, or `tiny`: the same family and the same code in a second.
 */
import { existsSync, mkdirSync } from "node:fs";
import { buildTokenizer, openEngine } from "ballast";

const sizes = {
  "135M": { layers: 30, width: 576, heads: 9, kvHeads: 3, innerWidth: 1536, context: 2048, vocabularySize: 49_152 },
  tiny: { layers: 2, width: 48, heads: 3, kvHeads: 1, innerWidth: 128, context: 256, vocabularySize: 512 },
} as const;

const [, , folder, size = "135M"] = process.argv;
if (folder === undefined || !Object.hasOwn(sizes, size)) {
  console.error(`usage: npx tsx examples/smollm/make.ts FOLDER [${Object.keys(sizes).join("|")}]`);
  process.exit(2);
}
if (existsSync(folder)) {
  console.error(`${folder} exists already: name a new folder`);
  process.exit(2);
}

const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 262 }, []);
const engine = await openEngine();
const { id, parameters } = await engine.createModel({
  config: {
    family: "llama",
    ...sizes[size as keyof typeof sizes],
    tieEmbeddings: true,
    options: { rms_norm_eps: 1e-5 },
    // Rows of the vocabulary without a token are never sampled.
    textIds: { below: tokenizer.vocabularySize, missing: tokenizer.missingIds },
  },
  heads: ["lm"],
  seed: 1,
});
mkdirSync(folder, { recursive: true });
await engine.saveModel(id, folder);
tokenizer.save(folder);
await engine.close();
console.log(`${parameters.toLocaleString("en-US")} random parameters in ${folder}`);
