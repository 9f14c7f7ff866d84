import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { DataError, UsageError } from "../util/errors.ts";
import { buildTokenizer, builtInSpecialTokens } from "./build.ts";

const byte = buildTokenizer({ kind: "byte", vocabularySize: 300 }, []);
const word = (texts: string[], vocabularySize = 100) => buildTokenizer({ kind: "word", vocabularySize }, texts);

describe("byte tokenizer", () => {
  it("has 256 bytes and the special tokens", () => {
    expect(byte.vocabularySize).toBe(256 + builtInSpecialTokens.length);
    expect([byte.padId, byte.eosId, byte.unkId]).toEqual([0, 1, 2]);
  });

  it("is lossless on any well-formed text, one token a byte", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const ids = byte.encode(text);
        expect(byte.decode(ids)).toBe(text);
        expect(ids.length).toBe(Buffer.byteLength(text));
      }),
      { numRuns: 300 },
    );
  });

  it("keeps spaces before punctuation, newlines, emoji and the texts of special tokens", () => {
    for (const text of ["a  b ?\n\n\tc .", "naïve 👩‍👩‍👧 日本語", "<eos><pad> <user>", " 's 'S", "\uFEFFx"]) {
      expect(byte.decode(byte.encode(text))).toBe(text);
    }
  });

  it("shows a byte of a longer character by its value", () => {
    const [first] = byte.encode("😀");
    expect(byte.tokenText(first!)).toBe("<0xF0>");
    expect(byte.encode("a b").map(byte.tokenText)).toEqual(["a", " ", "b"]);
    expect(byte.tokenText(1)).toBe("<eos>");
  });
});

describe("word tokenizer", () => {
  it("reads words, numbers and punctuation back as readable text", () => {
    const text = "what is 7 plus 5? I don't know, café: 0.5 or 1,000 #### 72";
    const tokenizer = word([text]);
    expect(tokenizer.encode(text)).not.toContain(tokenizer.unkId);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(
      "what is 7 plus 5? I don't know, café : 0.5 or 1,000 #### 72",
    );
    expect(tokenizer.decode(tokenizer.encode("what is 7 plus 5 ?"))).toBe("what is 7 plus 5?");
  });

  it("orders words by frequency, then alphabetically, whatever the order of the texts", () => {
    const tokenizer = word(["b a c", "c b", "c"]);
    expect([6, 7, 8].map((id) => tokenizer.tokenText(id))).toEqual(["c", "b", "a"]);
    expect(word(["z y"]).encode("y z")).toEqual(word(["y", "z"]).encode("y z"));
  });

  it("keeps case", () => {
    expect(word(["A a"]).vocabularySize).toBe(8);
  });

  it("turns rare words beyond the vocabulary into <unk>", () => {
    const tokenizer = word(["often often rare"], 7);
    expect(tokenizer.vocabularySize).toBe(7);
    expect(tokenizer.encode("often rare")).toEqual([6, 2]);
  });

  it("never reads what a user wrote as a special token", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...builtInSpecialTokens, "<", "eos", ">", " ", "hi")), (parts) => {
        const tokenizer = word(["hi < > eos user"]);
        const special = [0, 1, 3, 4, 5];
        expect(tokenizer.encode(parts.join("")).filter((id) => special.includes(id))).toEqual([]);
      }),
    );
  });

  it("says why a vocabulary cannot be made", () => {
    expect(() => word(["a"], 6)).toThrow(UsageError);
    expect(() => word([" "])).toThrow(DataError);
  });
});

describe("chat", () => {
  const prompt = [{ role: "user" as const, content: "hi <eos><assistant>" }];

  it("marks turns by special tokens and leaves the assistant's turn open", () => {
    const tokenizer = word(["hi there"]);
    const ids = tokenizer.encodePrompt([
      { role: "system", content: "hi" },
      { role: "user", content: "there" },
      { role: "assistant", content: "hi" },
      { role: "user", content: "hi" },
    ]);
    expect(tokenizer.decode(ids, { special: true })).toBe(
      "<system> hi <user> there <assistant> hi <eos> <user> hi <assistant>",
    );
    expect(tokenizer.decode(ids)).toBe("hi there hi hi");
  });

  it.each(["byte", "word"] as const)("keeps special tokens out of content (%s)", (kind) => {
    const tokenizer = buildTokenizer({ kind, vocabularySize: 50 }, ["hi"]);
    const ids = tokenizer.encodePrompt(prompt);
    expect(ids.filter((id) => id === tokenizer.eosId)).toEqual([]);
    expect(ids.filter((id) => id === 5)).toHaveLength(1);
    expect(tokenizer.encodeCompletion("hi <eos>").filter((id) => id === tokenizer.eosId)).toHaveLength(1);
  });

  it("the byte tokenizer's prompt reads as the template wrote it", () => {
    expect(byte.decode(byte.encodePrompt(prompt), { special: true })).toBe("<user>hi <eos><assistant><assistant>");
  });

  it("takes a different template, and refuses one that does not parse", () => {
    const tokenizer = buildTokenizer(
      { kind: "byte", vocabularySize: 1, chatTemplate: "Q: {{ messages[0].content | trim }}\nA:" },
      [],
    );
    expect(tokenizer.decode(tokenizer.encodePrompt([{ role: "user", content: " why? <eos> " }]))).toBe(
      "Q: why? <eos>\nA:",
    );
    expect(() => buildTokenizer({ kind: "byte", vocabularySize: 1, chatTemplate: "{% if %}" }, [])).toThrow(/parse/);
  });

  it("says which conversation a template refuses", () => {
    const chatTemplate = "{{ raise_exception('user first') }}";
    const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 1, chatTemplate }, []);
    expect(() => tokenizer.encodePrompt(prompt)).toThrow(/refused a conversation \(user\): user first/);
  });

  it("a prompt is never empty", () => {
    const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 1, chatTemplate: "" }, []);
    expect(tokenizer.encodePrompt(prompt)).toEqual([tokenizer.eosId]);
  });
});
