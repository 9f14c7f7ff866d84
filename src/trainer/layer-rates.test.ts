import { expect, it } from "vitest";
import { sizes } from "../../test/support/stage.ts";
import { rateFactors } from "./layer-rates.ts";

const rates = { embeddings: 0.4, head: 1 };
const near = (x: number) => expect.closeTo(x, 12);

it("a tied matrix has the embeddings' rate, and the last block the head's", () => {
  const config = { ...sizes, layers: 3, tieEmbeddings: true };
  expect(rateFactors({ config, heads: ["lm"] }, rates)).toMatchObject({
    embeddings: 0.4,
    "block.0": near(0.6),
    "block.1": near(0.8),
    "block.2": near(1),
    final: 1,
  });
});

it.each([
  [false, ["lm"]],
  [true, ["scalar"]],
] as const)(
  "a head of its own has the head's rate, and the blocks lie between (tied: %s, %j)",
  (tieEmbeddings, heads) => {
    const config = { ...sizes, layers: 2, tieEmbeddings };
    expect(rateFactors({ config, heads }, { embeddings: 0.4, head: 1 })).toMatchObject({
      embeddings: 0.4,
      "block.0": near(0.6),
      "block.1": near(0.8),
      final: 1,
      lm_head: 1,
      score: 1,
    });
  },
);
