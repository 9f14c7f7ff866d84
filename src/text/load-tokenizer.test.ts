import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildTokenizer } from "./build.ts";
import { byteSymbols } from "./bytes.ts";
import { readGenerationFiles } from "./files.ts";
import { loadTokenizer } from "./load-tokenizer.ts";
import { barePrompt, type Message } from "./tokenizer.ts";

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

  it("needs rows up to the last id that something writes: not for special tokens beyond, unless a template or a stop has them", () => {
    const files = gpt2Like();
    const beyond = ["<image>", "<video>"].map((content, i) => ({ ...files.added_tokens[0], id: 260 + i, content }));
    write("tokenizer.json", { ...files, added_tokens: [...files.added_tokens, ...beyond] });
    const needs = (config: object, options = {}) => {
      write("tokenizer_config.json", config);
      const { vocabularySize, smallestVocabulary } = loadTokenizer(folder, options);
      expect(vocabularySize).toBe(262);
      return smallestVocabulary;
    };
    expect(needs({})).toBe(260);
    expect(needs({ chat_template: "{{ messages[0].content }}{{ '<image>' }}" })).toBe(261);
    const named = { image_token: "<image>", chat_template: "{{ messages[0].content }}{{ image_token }}" };
    expect(needs(named)).toBe(261);
    expect(needs({ pad_token: "<video>" })).toBe(262);
    expect(needs({}, { stopTokens: ["<video>"] })).toBe(262);
    write("tokenizer.json", {
      ...files,
      added_tokens: [...files.added_tokens, { ...beyond[0], special: false }],
    });
    expect(loadTokenizer(folder).smallestVocabulary).toBe(261);
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

  it("without a template, reads a prompt that is a text as it stands, and refuses a conversation", () => {
    write("tokenizer.json", gpt2Like());
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.encodePrompt(barePrompt("see the"))).toEqual(tokenizer.encode("see the"));
    for (const conversation of [[{ role: "user", content: "hi" }], [...barePrompt("a"), ...barePrompt("b")]] as const) {
      expect(() => tokenizer.encodePrompt(conversation as Message[])).toThrow(
        /needs a chat template, and the tokenizer in .* has none/,
      );
    }
    tokenizer.save(folder);
    expect(loadTokenizer(folder).encodePrompt(barePrompt("the"))).toEqual(tokenizer.encode("the"));
  });

  it("with a template, reads both as a conversation, unless it is told to take none", () => {
    write("tokenizer.json", gpt2Like());
    write("tokenizer_config.json", { chat_template: "Q {{ messages[0].content }}" });
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.decode(tokenizer.encodePrompt(barePrompt("the")))).toBe("Q the");
    const raw = loadTokenizer(folder, { chatTemplate: null });
    expect(raw.decode(raw.encodePrompt(barePrompt("the")))).toBe("the");
  });

  it("refuses a template that looks inside a special token's text, and renders one that only writes it", () => {
    write("tokenizer.json", gpt2Like());
    const chat = (template: string) => loadTokenizer(folder, { chatTemplate: template });
    const messages = [{ role: "user", content: "the <|endoftext|> the" }] as const;
    const reads = chat("{{ messages[0].content.split('<|endoftext|>')[0] }}");
    expect(() => reads.encodePrompt(messages)).toThrow(/looks inside a message that holds the text of a special token/);
    expect(reads.encodePrompt([{ role: "user", content: "the " }])).toEqual(reads.encode("the "));
    const writes = chat("{{ messages[0].content.split(' ')|join('  ') }}");
    expect(writes.encodePrompt(messages)).toEqual(writes.encode("the  <|endoftext|>  the"));
  });

  it("gives a template what transformers gives it, and says what it refuses", () => {
    write("tokenizer.json", gpt2Like());
    write("tokenizer_config.json", { image_token: "<|endoftext|>", pad_token: "<pad>" });
    const chat = (template: string) => loadTokenizer(folder, { chatTemplate: template });
    const text = (template: string) =>
      chat(template).decode(chat(template).encodePrompt([{ role: "user", content: "q" }]));
    expect(text("{{ tools is none }}{{ documents is none }}{{ messages }}")).toBe(
      "TrueTrue[{'role': 'user', 'content': 'q'}]",
    );
    expect(chat("{{ image_token }}").encodePrompt([])).toEqual([259]);
    expect(() => chat("{{ pad_token }}")).toThrow(/writes pad_token, which is "<pad>", which its vocabulary lacks/);
    expect(() => text("{{ messages|groupby('role') }}")).toThrow(
      /refused a conversation \(user\): the filter "groupby" is not supported/,
    );
    expect(() => text("{{ messages[0].name.first }}")).toThrow(/has no attribute 'name'/);
  });

  it.each([
    ["its post-processor", {}, true],
    ["add_bos_token", { add_bos_token: true }, false],
  ])("begins a raw text with BOS if %s says so", (_, config, postProcessor) => {
    const bos = {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<|endoftext|>" } }, { Sequence: { id: "A" } }],
    };
    write("tokenizer.json", { ...gpt2Like(), post_processor: postProcessor ? { ...bos, pair: [] } : null });
    write("tokenizer_config.json", { ...config, bos_token: "<|endoftext|>" });
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.encodePrompt(barePrompt("the"))).toEqual([259, ...tokenizer.encode("the")]);
    write("tokenizer_config.json", { add_bos_token: false, bos_token: "<|endoftext|>" });
    expect(loadTokenizer(folder).encodePrompt(barePrompt("the"))).toEqual(tokenizer.encode("the"));
  });
});

