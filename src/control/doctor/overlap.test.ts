import { expect, it } from "vitest";
import fc from "../../../test/support/property.ts";
import { normalised, overlap, shingles, similarity } from "./overlap.ts";

it("case and spaces do not tell texts apart", () => {
  const { exact, near, count } = overlap(["What is  2+2?", "what is 2+2? "], ["what is 2+2?"]);
  expect({ exact, near, count }).toEqual({ exact: ["what is 2+2? "], near: [], count: 1 });
});

it("near is 80% of shingles in common", () => {
  const { near } = overlap(["tell me a story about dragons!"], ["tell me a story about dragons"]);
  expect(near).toHaveLength(1);
  expect(near[0]?.similarity).toBeCloseTo(25 / 26, 10);
  expect(overlap(["tell me a story about whales"], ["tell me a story about dragons"]).near).toEqual([]);
});

it("finds every near pair that comparing all with all finds", () => {
  const text = fc.array(fc.constantFrom("book", "a", "table", "for", "two", "ten", "tonight"), {
    minLength: 1,
    maxLength: 8,
  });
  const texts = fc.array(
    text.map((words) => words.join(" ")),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(texts, texts, fc.constantFrom(0.5, 0.8), (a, b, threshold) => {
      const slow = [...new Set(a.map(normalised))]
        .filter((one) => !b.map(normalised).includes(one))
        .filter((one) => b.some((other) => similarity(shingles(one), shingles(other)) >= threshold));
      expect(overlap(a, b, { threshold }).near.map((pair) => normalised(pair.text))).toEqual(slow);
    }),
  );
});
