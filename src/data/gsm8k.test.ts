import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { buildTokenizer } from "../text/index.ts";
import { createTally, encodeSft, readPreferenceRows, readPromptRows, readSftRows, splitHeldOut } from "./index.ts";

const folder = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

describe.skipIf(!existsSync(folder))("GSM8K (skipped without ../shared)", () => {
  const path = `${folder}gsm8k-train.jsonl`;

  it("reads 7,473 rows as SFT rows and as prompts, in seconds on the slowest machine", () => {
    const start = performance.now();
    const rows = readSftRows({ path, fields: { prompt: "question", completion: "answer" } });
    const prompts = readPromptRows({ path, fields: { prompt: "question", reference: "answer" } });
    expect(performance.now() - start).toBeLessThan(4000);
    expect(rows).toHaveLength(7473);
    expect(prompts[0]!.reference).toMatch(/#### 72$/);
  });

  it("encodes real text, cut to the context", () => {
    const rows = readSftRows({ path, fields: { prompt: "question", completion: "answer" }, limit: 200 });
    const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 0 }, []);
    const tally = createTally();
    const sequences = rows.map((row) => encodeSft(row, tokenizer, { context: 512, longPrompts: "truncate", tally })!);
    expect(Math.max(...sequences.map((sequence) => sequence.tokens.length))).toBe(512);
    expect(tally.truncatedCompletions).toBeGreaterThan(10);
    expect(sequences.every((sequence) => sequence.start < sequence.tokens.length)).toBe(true);
  });

  it("holds out pairs without sharing a prompt", () => {
    const rows = readPreferenceRows({ path: `${folder}gsm8k-preferences.jsonl` });
    const { train, heldOut } = splitHeldOut(rows, 0.1, 1);
    expect(train.length + heldOut.length).toBe(725);
    const trained = new Set(train.map((row) => row.prompt[0]!.content));
    expect(heldOut.some((row) => trained.has(row.prompt[0]!.content))).toBe(false);
  });
});
