import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkReferences, exact, lastNumber, length, pattern, repetition } from "./rule-rewards.ts";

const row = (response: string, reference: string | null = null) => ({ prompt: "why ?", response, reference });
const tokens = (count: number) => ({ tokens: [...Array(count).keys(), 0], stopReason: "stop" as const });

it("exact ignores case, surrounding space and how a letter is composed, nothing else", () => {
  expect(exact(row("  Paris\n", "paris"))).toBe(1);
  expect(exact(row("cafe\u0301", "caf\u00e9"))).toBe(1);
  expect(exact(row("Paris.", "Paris"))).toBe(0);
  expect(exact(row("", ""))).toBe(1);
});

describe("last_number", () => {
  const options = { marker: "####", requireMarker: false };
  it.each<[string, string, number]>([
    ["#### 72", "... <<48+24=72>>\n#### 72", 1],
    ["it costs $18.00", "18", 1],
    ["1,000", "#### 1000", 1],
    ["-3", "3", 0],
    ["I do not know", "3", 0],
    ["72 or 73", "72", 0],
  ])("%j against %j: %d", (response, reference, expected) => {
    expect(lastNumber(row(response, reference), options)).toBe(expected);
  });

  it("requires the marker of the response only", () => {
    expect(lastNumber(row("72", "72"), { marker: "####", requireMarker: true })).toBe(0);
    expect(lastNumber(row("#### 72", "72"), { marker: "####", requireMarker: true })).toBe(1);
  });

  it("refuses a reference that it cannot compare with", () => {
    expect(() => lastNumber(row("3", "three"), options)).toThrow(
      'last_number: the reference answer "three" of the prompt "why ?" has no number',
    );
    expect(() => lastNumber(row("3"), options)).toThrow(
      'last_number needs a reference answer, and the prompt "why ?" has none',
    );
  });

  const gsm8k = "../shared/data/gsm8k-train.jsonl";
  it.skipIf(!existsSync(gsm8k))(`finds the answer of every row of ${gsm8k}`, () => {
    const answers = readFileSync(gsm8k, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).answer as string);
    expect(answers.length).toBeGreaterThan(7000);
    for (const answer of answers) {
      const last = answer.split("####")[1]!.trim();
      expect(lastNumber(row(`The answer is ${last}.`, answer), options)).toBe(1);
      expect(lastNumber(row(`${last}9`, answer), options)).toBe(0);
    }
  });
});

it("pattern matches anywhere, every time the same", () => {
  for (const flags of ["", "g", "i", "gi"]) {
    const matches = () => pattern(row("say could you ?"), { pattern: "could you", flags });
    expect([matches(), matches(), matches()]).toEqual([1, 1, 1]);
  }
  expect(pattern(row("COULD"), { pattern: "could", flags: "" })).toBe(0);
  expect(pattern(row("a could"), { pattern: "could", flags: "y" })).toBe(0);
});

describe("length", () => {
  it.each<[number, number]>([
    [0, 0],
    [2, 0.5],
    [3, 0.75],
    [4, 1],
    [8, 1],
    [9, 0.75],
    [12, 0],
    [40, 0],
  ])("%d tokens: %d", (count, expected) => {
    expect(length(tokens(count), { min: 4, max: 8, slack: 4 })).toBe(expected);
  });

  it("without slack falls at once, and counts no stop token", () => {
    expect(length(tokens(8), { min: 0, max: 8, slack: 0 })).toBe(1);
    expect(length(tokens(9), { min: 0, max: 8, slack: 0 })).toBe(0);
    expect(length({ tokens: [1, 2, 3], stopReason: "length" }, { min: 0, max: 2, slack: 0 })).toBe(0);
  });
});

it("repetition counts n-grams that come again", () => {
  expect(repetition({ tokens: [1, 2, 1, 2, 1, 0], stopReason: "stop" }, { n: 2 })).toBe(-0.5);
  expect(repetition({ tokens: [1, 2, 3, 0], stopReason: "stop" }, { n: 2 })).toBe(0);
  expect(repetition({ tokens: [0], stopReason: "stop" }, { n: 4 })).toBe(0);
});

it("checkReferences counts the prompts that a verifier cannot judge", () => {
  const prompts = ["5", null, "five"].map((reference, i) => ({ prompt: [{ content: `prompt ${i}` }], reference }));
  expect(() => checkReferences([{ kind: "exact" }], prompts)).toThrow(
    'exact needs a reference answer, and 1 of 3 prompts have none, the first of them "prompt 1"',
  );
  expect(() => checkReferences([{ kind: "last_number" }], prompts)).toThrow("and 2 of 3 prompts have none");
  expect(() => checkReferences([{ kind: "model" }], prompts)).not.toThrow();
});
