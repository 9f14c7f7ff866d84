import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { alsoTrainedOn, splitHeldOut } from "./heldout.ts";

const row = (prompt: string, completion = "") => ({ prompt: [{ role: "user" as const, content: prompt }], completion });
const rowsOf = (prompts: readonly number[]) => prompts.map((prompt, index) => row(`${prompt}`, `${index}`));

describe("splitHeldOut", () => {
  it("splits all rows, keeps their order, and never puts one prompt on both sides", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(30), { minLength: 2, maxLength: 80 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (prompts, share) => {
          const rows = rowsOf(prompts);
          const { train, heldOut } = splitHeldOut(rows, share, 7);
          const order = (side: typeof rows) => side.map((entry) => Number(entry.completion));
          expect([...order(train), ...order(heldOut)].sort((a, b) => a - b)).toEqual(rows.map((_, index) => index));
          for (const side of [train, heldOut]) expect(order(side)).toEqual([...order(side)].sort((a, b) => a - b));
          if (new Set(prompts).size > 1) {
            const trained = new Set(train.map((entry) => entry.prompt[0]!.content));
            expect(heldOut.filter((entry) => trained.has(entry.prompt[0]!.content))).toEqual([]);
          }
          expect(train.length).toBeGreaterThan(0);
          expect(heldOut.length > 0).toBe(share > 0);
        },
      ),
    );
  });

  it("takes the share asked for, the same for the same seed", () => {
    const rows = rowsOf(Array.from({ length: 200 }, (_, index) => index));
    expect(splitHeldOut(rows, 0.1, 1).heldOut).toHaveLength(20);
    expect(splitHeldOut(rows, 0.1, 1)).toEqual(splitHeldOut(rows, 0.1, 1));
    expect(splitHeldOut(rows, 0.1, 1).heldOut).not.toEqual(splitHeldOut(rows, 0.1, 2).heldOut);
  });

  it("keeps a single row for training", () => {
    expect(splitHeldOut([row("a")], 0.5, 1)).toEqual({ train: [row("a")], heldOut: [] });
  });
});

describe("alsoTrainedOn", () => {
  it("counts held-out rows whose prompt is trained on: all, if there is one prompt", () => {
    expect(alsoTrainedOn(splitHeldOut(rowsOf([1, 1, 1, 1, 1, 1]), 0.34, 1))).toBe(2);
    expect(alsoTrainedOn(splitHeldOut(rowsOf([1, 1, 2, 2, 3, 3]), 0.34, 1))).toBe(0);
    expect(alsoTrainedOn({ train: rowsOf([1, 2]), heldOut: rowsOf([3, 2, 2]) })).toBe(2);
    expect(alsoTrainedOn({ train: [row("a")], heldOut: [{ prompt: [{ role: "user", content: " a" }] }] })).toBe(1);
    expect(alsoTrainedOn({ train: rowsOf([1]), heldOut: [] })).toBe(0);
  });
});
