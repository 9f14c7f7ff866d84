/** Memory of passes: from shapes, against what a process takes; and how many tokens fit in a budget. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { smallConfig } from "../../../test/support/engine.ts";
import { lossBytes, tokensWithin } from "./pass-memory.ts";

const config = { ...smallConfig, context: 65, vocabularySize: 100, width: 64, layers: 12 };
const model = { config, heads: ["lm"] as const };
const pass = { sequences: 32, length: 64 };

describe("the memory of a pass", () => {
  test("grows with tokens in proportion, and with length by attention", () => {
    const bytes = (sequences: number, length: number) => lossBytes(model, { sequences, length }, { recompute: false });
    expect(bytes(32, 64) / bytes(16, 64)).toBeCloseTo(2, 1);
    expect(bytes(8, 256)).toBeGreaterThan(1.2 * bytes(32, 64));
  });

  test("does not depend on the vocabulary beyond its blocks, but for the embedding's gradient", () => {
    const bytes = (vocabularySize: number) =>
      lossBytes({ ...model, config: { ...config, vocabularySize } }, pass, { recompute: true });
    const embedding = (vocabularySize: number) => 4 * vocabularySize * config.width;
    expect(bytes(200_000) - bytes(20_000)).toBeLessThan(5 * embedding(180_000));
  });

  // The growth of a process contains the compiled graph, which is the same for both.
  test.runIf(process.platform === "linux")(
    "kept instead of computed again is what a process takes more, within a fifth",
    async () => {
      const script = fileURLToPath(new URL("../../../test/support/pass-memory.ts", import.meta.url));
      const growth = async (setting: string) => {
        const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, setting]);
        return JSON.parse(stdout) as number;
      };
      const planned = [false, true].map((recompute) => lossBytes(model, pass, { recompute }) / 2 ** 20);
      const measured = (await growth("keep")) - (await growth("recompute"));
      expect(measured / (planned[0]! - planned[1]!)).toBeGreaterThan(0.8);
      expect(measured / (planned[0]! - planned[1]!)).toBeLessThan(1.25);
    },
  );
});

test("a budget halves the tokens of a pass until they fit, down to 64", () => {
  const of = (tokens: number) =>
    lossBytes(model, { sequences: Math.floor(tokens / 65) || 1, length: Math.min(tokens, 65) }, { recompute: false });
  const within = (budget: number, recompute = false) => tokensWithin(config, { recompute, budget });
  expect(within(Number.POSITIVE_INFINITY)).toBe(2048);
  expect(within(of(2048))).toBe(2048);
  expect(within(of(2048) - 1)).toBe(1024);
  expect(within(of(512))).toBe(512);
  expect(within(1)).toBe(64);
  // Blocks that are computed again leave room for more tokens.
  expect(within(of(512), true)).toBeGreaterThan(512);
});
