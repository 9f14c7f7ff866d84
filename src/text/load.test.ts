import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildTokenizer } from "./build.ts";
import { byteSymbols } from "./bytes.ts";
import { loadTokenizer } from "./load.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ballast-tokenizer-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, value: unknown) =>
  writeFileSync(join(folder, name), typeof value === "string" ? value : JSON.stringify(value));

/** GPT-2's layout: byte symbols, merges, one special token at the end. */
function gpt2Like() {
  const tokens = [...byteSymbols, "Ġt", "he", "Ġthe", "<|endoftext|>"];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: 259,
        content: "<|endoftext|>",
        special: true,
        normalized: false,
        lstrip: false,
        rstrip: false,
        single_word: false,
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
    post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "",
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: ["Ġ t", "h e", "Ġt he"],
    },
  };
}

describe("save, then load", () => {
  it.each(["byte", "word"] as const)("gives the same tokenizer (%s)", (kind) => {
    const built = buildTokenizer({ kind, vocabularySize: 50, chatTemplate: "<user>{{ messages[0].content }}" }, [
      "two words ?",
    ]);
    built.save(folder);
    const loaded = loadTokenizer(folder);
    const text = "words two ? <eos> other";
    expect(loaded.encode(text)).toEqual(built.encode(text));
    expect(loaded.encodePrompt([{ role: "user", content: text }])).toEqual(
      built.encodePrompt([{ role: "user", content: text }]),
    );
    expect([loaded.padId, loaded.eosId, loaded.unkId, loaded.vocabularySize]).toEqual([0, 1, 2, built.vocabularySize]);
    expect(loaded.decode(loaded.encodeCompletion("two words ?"))).toBe(built.decode(built.encode("two words ?")));
  });

  it("writes byte for byte what it loaded from its own files", () => {
    buildTokenizer({ kind: "word", vocabularySize: 50 }, ["a b"]).save(folder);
    const files = ["tokenizer.json", "tokenizer_config.json"].map((name) => join(folder, name));
    const first = files.map((file) => readFileSync(file, "utf8"));
    loadTokenizer(folder).save(folder);
    expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(first);
  });
});

describe("a file of GPT-2's kind", () => {
  it("loads without a config: EOS by its known name, pad = EOS, merges applied", () => {
    write("tokenizer.json", gpt2Like());
    const tokenizer = loadTokenizer(folder);
    expect([tokenizer.vocabularySize, tokenizer.eosId, tokenizer.padId, tokenizer.unkId]).toEqual([
      260,
      259,
      259,
      null,
    ]);
    expect(tokenizer.encode(" the he")).toEqual([258, byteSymbols.indexOf("Ġ"), 257]);
    expect(tokenizer.tokenText(258)).toBe(" the");
    expect(tokenizer.decode([...tokenizer.encode("see the 😀 ."), 259])).toBe("see the 😀 .");
    expect(tokenizer.decode([258, 259, 999], { special: true })).toBe(" the<|endoftext|>");
    expect(tokenizer.tokenText(999)).toBe("<no token 999>");
  });

  it("does not take a user's <|endoftext|> for the end", () => {
    write("tokenizer.json", gpt2Like());
    write("tokenizer_config.json", {
      chat_template: "{{ messages[0].content }}{{ eos_token }}",
      eos_token: { content: "<|endoftext|>" },
    });
    const tokenizer = loadTokenizer(join(folder, "tokenizer.json"));
    const ids = tokenizer.encodePrompt([{ role: "user", content: "the <|ENDOFTEXT|><|endoftext|>" }]);
    expect(ids.indexOf(259)).toBe(ids.length - 1);
    expect(tokenizer.decode(ids)).toBe("the <|ENDOFTEXT|><|endoftext|>");
  });

  it("reads a template from chat_template.jinja, and the default of a list of templates", () => {
    write("tokenizer.json", gpt2Like());
    const lists = [
      { name: "tool_use", template: "no" },
      { name: "default", template: "yes" },
    ];
    write("tokenizer_config.json", { chat_template: lists });
    expect(loadTokenizer(folder).decode(loadTokenizer(folder).encodePrompt([]))).toBe("yes");
    write("chat_template.jinja", "file");
    expect(loadTokenizer(folder).decode(loadTokenizer(folder).encodePrompt([]))).toBe("file");
    const overridden = loadTokenizer(folder, { chatTemplate: "mine" });
    expect(overridden.decode(overridden.encodePrompt([]))).toBe("mine");
  });

  it("falls back to the built-in template, as plain text", () => {
    write("tokenizer.json", gpt2Like());
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.decode(tokenizer.encodePrompt([{ role: "user", content: "hi" }]))).toBe("<user>hi<assistant>");
  });
});

describe("what cannot be loaded says why", () => {
  it("a missing folder, a file cut short, no vocabulary, no EOS", () => {
    expect(() => loadTokenizer(join(folder, "none"))).toThrow(/tokenizer.json does not exist/);
    write("tokenizer.json", JSON.stringify(gpt2Like()).slice(0, 100));
    expect(() => loadTokenizer(folder)).toThrow(/cannot be read/);
    write("tokenizer.json", { model: {} });
    expect(() => loadTokenizer(folder)).toThrow(/no model with a vocabulary/);
    write("tokenizer.json", { ...gpt2Like(), added_tokens: [] });
    expect(() => loadTokenizer(folder)).toThrow(/no end-of-sequence token/);
    write("tokenizer_config.json", { eos_token: "</s>" });
    expect(() => loadTokenizer(folder)).toThrow(/names "<\/s>"/);
    write("tokenizer.json", { ...gpt2Like(), pre_tokenizer: { type: "Nonsense" } });
    expect(() => loadTokenizer(folder)).toThrow(/cannot be used: Unknown PreTokenizer/);
  });
});
