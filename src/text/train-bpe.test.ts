/** Byte-level BPE against a slow trainer that counts everything anew, against Hugging Face's trainer, and in transformers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { missingPython, runPython } from "../../test/support/python.ts";
import { buildTokenizer, builtInSpecialTokens } from "./build.ts";
import { byteSymbols } from "./bytes.ts";
import { loadTokenizer } from "./load-tokenizer.ts";
import { bpePattern, trainBpe } from "./train-bpe.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-bpe-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Texts with repeated letters, ties, several scripts and rare white space. */
const corpus = [
  "the cat sat on the mat; the cat's hat isn't the mat's",
  "aaaa aaa aa a aaaaa abab ababab bababa abcabc bcabca",
  "naïve café 日本語日本 🙂🙂🙂 1234 12 ٣٣ ½½",
  "tabs\t\tand  spaces \n\n lines\r\n\u0085x\ufeffx\u00a0 \u3000 end   ",
  "the the the then there these those them 's 'S don't",
];

/** Counts every pair of every word before each merge. */
function slowBpe(texts: readonly string[], merges: number, minCount: number): string[][] {
  const pattern = new RegExp(
    bpePattern.replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}"),
    "gu",
  );
  const order = new Map([...byteSymbols].sort().map((symbol, id) => [symbol, id]));
  const words = texts
    .flatMap((text) => text.match(pattern) ?? [])
    .map((word) => Array.from(Buffer.from(word), (byte) => byteSymbols[byte]!));
  const learned: string[][] = [];
  while (learned.length < merges) {
    const counts = new Map<string, { pair: [string, string]; count: number }>();
    for (const word of words)
      for (let i = 0; i + 1 < word.length; i++) {
        const pair: [string, string] = [word[i]!, word[i + 1]!];
        const known = counts.get(pair.join(" "));
        if (known) known.count++;
        else counts.set(pair.join(" "), { pair, count: 1 });
      }
    const id = (token: string) => order.get(token)!;
    const [best] = [...counts.values()].sort(
      (a, b) => b.count - a.count || id(a.pair[0]) - id(b.pair[0]) || id(a.pair[1]) - id(b.pair[1]),
    );
    if (best === undefined || best.count < minCount) break;
    const text = best.pair.join("");
    if (!order.has(text)) order.set(text, order.size);
    learned.push(best.pair);
    for (const word of words)
      for (let i = 0; i + 1 < word.length; i++)
        if (word[i] === best.pair[0] && word[i + 1] === best.pair[1]) word.splice(i, 2, text);
  }
  return learned;
}

describe("trainBpe", () => {
  it.each([1, 2])("learns what counting everything anew learns (fewest occurrences %i)", (minCount) => {
    const { merges } = trainBpe(corpus, { specials: [], vocabularySize: 10_000, minCount });
    expect(merges).toEqual(slowBpe(corpus, 10_000, minCount));
    expect(merges.length).toBeGreaterThan(minCount === 1 ? 100 : 30);
  });

  it("does so on random words of few letters, if one text is made in several ways", () => {
    const word = fc
      .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 9 })
      .map((letters) => letters.join(""));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), (some) => {
        const { merges, tokens } = trainBpe([some.join(" ")], { specials: [], vocabularySize: 400, minCount: 1 });
        expect(merges).toEqual(slowBpe([some.join(" ")], merges.length, 1));
        expect(new Set(tokens).size).toBe(tokens.length);
      }),
      { numRuns: 25 },
    );
  });

  it("ends at the size, with the specials first; the order of the texts does not matter", () => {
    const options = { specials: ["<x>", "<y>"], vocabularySize: 290 };
    const trained = trainBpe(corpus, options);
    expect(trained.tokens).toHaveLength(290);
    expect(trained.tokens.slice(0, 2)).toEqual(["<x>", "<y>"]);
    expect(trainBpe([...corpus].reverse(), options)).toEqual(trained);
  });
});

describe("the tokenizer of kind bpe", () => {
  const built = buildTokenizer({ kind: "bpe", vocabularySize: 320, specialTokens: ["<tool>"] }, corpus);

  it("is lossless on any text, shorter than bytes on its own, and keeps specials out of texts", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        expect(built.decode(built.encode(text))).toBe(text);
      }),
    );
    for (const text of corpus) {
      expect(built.decode(built.encode(text))).toBe(text);
      expect(built.encode(text).length).toBeLessThan(Buffer.byteLength(text));
    }
    const tool = builtInSpecialTokens.length;
    expect(built.tokenText(tool)).toBe("<tool>");
    expect(built.encode("<tool><eos>")).not.toContain(tool);
    expect(built.encodePrompt([{ role: "user", content: "the cat" }])[0]).toBe(4);
  });

  it("refuses a size without room and special tokens that cannot be kept apart", () => {
    const make = (vocabularySize: number, ...specialTokens: string[]) =>
      buildTokenizer({ kind: "bpe", vocabularySize, specialTokens }, corpus);
    expect(() => make(262)).toThrow(/leaves no room for pairs beside 6 special tokens and 256 bytes/);
    for (const special of ["x", "<eos>", " <a>"]) expect(() => make(300, special)).toThrow("cannot be a special token");
  });

  const noPython = missingPython(["transformers", "tokenizers"]);
  it.skipIf(noPython)(`has Hugging Face's merges and ids, and transformers' ids${noPython}`, () => {
    built.save(folder);
    const texts = [
      ...corpus,
      "unseen: Привет, мир! \u1680x \ufeff! a\u0085b <tool> <eos>",
      " ".repeat(40),
      "x".repeat(300),
    ];
    const script = `
import sys, json
from tokenizers import Tokenizer, models, trainers, pre_tokenizers
from transformers import AutoTokenizer
given = json.load(sys.stdin)
own = Tokenizer.from_file(given['folder'] + '/tokenizer.json')
bare = Tokenizer(models.BPE())
bare.pre_tokenizer = own.pre_tokenizer
trainer = trainers.BpeTrainer(vocab_size=320, min_frequency=2, special_tokens=given['specials'],
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
bare.train_from_iterator(given['corpus'], trainer)
model = json.loads(bare.to_str())['model']
auto = AutoTokenizer.from_pretrained(given['folder'])
ids = [auto.encode(text, add_special_tokens=False, split_special_tokens=True) for text in given['texts']]
print(json.dumps({'vocab': model['vocab'], 'merges': model['merges'], 'ids': ids, 'back': [auto.decode(i) for i in ids],
  'chat': auto.apply_chat_template([{'role': 'user', 'content': 'the cat'}], add_generation_prompt=True, return_dict=False)}))`;
    const specials = [...builtInSpecialTokens, "<tool>"];
    const found = runPython(script, { folder, corpus, texts, specials }) as {
      vocab: Record<string, number>;
      merges: string[][];
      ids: number[][];
      back: string[];
      chat: number[];
    };
    const { tokens, merges } = trainBpe(corpus, { specials, vocabularySize: 320 });
    expect(found.vocab).toEqual(Object.fromEntries(tokens.map((token, id) => [token, id])));
    expect(found.merges).toEqual(merges);
    const loaded = loadTokenizer(folder);
    expect(texts.map((text) => loaded.encode(text))).toEqual(found.ids);
    expect(found.back).toEqual(texts);
    expect(loaded.encodePrompt([{ role: "user", content: "the cat" }])).toEqual(found.chat);
  });
});
