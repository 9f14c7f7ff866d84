/** The byte table decodes every sequence of ids as the library does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { realTokenizerFolder } from "../../test/support/real-tokenizers.ts";
import { random } from "../util/random.ts";
import type { TokenizerFiles } from "./files.ts";
import { openLibrary } from "./library.ts";

interface Reference {
  id_to_token(id: number): string | undefined;
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
}

describe.each(["qwen3", "llama3_1", "deepseek_v3"] as const)("%s", (name) => {
  const read = (file: string) => JSON.parse(readFileSync(join(realTokenizerFolder(name), file), "utf8"));
  const files: TokenizerFiles = { tokenizer: read("tokenizer.json"), config: {} };
  const library = openLibrary(files, name);
  const reference = new LibraryTokenizer(files.tokenizer, {}) as unknown as Reference;
  const ofLibrary = (ids: readonly number[], special: boolean) => {
    const kept = ids.filter((id) => reference.id_to_token(id) !== undefined && (special || !library.specials.has(id)));
    const options = { skip_special_tokens: false, clean_up_tokenization_spaces: false };
    return kept.length === 0 ? "" : reference.decode(kept, options);
  };

  test("random tokens, special ones and ids without a token among them, characters cut in the middle", () => {
    const stream = random(1, "tokens", name);
    const specials = [...library.specials.keys()];
    let broken = 0;
    for (let i = 0; i < 300; i++) {
      const ids = Array.from({ length: 1 + (i % 60) }, () => {
        const kind = stream.uint32() % 10;
        if (kind === 0) return specials[stream.uint32() % specials.length]!;
        if (kind === 1) return library.vocabularySize + (stream.uint32() % 3) - 1;
        // The first ids of a byte-level vocabulary are single bytes.
        return stream.uint32() % (kind < 5 ? 256 : library.vocabularySize);
      });
      for (const special of [true, false]) {
        const text = library.decode(ids, { cleanUp: false, special });
        expect(text).toBe(ofLibrary(ids, special));
        if (text.includes("\uFFFD")) broken++;
      }
    }
    expect(broken).toBeGreaterThan(100);
  });

  test("every token by itself", () => {
    const different = Array.from({ length: library.vocabularySize }, (_, id) => id).filter(
      (id) => library.decode([id], { cleanUp: false, special: true }) !== ofLibrary([id], true),
    );
    expect(different).toEqual([]);
  });
});

test("a text begins with a byte order mark if its token does", () => {
  const vocab = { ï: 0, "»": 1, "¿": 2, a: 3 };
  const tokenizer = {
    ...{ added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null },
    ...{ decoder: { type: "ByteLevel" }, model: { type: "BPE", vocab, merges: [] } },
  } as unknown as TokenizerFiles["tokenizer"];
  const library = openLibrary({ tokenizer, config: {} }, "in the test");
  expect(library.decode([0, 1, 2, 3], { cleanUp: false, special: false })).toBe("\uFEFFa");
});
