import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { perturb, perturbations } from "./perturb.ts";

const rowOf = (content: string) => ({
  prompt: [
    { role: "system" as const, content: "be brief" },
    { role: "user" as const, content: "earlier" },
    { role: "assistant" as const, content: "yes" },
    { role: "user" as const, content },
  ],
  reference: "5",
  kind: "sums",
});
const asked = (content: string, name: (typeof perturbations)[number], seed = 1) =>
  perturb(rowOf(content), name, { seed }).prompt[3]!.content;

describe("a perturbed prompt", () => {
  it("is another text in the last message alone, and the same row otherwise", () => {
    for (const name of perturbations) {
      const row = perturb(rowOf("could you please book a table?"), name, { seed: 1 });
      expect(row.prompt[3]!.content).not.toBe("could you please book a table?");
      expect({ ...row, prompt: row.prompt.slice(0, 3) }).toEqual({
        ...rowOf(""),
        prompt: rowOf("").prompt.slice(0, 3),
      });
    }
  });

  it("is a pure function of text and seed, and another for another seed", () => {
    const text = "please tell me about coffee in winter, then order some apples for everyone.";
    for (const name of perturbations) expect(asked(text, name)).toBe(asked(text, name));
    for (const name of ["typos", "paraphrase", "distractor", "injection"] as const)
      expect(new Set(Array.from({ length: 20 }, (_, seed) => asked(text, name, seed))).size).toBeGreaterThan(1);
  });

  it("keeps the whole request in paraphrases, distractors and injections", () => {
    for (const name of ["paraphrase", "distractor", "injection"] as const)
      for (let seed = 0; seed < 10; seed++) expect(asked("add 2 and 3.", name, seed)).toContain("add 2 and 3.");
    expect(asked("add 2 and 3.", "case")).toBe("ADD 2 AND 3.");
  });

  it("with typos has the same letters, and one long word in five is another", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("table", "lesson", "winter", "an", "aaaa", "7"), { minLength: 1 }),
        (words) => {
          const typed = asked(words.join(" "), "typos").split(" ");
          const sorted = (word: string) => [...word].sort().join("");
          expect(typed.map(sorted)).toEqual(words.map(sorted));
          const long = words.filter((word) => ["table", "lesson", "winter"].includes(word));
          expect(typed.filter((word, i) => word !== words[i])).toHaveLength(Math.ceil(long.length / 5));
          typed.forEach((word, i) => {
            expect(word[0]).toBe(words[i]![0]);
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it("without a word to misspell, or a user who asks, stays as it is", () => {
    expect(asked("2 + 2 is?", "typos")).toBe("2 + 2 is?");
    const row = { prompt: [{ role: "system" as const, content: "be brief" }], reference: null };
    expect(perturb(row, "case", { seed: 1 })).toEqual(row);
  });
});
