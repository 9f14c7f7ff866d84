import { describe, expect, it } from "vitest";
import { buildTokenizer } from "../text/index.ts";
import { DataError, UsageError } from "../util/errors.ts";
import { createTally, describeTally, encodePair, encodePrompt, encodeSft } from "./encode.ts";

// One token a byte; "abc" as a prompt is <user> a b c <assistant>.
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
    expect(tally).toEqual({ rows: 1, truncatedPrompts: 1, truncatedCompletions: 0, skipped: 0 });
    expect(encode(4, "truncate").parts).toEqual(["c<assistant>", "xy"]);
    expect(encode(4, "truncate").tally).toEqual({ rows: 1, truncatedPrompts: 1, truncatedCompletions: 1, skipped: 0 });
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
  it("is silent where all fitted", () => {
    expect(describeTally(createTally())).toBeNull();
    expect(describeTally({ rows: 9, truncatedPrompts: 2, truncatedCompletions: 0, skipped: 1 })).toBe(
      "of 9 rows, too long for the context: 2 prompts cut at the left, 1 skipped",
    );
  });
});
