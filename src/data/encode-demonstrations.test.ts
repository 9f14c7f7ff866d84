/** Every answer of a conversation trained on exactly once, in its own context; plain texts cut and packed without losing or repeating a prediction. */
import { describe, expect, it } from "vitest";
import { buildTokenizer, builtInTemplate } from "../text/index.ts";
import { type DemonstrationOptions, encodeDemonstrations } from "./encode-demonstrations.ts";
import { createTally, type EncodedSequence } from "./encode-rows.ts";
import type { SftRow } from "./row-types.ts";

const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 0 }, []);
const user = (content: string) => ({ role: "user" as const, content });
const assistant = (content: string) => ({ role: "assistant" as const, content });
const options: DemonstrationOptions = { context: 200, longPrompts: "truncate", turns: "all", packing: "none" };

/** What is predicted, and after what: slow and obvious. */
function predictions(sequences: readonly EncodedSequence[]): string[] {
  return sequences.flatMap(({ tokens, start, mask }) =>
    tokens.flatMap((token, i) => {
      if (i < start || mask?.[i - start] === 0) return [];
      return [
        `${tokenizer.decode(tokens.slice(0, i), { special: true })} -> ${tokenizer.decode([token], { special: true })}`,
      ];
    }),
  );
}

describe("turns", () => {
  const row: SftRow = { prompt: [user("a"), assistant("bc"), user("d"), assistant("e"), user("f")], completion: "gh" };
  const turns: SftRow[] = [
    { prompt: row.prompt.slice(0, 1), completion: "bc" },
    { prompt: row.prompt.slice(0, 3), completion: "e" },
    row,
  ];

  it("all: the same predictions as of each answer on its own, in one sequence", () => {
    const all = encodeDemonstrations([row], tokenizer, options);
    expect(all).toHaveLength(1);
    const each = encodeDemonstrations(turns, tokenizer, { ...options, turns: "last" });
    expect(predictions(all).toSorted()).toEqual(predictions(each).toSorted());
    expect(predictions(encodeDemonstrations([row], tokenizer, { ...options, turns: "last" }))).toHaveLength(3);
  });

  it("all: what the context cuts from the left is not trained on, and what is left keeps its place", () => {
    const [full] = encodeDemonstrations([row], tokenizer, options);
    for (const cut of [1, 2, 4, 6]) {
      const [short] = encodeDemonstrations([row], tokenizer, { ...options, context: full!.tokens.length - cut });
      const trained = (sequence: EncodedSequence) =>
        sequence.tokens.map((_, i) => Number(i >= sequence.start && sequence.mask?.[i - sequence.start] !== 0));
      expect(short!.tokens).toEqual(full!.tokens.slice(cut));
      const expected = trained(full!).slice(cut);
      // The first token has nothing before it to be predicted from.
      expected[0] = 0;
      expect(trained(short!)).toEqual(expected);
    }
  });

  it("all: an answer that the template rewrites in the history is a sequence of its own", () => {
    const rewriting = builtInTemplate.replace(
      "{{ message.content }}",
      "{{ message.content if message.role == 'user' else '...' }}",
    );
    const other = buildTokenizer({ kind: "byte", vocabularySize: 0, chatTemplate: rewriting }, []);
    const sequences = encodeDemonstrations([row], other, options);
    expect(sequences.map(({ tokens, start }) => other.decode(tokens.slice(start)))).toEqual(["bc", "e", "gh"]);
    expect(sequences.every(({ mask }) => mask === undefined)).toBe(true);
  });
});

describe("plain text", () => {
  const text = (completion: string): SftRow => ({ prompt: [], completion, plain: true });
  const documents = ["abcdefghij", "k", "lmnop"].map(text);
  const eos = tokenizer.decode([tokenizer.eosId], { special: true });

  it.each([2, 3, 4, 7, 100])(
    "every token but a text's first is predicted once, in its own text only (context %i)",
    (context) => {
      const tally = createTally();
      const sequences = encodeDemonstrations(documents, tokenizer, { ...options, context, tally });
      expect(Math.max(...sequences.map(({ tokens }) => tokens.length))).toBeLessThanOrEqual(context);
      const predicted = sequences.map(({ tokens, start }) => tokenizer.decode(tokens.slice(start), { special: true }));
      expect(predicted.join("")).toBe(`bcdefghij${eos}${eos}mnop${eos}`);
      // No sequence holds two texts: nothing follows an end.
      for (const { tokens } of sequences) expect(tokens.slice(0, -1)).not.toContain(tokenizer.eosId);
      expect(tally.rows).toBe(3);
    },
  );

  it.each([2, 3, 4, 7, 100])("packed: one stream, every token but the first predicted once (context %i)", (context) => {
    const sequences = encodeDemonstrations(documents, tokenizer, { ...options, context, packing: "concat" });
    const lengths = sequences.map(({ tokens }) => tokens.length);
    expect(lengths.slice(0, -1).every((length) => length === context)).toBe(true);
    expect(lengths.at(-1)).toBeLessThanOrEqual(context);
    const predicted = sequences.map(({ tokens, start }) => tokenizer.decode(tokens.slice(start), { special: true }));
    expect(predicted.join("")).toBe(`bcdefghij${eos}k${eos}lmnop${eos}`);
  });
});
