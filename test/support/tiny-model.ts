/** A Hugging Face folder with a random model of a few thousand parameters, made on the spot. */
import { mkdirSync } from "node:fs";
import { createEmbeddedEngine } from "../../src/engine/embedded/index.ts";
import { buildTokenizer } from "../../src/text/index.ts";
import { saveModelFolder } from "../../src/trainer/model-folder.ts";
import { textIdsOf } from "../../src/trainer/stage-models.ts";

export async function tinyModel(folder: string, { context }: { readonly context: number }): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const tokenizer = buildTokenizer({ kind: "word", vocabularySize: 64 }, [
    "what is 2 plus 3 ? say hello . name a colour water wet",
  ]);
  const engine = await createEmbeddedEngine({ threads: 1 });
  try {
    const { vocabularySize } = tokenizer;
    const sizes = { family: "gpt2" as const, layers: 1, width: 16, heads: 2, tieEmbeddings: true, context };
    const config = { ...sizes, vocabularySize, textIds: textIdsOf(tokenizer) };
    const { id } = await engine.createModel({ config, heads: ["lm"], seed: 1 });
    await saveModelFolder({ engine, tokenizer, model: id, folder });
  } finally {
    await engine.close();
  }
}
