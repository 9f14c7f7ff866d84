import { describe, expect, it } from "vitest";
import { buildTokenizer } from "../text/index.ts";
import { DataError, UsageError } from "../util/errors.ts";
import { createTally, describeTally, encodePair, encodePairs, encodePrompt, encodeSft } from "./encode-rows.ts";
import { type PreferenceRow, placed } from "./row-types.ts";

// One token per byte; "abc" as a prompt is <user> a b c <assistant>.
const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 0 }, []);
const prompt = (content: string) => [{ role: "user" as const, content }];
const text = (tokens: readonly number[]) => tokenizer.decode(tokens, { special: true });

describe("encodeSft", () => {
  const row = { prompt: prompt("abc"), completion: "xy" };
  const encode = (context: number, longPrompts: "truncate" | "skip" | "error") => {
    const tally = createTally();
    const sequence = encodeSft(row, tokenizer, { context, longPrompts, tally });
    return {
      tally,
      parts: sequence && [text(sequence.tokens.slice(0, sequence.start)), text(sequence.tokens.slice(sequence.start))],
    };
  };

  it("puts the start behind the prompt and EOS at the end", () => {
    expect(encode(8, "error").parts).toEqual(["<user>abc<assistant>", "xy<eos>"]);
  });

  it("cuts the prompt at its left, but to no less than half the context", () => {
    const { parts, tally } = encode(7, "truncate");
    expect(parts).toEqual(["abc<assistant>", "xy<eos>"]);
    expect(tally).toEqual({ ...createTally(), rows: 1, truncatedPrompts: 1 });
    expect(encode(4, "truncate").parts).toEqual(["c<assistant>", "xy"]);
    expect(encode(4, "truncate").tally).toEqual({
      ...createTally(),
      ...{ rows: 1, truncatedPrompts: 1, truncatedCompletions: 1 },
    });
  });

  it("keeps a short prompt whole before a long completion", () => {
    const sequence = encodeSft({ prompt: prompt("q"), completion: "long answer" }, tokenizer, {
      context: 8,
      longPrompts: "truncate",
    });
    expect(text(sequence!.tokens)).toBe("<user>q<assistant>long ");
  });

  it("skips, or stops with the numbers", () => {
    expect(encode(7, "skip")).toMatchObject({ parts: null, tally: { rows: 1, skipped: 1 } });
    expect(() => encode(7, "error")).toThrow(/5 \+ 3 tokens, 1 more than the context of 7: "abc"/);
    expect(() => encode(7, "error")).toThrow(DataError);
  });
});

describe("encodePair", () => {
  it("cuts the prompt alike on both sides", () => {
    const row = { prompt: prompt("abcdefghij"), chosen: "x", rejected: "xyz" };
    const pair = encodePair(row, tokenizer, { context: 10, longPrompts: "truncate" })!;
    expect(text(pair.chosen.tokens)).toBe("fghij<assistant>x<eos>");
    expect(text(pair.rejected.tokens)).toBe("fghij<assistant>xyz<eos>");
    expect(pair.chosen.start).toBe(pair.rejected.start);
  });
});

