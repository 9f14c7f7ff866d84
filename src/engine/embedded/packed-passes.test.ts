/** Sequences of different lengths in one pass, whose padding is left out, against one pass each, which has none: for every family. */
import { afterAll, describe, expect, test } from "vitest";
import { gradientOf } from "../../../test/support/engine.ts";
import { familyCases, writeCase } from "../../../test/support/family-fixtures.ts";
import { gap } from "../../../test/support/gpt2.ts";
import { EmbeddedCore } from "./core.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

describe.each(familyCases)("$title", (one) => {
  const sequences = one.sequences.map((sequence, i) => ({
    ...sequence,
    tokens: sequence.tokens.slice(0, -i || undefined),
  }));

  test("the log-probabilities of each, and the sum of their gradients", async () => {
    expect(new Set(sequences.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(1);
    const { id } = await core.loadModel(writeCase(one, one.config));
    const outputs = ["logprobs", "entropy"] as const;
    const together = await core.forward(id, { sequences, outputs });
    const apart = await Promise.all(sequences.map((sequence) => core.forward(id, { sequences: [sequence], outputs })));
    for (const output of outputs)
      expect(
        gap(
          together[output],
          apart.flatMap((result) => result[output]),
        ),
      ).toBeLessThan(1e-5);
    const losses = sequences.map((sequence) => ({
      name: "cross_entropy" as const,
      sequences: [sequence],
      weights: [sequence.tokens.slice(sequence.start).map(() => 0.1)],
    }));
    const whole = { name: "cross_entropy" as const, sequences, weights: losses.flatMap(({ weights }) => weights) };
    const [packed, sum] = [await gradientOf(core, id, [whole]), await gradientOf(core, id, losses)];
    for (const [name, values] of sum) {
      const largest = Math.max(1e-3, ...values.map(Math.abs));
      expect({ name, gap: gap([packed.get(name)!], [values]) / largest < 1e-4 }).toEqual({ name, gap: true });
    }
  });
});
