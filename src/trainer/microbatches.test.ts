import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { mostLogits, tokensOfPass } from "../engine/pass-size.ts";
import type { RolloutRecord } from "../signals/index.ts";

import { inOrder, microBatches } from "./microbatches.ts";
import { minibatchOf } from "./policy-update.ts";

const lengths = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 60 });

describe("micro-batches", () => {
  it("hold every sequence once, shortest first, within their size", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 9 }), (all, size) => {
        const groups = microBatches(all, size);
        expect(groups.flat().sort((a, b) => a - b)).toEqual(all.map((_, i) => i));
        const seen = groups.flat().map((i) => all[i]!);
        expect(seen).toEqual([...seen].sort((a, b) => a - b));
        for (const group of groups) {
          const padded = group.length * Math.max(...group.map((i) => all[i]!));
          expect(size === 0 ? group.length === 1 || padded <= 2048 : group.length <= size).toBe(true);
        }
      }),
    );
  });

  it.each([262, 50_257, 152_064])(
    "of a vocabulary of %d hold no more logits than memory has room for",
    (vocabularySize) => {
      const tokens = Array.from({ length: 40 }, () => 100);
      const sequences = tokens.map((length) => ({ tokens: new Array<number>(length).fill(1), start: 50 }));
      const rows = sequences.map(() => new Array<number>(50).fill(0));
      const record = { logprobs: rows, refLogprobs: rows, advantages: rows, values: rows, returns: rows };
      const { parts } = minibatchOf(
        { rollout: { sequences }, record: record as unknown as RolloutRecord },
        sequences.map((_, b) => b),
        { aggregation: "token-mean", microBatch: 0, vocabularySize },
      );
      const largest = Math.max(...parts.map((part) => part.length * 100));
      expect(largest * vocabularySize).toBeLessThanOrEqual(mostLogits);
      expect(largest).toBe(Math.floor(Math.min(2048, mostLogits / vocabularySize) / 100) * 100);
      expect(tokensOfPass(null)).toBe(2048);
      // The caller's own number of sequences is not second-guessed.
      expect(microBatches(tokens, 30, tokensOfPass(vocabularySize)).map((part) => part.length)).toEqual([30, 10]);
    },
  );

  it("give their results back in the order of the sequences", () => {
    fc.assert(
      fc.property(lengths, (all) => {
        const groups = microBatches(all, 3);
        const passes = groups.map((group) => ({ loss: 0, gradSquaredNorm: 0, values: group.map((i) => [i]) }));
        expect(inOrder(groups, passes, "values")).toEqual(all.map((_, i) => [i]));
      }),
    );
  });
});
