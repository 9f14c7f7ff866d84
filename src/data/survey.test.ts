/** What a survey of rows finds: repetitions, near ones, contradictions, overlap, lengths, what is trained on. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { buildTokenizer } from "../text/index.ts";
import { createNearDuplicates } from "./near-duplicates.ts";
import { guessUse, type Survey, survey } from "./survey.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-survey-"));
afterAll(() => rmSync(folder, { recursive: true }));
const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 0 }, []);

function file(name: string, ...rows: unknown[]): { path: string } {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${typeof row === "string" ? row : JSON.stringify(row)}\n`).join(""));
  return { path };
}
const rowsOf = ({ findings }: Survey, says: RegExp) => findings.find((finding) => says.test(finding.says))?.rows ?? 0;

describe("pairs", () => {
  const pair = (prompt: string, chosen: string, rejected: string) => ({ prompt, chosen, rejected });
  const source = file(
    "pairs.jsonl",
    pair("Why is it?", "a", "b"),
    pair("q", "x", "y"),
    pair("q", "y", "x"),
    pair("r", "z", "z "),
    pair("q", "x", "y"),
    "no row",
  );
  const evaluation = file("evaluation.jsonl", { prompt: "why is it" });
  const found = survey({ use: "preferences", source, evaluation, tokenizer, context: 6, show: 1 });

  it("contradictions, equal answers, repetitions, overlap with the evaluation, rows that cannot be used", () => {
    expect(found.rows).toBe(5);
    expect(rowsOf(found, /the other way round/)).toBe(2);
    expect(rowsOf(found, /two equal answers/)).toBe(1);
    expect(rowsOf(found, /repeat an earlier row exactly/)).toBe(1);
    expect(rowsOf(found, /prompt of the evaluation/)).toBe(1);
    expect(found.findings[0]!.places).toEqual([`${source.path}:1`]);
    expect(found.bad).toMatchObject({ rows: 1, message: expect.stringMatching(/pairs\.jsonl:6: not valid JSON/) });
  });

  it("lengths, the context's cuts, and a row token by token", () => {
    expect(found.lengths.map(({ what, most, unit }) => [what, most, unit])).toEqual([
      ["prompt", 10, "tokens"],
      ["chosen", 1, "tokens"],
      ["rejected", 2, "tokens"],
    ]);
    expect(found.context).toMatch(/1 prompts cut at the left/);
    const text = found.shown[0]!.parts.map(
      ({ label, text, trained }) => `${label ?? ""}${trained ? `[${text}]` : text}`,
    ).join("");
    expect(text).toBe("chosenit?<assistant>[a][<eos>]rejectedit?<assistant>[b][<eos>]");
  });
});

it("demonstrations: several answers to a prompt, answers before the last, plain text; nothing if nothing is", () => {
  const message = (role: string, content: string) => ({ role, content });
  const chat = [message("user", "a"), message("assistant", "b"), message("user", "c"), message("assistant", "d")];
  const source = file(
    "sft.jsonl",
    { prompt: "a", completion: "b" },
    { prompt: "a", completion: "c" },
    { messages: chat },
    { text: "once" },
  );
  const found = survey({ use: "demonstrations", source, show: 0 });
  expect(rowsOf(found, /answers differently/)).toBe(1);
  expect(rowsOf(found, /answers before the last one/)).toBe(1);
  expect(found.shapes).toEqual({ "prompt, completion": 2, messages: 1, text: 1 });
  expect(
    survey({ use: "demonstrations", source: file("one.jsonl", { prompt: "a", completion: "b" }), show: 0 }),
  ).toMatchObject({
    ...{ findings: [], bad: null, context: null, leftOut: {} },
  });
});

it("the use is guessed by what can be read; labels are left out by reason", () => {
  const of = (row: object) => guessUse(file("guess.jsonl", row));
  expect(of({ prompt: "a", chosen: "b", rejected: "c" })).toBe("preferences");
  expect(of({ prompt: "a", completion: "b", label: true })).toBe("demonstrations");
  expect(of({ prompt: "a", reference: "b" })).toBe("prompts");
  // Rows that cannot be used are not taken for something else.
  expect(of({ prompt: "a", chosen: 5, rejected: "c" })).toBe("preferences");
  expect(of({ prompt: "a", completion: 5 })).toBe("demonstrations");
  expect(() => of({ nothing: 1 })).toThrow(/"prompt" is missing/);
  const kto = file("kto.jsonl", { prompt: "a", completion: "b", label: false });
  expect(survey({ use: "demonstrations", source: kto, show: 0 }).leftOut).toEqual({
    "whose label says that the answer is bad": 1,
  });
});

it("near duplicates: a changed word in thirty is found, another text of the same words is not", () => {
  const words = Array.from({ length: 30 }, (_, i) => `word${i}`);
  const near = createNearDuplicates();
  expect(near.add(words.join(" "), 0)).toBeNull();
  expect(near.add(words.toReversed().join(" "), 1)).toBeNull();
  expect(near.add(`${words.slice(0, 29).join(", ")}. Different`, 2)).toBe(0);
  expect(near.add("too short to say", 3)).toBeNull();
  expect(near.add("too short to say", 4)).toBeNull();
  // Against the Jaccard index itself, on texts that share a known part.
  let [found, wrong] = [0, 0];
  for (let n = 0; n < 60; n++) {
    const text = Array.from({ length: 120 }, (_, i) => `t${n}w${i}`);
    const some = createNearDuplicates();
    some.add(text.join(" "), 0);
    if (some.add([...text.slice(0, 116), "a", "b", "c", "d"].join(" "), 1) === 0) found++;
    if (some.add([...text.slice(0, 60), ...text.slice(60).map((word) => `${word}x`)].join(" "), 2) !== null) wrong++;
  }
  expect(found).toBeGreaterThanOrEqual(57);
  expect(wrong).toBe(0);
});