describe("spaces before punctuation", () => {
  it("stay as a model of bytes wrote them, whatever clean_up_tokenization_spaces says", () => {
    write("tokenizer.json", gpt2Like());
    write("tokenizer_config.json", { clean_up_tokenization_spaces: true });
    const tokenizer = loadTokenizer(folder);
    for (const text of ["y . z", "do n't , ' x 's ?"]) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("stay in a model of pieces too (Unigram)", () => {
    const pieces = ["<unk>", "</s>", "▁y", "▁.", "▁z"];
    write("tokenizer.json", {
      ...gpt2Like(),
      added_tokens: [{ id: 1, content: "</s>", special: true }],
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
      post_processor: null,
      decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
      model: { type: "Unigram", unk_id: 0, vocab: pieces.map((piece) => [piece, -1]) },
    });
    write("tokenizer_config.json", { clean_up_tokenization_spaces: true });
    expect(loadTokenizer(folder).decode([2, 3, 4])).toBe("y . z");
  });

  it("go from WordPiece's words, which have none of their own", () => {
    const words = ["[UNK]", "[SEP]", "y", ".", "z"];
    write("tokenizer.json", {
      ...gpt2Like(),
      added_tokens: [{ id: 1, content: "[SEP]", special: true }],
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: null,
      decoder: { type: "WordPiece", prefix: "##", cleanup: false },
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      },
    });
    write("tokenizer_config.json", { clean_up_tokenization_spaces: true });
    const tokenizer = loadTokenizer(folder);
    expect(tokenizer.decode(tokenizer.encode("y . z"))).toBe("y. z");
    write("tokenizer_config.json", { clean_up_tokenization_spaces: false });
    expect(loadTokenizer(folder).decode(tokenizer.encode("y . z"))).toBe("y . z");
  });
});

describe("the text of a special token in content", () => {
  const pieces = ["<unk>", "<s>", "</s>", "▁", "<", "/", "s", ">", "a", "b", "▁a", "▁b", "▁<"];
  const sentencePiece = {
    ...gpt2Like(),
    added_tokens: [1, 2].map((id) => ({ id, content: pieces[id], special: true, normalized: false })),
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<unk>",
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: ["▁ a", "▁ b", "▁ <"],
    },
  };
  const normalizer = {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "▁" },
      { type: "Replace", pattern: { String: " " }, content: "▁" },
    ],
  };
  const styles = {
    "Llama 2's normalizer": { normalizer },
    "Metaspace, always": { pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" } },
    "Metaspace, first": { pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first" } },
  };

  it.each(Object.entries(styles))("has no space that nobody wrote: %s", (_, style) => {
    write("tokenizer.json", { ...sentencePiece, ...style });
    write("tokenizer_config.json", { eos_token: "</s>", chat_template: "{{ messages[0].content }}{{ eos_token }}" });
    const tokenizer = loadTokenizer(folder);
    const written = (ids: number[]) => ids.map((id) => pieces[id]).join(" ");
    expect(written(tokenizer.encode("a</s>b <s>"))).toBe("▁a < / s > b ▁< s >");
    expect(written(tokenizer.encodePrompt([{ role: "user", content: "a<s>b" }]))).toBe("▁a < s > b </s>");
  });

  it("may hold the characters that mark it", () => {
    write("tokenizer.json", gpt2Like());
    const tokenizer = loadTokenizer(folder);
    const text = "\uFDD0<|endoftext|>\uFDD1";
    expect(tokenizer.encode(text)).not.toContain(259);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it("is not a special token in a vocabulary that has its text as a word (words, pieces)", () => {
    const special = [{ id: 1, content: "</s>", special: true, normalized: false }];
    const vocab = { "<unk>": 0, "</s>": 1, a: 2 };
    const whole = { ...gpt2Like(), added_tokens: special, post_processor: null, decoder: null };
    write("tokenizer.json", {
      ...whole,
      pre_tokenizer: { type: "WhitespaceSplit" },
      model: { type: "WordLevel", vocab, unk_token: "<unk>" },
    });
    write("tokenizer_config.json", { eos_token: "</s>", unk_token: "<unk>" });
    expect(loadTokenizer(folder).encode("a </s> a")).toEqual([2, 0, 0, 2]);
    write("tokenizer.json", {
      ...whole,
      pre_tokenizer: null,
      model: { type: "Unigram", unk_id: 0, vocab: [...Object.keys(vocab), "<", "/s>"].map((piece) => [piece, -1]) },
    });
    expect(loadTokenizer(folder).encode("a</s>a")).toEqual([2, 3, 4, 2]);
  });
});

describe("a saved folder", () => {
  it("names the class that takes tokenizer.json as it is, and nothing of the source's class", () => {
    write("tokenizer.json", gpt2Like());
    write("tokenizer_config.json", {
      tokenizer_class: "GPT2Tokenizer",
      auto_map: { AutoTokenizer: ["theirs.py", null] },
      add_prefix_space: true,
      legacy: true,
      added_tokens_decoder: { 999: { content: "<new>" } },
      eos_token: { __type: "AddedToken", content: "<|endoftext|>" },
      // transformers would add these two, beyond the model's vocabulary.
      pad_token: "<pad>",
      additional_special_tokens: ["<|endoftext|>", { content: "<x>" }],
      clean_up_tokenization_spaces: true,
      model_input_names: ["input_ids"],
      model_max_length: 1024,
    });
    loadTokenizer(folder).save(folder);
    expect(JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8"))).toEqual({
      tokenizer_class: "PreTrainedTokenizerFast",
      eos_token: "<|endoftext|>",
      additional_special_tokens: ["<|endoftext|>"],
      clean_up_tokenization_spaces: false,
      model_input_names: ["input_ids"],
      model_max_length: 1024,
    });
  });
});

describe("what cannot be loaded says why", () => {
  it("a missing folder, a file cut short, no vocabulary, no EOS", () => {
    const older = join(folder, "older");
    mkdirSync(older);
    writeFileSync(join(older, "tokenizer.model"), "");
    expect(() => loadTokenizer(older)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("has tokenizer.model, and no tokenizer.json, which Ballast reads"),
        hint: expect.stringContaining("AutoTokenizer as T; T.from_pretrained("),
      }),
    );
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

it.each([
  [{ eos_token_id: ["a", 0] }, 'eos_token_id holds "a", which is not a token\'s id'],
  [{ eos_token_id: [0, -1] }, "eos_token_id holds -1"],
  [{ eos_token_id: 258.5 }, "eos_token_id holds 258.5"],
  [{ stop_strings: ["x", 5] }, "stop_strings holds 5, which is not a text"],
])("a generation_config.json with %j is refused", (generation, message) => {
  write("generation_config.json", generation);
  expect(() => readGenerationFiles(folder)).toThrow(message);
});