describe("encodePairs", () => {
  const pair = (asked: string, chosen: string, rejected: string) => ({ prompt: prompt(asked), chosen, rejected });
  const encode = (rows: PreferenceRow[], options: { context?: number; flippedOnPurpose?: boolean } = {}) => {
    const tally = createTally();
    const pairs = encodePairs(rows, tokenizer, { context: 40, longPrompts: "truncate", tally, ...options });
    return { kept: pairs.map(({ row }) => `${row.chosen}>${row.rejected}`), tally };
  };

  it("leaves out pairs whose answers are equal, as written or once cut, and counts them", () => {
    const rows = [pair("q", "yes", "yes"), pair("q", "yes", "no"), pair("q", "same start, a", "same start, b")];
    expect(encode(rows, { context: 12 })).toEqual({
      kept: ["yes>no"],
      tally: { ...createTally(), rows: 3, truncatedCompletions: 1, equalPairs: 1, equalAsTokens: 1 },
    });
    expect(encode(rows).kept).toHaveLength(2);
  });

  it("leaves out every pair that is labelled both ways, but for labels that are flipped on purpose", () => {
    const rows = [
      pair("q", "a", "b"),
      pair("q", "a", "c"),
      pair("q", "b", "a"),
      pair("other", "b", "a"),
      pair("q", "a", "b"),
    ];
    expect(encode(rows)).toEqual({
      kept: ["a>c", "b>a"],
      tally: { ...createTally(), rows: 5, labelledBothWays: 3 },
    });
    expect(encode(rows, { flippedOnPurpose: true }).kept).toHaveLength(5);
  });

  it("leaves out pairs with an empty answer", () => {
    expect(encode([pair("q", "a", " \n"), pair("q", "a", "b")])).toMatchObject({
      kept: ["a>b"],
      tally: { emptyAnswers: 1 },
    });
  });

  it("names every row that the template refuses, by its place", () => {
    const strict = buildTokenizer(
      {
        ...{ kind: "byte", vocabularySize: 0 },
        chatTemplate:
          "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}{{ messages[0].content }}",
      },
      [],
    );
    const refused = (line: number) =>
      placed(
        { prompt: [{ role: "system" as const, content: `brief ${line}` }], chosen: "a", rejected: "b" },
        { path: "pairs.jsonl", line },
      );
    const rows = [refused(1), pair("q", "a", "b"), refused(4), refused(5)];
    expect(() => encodePairs(rows, strict, { context: 40, longPrompts: "truncate" })).toThrow(
      /^3 rows cannot be used\n {2}pairs\.jsonl:1, 4-5: the chat template refused a conversation \(system\): .*no system turn.*, the first of them "brief 1"$/,
    );
    const long = [placed(pair("q".repeat(50), "a", "b"), { path: "pairs.jsonl", line: 9 })];
    expect(() => encodePairs(long, tokenizer, { context: 40, longPrompts: "error" })).toThrow(
      /^pairs\.jsonl:9: a row takes 52 \+ 2 tokens, 14 more than the context of 40: "q{50}"$/,
    );
  });

  it("has no room for answers in a context of one token", () => {
    expect(() => encode([pair("q", "a", "b")], { context: 1 })).toThrow(/more than the context of 1/);
  });
});

describe("encodePrompt", () => {
  const row = { prompt: prompt("abc"), reference: null };

  it("leaves room for new tokens", () => {
    const options = { context: 8, longPrompts: "truncate" as const };
    expect(text(encodePrompt(row, tokenizer, { ...options, maxNewTokens: 3 })!)).toBe("<user>abc<assistant>");
    expect(text(encodePrompt(row, tokenizer, { ...options, maxNewTokens: 5 })!)).toBe("bc<assistant>");
    expect(encodePrompt(row, tokenizer, { ...options, longPrompts: "skip", maxNewTokens: 5 })).toBeNull();
    expect(() => encodePrompt(row, tokenizer, { ...options, longPrompts: "error", maxNewTokens: 5 })).toThrow(
      /2 more than/,
    );
    expect(() => encodePrompt(row, tokenizer, { ...options, maxNewTokens: 8 })).toThrow(UsageError);
  });
});

describe("describeTally", () => {
  it("is silent if all fitted", () => {
    expect(describeTally(createTally())).toBeNull();
    expect(describeTally({ ...createTally(), rows: 9, truncatedPrompts: 2, skipped: 1 })).toBe(
      "of 9 rows, too long for the context: 2 prompts cut at the left, 1 skipped",
    );
    expect(describeTally({ ...createTally(), rows: 9, skipped: 2, equalPairs: 3, labelledBothWays: 4 })).toBe(
      "of 9 rows, too long for the context: 2 skipped; left out: 3 whose two answers are equal, 4 labelled both ways",
    );
  });
});
