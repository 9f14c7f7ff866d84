/** Published tokenizers: a saved folder gives the same ids as its source, here and in transformers. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPython, runPython } from "../../test/support/python.ts";
import { realTokenizerFolder, realTokenizers } from "../../test/support/real-tokenizers.ts";
import { loadTokenizer } from "./load-tokenizer.ts";

const texts = [
  "Hello  world , how are  you ? I'm fine .",
  "你好，世界！ 今天是2024年。",
  "def f(x):\n\treturn x ** 2  # ok\n",
  "naïve café 😀 1234567",
  " leading",
  // Texts of special tokens, which stay text.
  "a<s>b</s> c <|eot_id|>d <|im_end|>e<end_of_turn> f<｜end▁of▁sentence｜>g",
  "</s>",
  "x <bos>",
];

/** How each template ends an assistant's turn; Llama 2's package has no template. */
const turnEnds: Readonly<Record<string, string | null>> = {
  llama2: null,
  llama3_1: "<|eot_id|>",
  qwen3: "<|im_end|>",
  gemma3: "<end_of_turn>",
  deepseek_v3: "<｜end▁of▁sentence｜>",
};

let root: string;
/** Ids from the source's files, by tokenizer. */
const expected = new Map<string, number[][]>();
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "ballast-real-"));
});
afterAll(() => rmSync(root, { recursive: true }));

describe.each(realTokenizers)("%s", (name) => {
  it("reads from the saved folder what it read from its source", () => {
    const source = loadTokenizer(realTokenizerFolder(name));
    const folder = join(root, name);
    mkdirSync(folder);
    source.save(folder);
    const ids = texts.map(source.encode);
    expected.set(name, ids);
    const saved = loadTokenizer(folder);
    expect(texts.map(saved.encode)).toEqual(ids);
    // Llama 2 and Gemma write a space as "▁", and so cannot distinguish the two.
    const plain = texts.filter((text) => !text.includes("▁"));
    expect(plain.map((text) => saved.decode(saved.encode(text)))).toEqual(plain);
    expect([saved.bosId, saved.eosId, saved.padId, saved.unkId]).toEqual([
      source.bosId,
      source.eosId,
      source.padId,
      source.unkId,
    ]);
    const { turnEndId } = source;
    expect(turnEndId === null ? null : source.decode([turnEndId], { special: true })).toBe(turnEnds[name]);
    expect([saved.turnEndId, saved.stopIds]).toEqual([turnEndId, source.stopIds]);
    const config = JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8"));
    expect(config.tokenizer_class).toBe("PreTrainedTokenizerFast");
    // What transformers needs to choose the model's class.
    writeFileSync(join(folder, "config.json"), JSON.stringify({ model_type: "gpt2" }));
  }, 120_000);
});

it("Gemma 3's text models lack the row of the last special token, which nothing writes", () => {
  const tokenizer = loadTokenizer(realTokenizerFolder("gemma3"));
  expect([tokenizer.vocabularySize, tokenizer.smallestVocabulary]).toEqual([262_145, 262_144]);
  expect(tokenizer.encode("<image_soft_token>").every((id) => id < 262_144)).toBe(true);
});

const missing = missingPython(["transformers"]);
it.skipIf(missing)(
  `transformers reads the same from the saved folders${missing}`,
  () => {
    const script = `
import json, sys
from transformers import AutoTokenizer
request = json.load(sys.stdin)
answer = {}
for name in request["names"]:
    tokenizer = AutoTokenizer.from_pretrained(request["root"] + "/" + name)
    answer[name] = [tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"] for text in request["texts"]]
json.dump(answer, sys.stdout)`;
    expect(runPython(script, { root, names: realTokenizers, texts })).toEqual(Object.fromEntries(expected));
  },
  120_000,
);
