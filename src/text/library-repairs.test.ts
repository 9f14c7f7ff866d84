/** Every feature of a tokenizer's file that the library reads differently: it does, and Ballast reads it as Hugging Face's tokenizers do, or refuses it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missingPython, runPython } from "../../test/support/python.ts";
import { buildTokenizer } from "./build.ts";
import { importStrings } from "./import-strings.ts";
import { loadTokenizer } from "./load-tokenizer.ts";
import { splitPieces } from "./split-pieces.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-repairs-"));
afterAll(() => rmSync(folder, { recursive: true }));

const samples = [
  "the cat sat on the mat; the cat's hat isn't the mat's",
  "naïve café costs 12 euros and 345 cents, $5 & more",
  "low lower lowest newer newest wider",
  "ΑΣ ΟΔΥΣΣΕΥΣ οδυσσευς σας ΣΑΣ İstanbul",
  "  lead and  trail  ",
  "foo-bar, baz!! (qux) a_b-c",
  "日本語 日本 本 ☃ unseen",
  "x\ufeffy \ufeff! \ufeff! z",
  "a\u0085b \u0085 c",
  "x<tok>y <tok> z",
  "tab\tand\nline 1234567 ٣٤ ½",
];

interface Made {
  readonly tokenizer: object;
  readonly ids: readonly (readonly number[])[];
  readonly texts: readonly string[];
}

function load(tokenizer: object) {
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify({ eos_token: "<eos>", unk_token: "<unk>" }));
  return loadTokenizer(folder);
}

const noPython = missingPython(["tokenizers"]);
describe.skipIf(noPython)(`against Hugging Face's tokenizers${noPython}`, () => {
  let made: Readonly<Record<string, Made>> = {};
  beforeAll(() => {
    const script = readFileSync(join(import.meta.dirname, "../../test/fixtures/make_small_tokenizers.py"), "utf8");
    made = runPython(script, samples) as typeof made;
  }, 60_000);

  it("encodes and decodes as they do", () => {
    const names = Object.keys(made).filter((name) => !/^(refused|noted)/.test(name));
    expect(names.length).toBeGreaterThan(35);
    for (const name of names) {
      const { tokenizer, ids, texts } = made[name]!;
      const own = load(tokenizer);
      expect([name, samples.map((text) => own.encode(text))]).toEqual([name, ids]);
      expect([name, ids.map((one) => own.decode(one, { special: true }))]).toEqual([name, texts]);
      expect([name, own.notes]).toEqual([name, []]);
    }
  });

  it("corrects what the library does not do: without a difference the correction is not needed any more", () => {
    const differs = (name: string) => {
      const { tokenizer, ids, texts } = made[name]!;
      const library = new Library(tokenizer as never, { unk_token: "<unk>" } as never);
      const sameIds = samples.every(
        (text, i) => library.encode(text, { add_special_tokens: false }).ids.join() === ids[i]!.join(),
      );
      const decode = (one: readonly number[]) =>
        library.decode([...one], { skip_special_tokens: false, clean_up_tokenization_spaces: false });
      return [
        ...(sameIds ? [] : ["ids"]),
        ...(ids.every((one, i) => decode(one) === texts[i]) ? [] : ["texts"]),
      ].join();
    };
    const expected = {
      "Unigram byte_fallback": "ids,texts",
      "inverted split isolated of an expression": "ids",
      "inverted split merged_with_previous of a text": "ids",
      "split merged_with_next of an expression": "ids",
      "split removed of a text": "ids",
      "split removed of an expression": "ids",
      "punctuation removed": "ids",
      "white space: ByteLevel prefix false": "ids",
      "white space: WhitespaceSplit": "ids",
      "white space and words: Whitespace": "ids",
      "metaspace of whole words": "ids",
      "metaspace never": "texts",
      "lower case": "ids",
      "replacement with a dollar": "ids",
      "decoding bytes: BPE byte_fallback": "texts",
      "refused: continuing_subword_prefix": "ids",
      "refused: single_word": "ids",
      "noted: truncation": "ids",
      "noted: metaspace without split": "texts",
    };
    const known = (name: string) => name.replace("false", "False");
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, differs(known(name))]))).toEqual(expected);
  });

  it("refuses by name what would change ids, and notes what changes decoding only", () => {
    for (const [name, says] of [
      ["continuing_subword_prefix", /in .* has what Ballast would encode differently.*continuing_subword_prefix "##"/],
      ["dropout", /model\.dropout 0\.5: a text would be encoded at random/],
      ["single_word", /the added token "<tok>" with single_word/],
    ] as const)
      expect(() => load(made[`refused: ${name}`]!.tokenizer)).toThrow(says);
    const cut = load(made["noted: truncation"]!.tokenizer);
    expect(cut.notes.join()).toMatch(/its truncation to 4 tokens is not applied/);
    expect(cut.encode(samples[0]!).length).toBeGreaterThan(4);
    const whole = made["noted: metaspace without split"]!;
    const loaded = load(whole.tokenizer);
    expect(samples.map((text) => loaded.encode(text))).toEqual(whole.ids);
    expect(loaded.notes.join()).toContain("decoding keeps the spaces inside a text's first token");
  });
});

describe("splitPieces", () => {
  const cut = (behavior: Parameters<typeof splitPieces>[2]["behavior"], invert = false) =>
    splitPieces("the-final--countdown", /-/g, { behavior, invert });
  it("cuts as the documentation of Hugging Face's tokenizers shows for the-final--countdown", () => {
    expect(cut("Removed")).toEqual(["the", "final", "countdown"]);
    expect(cut("Isolated")).toEqual(["the", "-", "final", "-", "-", "countdown"]);
    expect(cut("MergedWithPrevious")).toEqual(["the-", "final-", "-", "countdown"]);
    expect(cut("MergedWithNext")).toEqual(["the", "-final", "-", "-countdown"]);
    expect(cut("Contiguous")).toEqual(["the", "-", "final", "--", "countdown"]);
    expect(cut("Removed", true)).toEqual(["-", "-", "-"]);
  });
});

describe("the check on import", () => {
  it("has a few hundred strings, and notes a byte-level vocabulary that lacks bytes", () => {
    expect(importStrings.length).toBeGreaterThan(500);
    const { length } = buildTokenizer({ kind: "byte", vocabularySize: 300 }, []).encode("é");
    expect(length).toBe(2);
    buildTokenizer({ kind: "byte", vocabularySize: 300 }, []).save(folder);
    const file = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8"));
    expect(loadTokenizer(folder).notes).toEqual([]);
    const vocab = Object.fromEntries(Object.entries(file.model.vocab).filter(([token]) => token !== "Ã"));
    const notes = load({ ...file, model: { ...file.model, vocab } }).notes.join();
    expect(notes).toMatch(/it is byte-level, and does not give back \d+ of \d+ strings, such as "naïve/);
  });

  it("refuses a tokenizer in which words get no id at all", () => {
    const model = { type: "WordLevel", vocab: { "<eos>": 0, the: 1 }, unk_token: "[absent]" };
    const eos = { id: 0, content: "<eos>", special: true };
    const file = { version: "1.0", added_tokens: [eos], normalizer: null, post_processor: null, decoder: null, model };
    expect(() => load({ ...file, pre_tokenizer: { type: "WhitespaceSplit" } })).toThrow(/words that get no id at all/);
  });
});
