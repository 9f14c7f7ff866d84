import { describe, expect, it } from "vitest";
import { buildTokenizer } from "../../text/index.ts";
import type { PreferenceRow } from "../row-types.ts";
import { ambiguousKind } from "./ambiguous.ts";
import { forbiddenKind } from "./forbidden.ts";
import { wordsOf } from "./kind.ts";
import { openKind } from "./open.ts";
import { sumsKind } from "./sums.ts";
import { helpdesk } from "./task.ts";

const task = helpdesk({ seed: 1, variant: "standard" });
const failing = helpdesk({ seed: 1, variant: "overoptimise" });
const kinds = [sumsKind(9), ambiguousKind, forbiddenKind, openKind];
const text = (row: { prompt: readonly { content: string }[] }) => row.prompt[0]!.content;
const share = (rows: readonly unknown[], of: readonly unknown[]) => rows.length / of.length;

/** Kind and reference of a training prompt, found by generating all of them. */
const requests = new Map(
  kinds.flatMap((kind) =>
    (["train", "heldOut"] as const).flatMap((split) =>
      kind.phrasings[split].flatMap((phrasing) =>
        kind.cases[split].map((subject) => {
          const filled = phrasing.replace(/\{(\w+)\}/g, (_, slot: string) => subject.slots[slot]!);
          return [filled, { kind: kind.name, reference: subject.reference, split }] as const;
        }),
      ),
    ),
  ),
);
const passes = (row: { prompt: readonly { content: string }[] }, response: string) => {
  const { kind, reference } = requests.get(text(row))!;
  return Object.values(task.check(kind, reference, response))[0]!;
};

describe("held-out requests", () => {
  it("share no phrasing and no case with training", () => {
    for (const kind of [...kinds, sumsKind(20)]) {
      const trained = new Set(kind.phrasings.train);
      expect(kind.phrasings.heldOut.filter((phrasing) => trained.has(phrasing))).toEqual([]);
      const key = (subject: { slots: Readonly<Record<string, string>> }) => JSON.stringify(subject.slots);
      const cases = new Set(kind.cases.train.map(key));
      expect(kind.cases.heldOut.length).toBeGreaterThan(7);
      expect(kind.cases.heldOut.filter((subject) => cases.has(key(subject)))).toEqual([]);
    }
  });

  it("stand in no demonstration, pair or prompt of training", () => {
    for (const { sft, preferences, prompts, evaluation, preferenceEvaluation } of [task, failing]) {
      const trained = new Set([...sft, ...preferences, ...prompts].map(text));
      expect([...evaluation, ...preferenceEvaluation].filter((row) => trained.has(text(row)))).toEqual([]);
    }
    const splits = (rows: readonly { prompt: readonly { content: string }[] }[]) =>
      new Set(rows.map((row) => requests.get(text(row))?.split));
    expect(splits([...task.sft, ...task.preferences, ...task.prompts])).toEqual(new Set(["train"]));
    expect(splits([...task.evaluation, ...task.preferenceEvaluation])).toEqual(new Set(["heldOut"]));
  });

  it("have their sums in training the other way round", () => {
    const { train, heldOut } = sumsKind(9).cases;
    const trained = new Set(train.map(({ slots }) => `${slots.a} ${slots.b}`));
    expect(train.length + heldOut.length).toBe(100);
    expect(heldOut.filter(({ slots }) => !trained.has(`${slots.b} ${slots.a}`))).toEqual([]);
  });

  it("use no word that the demonstrations do not teach", () => {
    const known = new Set(task.sft.flatMap((row) => [...wordsOf(text(row)), ...wordsOf(row.completion)]));
    const rows = [...task.evaluation, ...task.preferenceEvaluation];
    expect(rows.flatMap((row) => wordsOf(text(row))).filter((word) => !known.has(word))).toEqual([]);
  });

  it("are 256 of each kind", () => {
    for (const kind of kinds) expect(task.evaluation.filter((row) => row.kind === kind.name)).toHaveLength(256);
    expect(new Set(task.evaluation.map(text)).size).toBe(24 + 60 + 48 + 56);
  });

  it("tell a forbidden request from an ambiguous one by what is asked, not by how", () => {
    for (const split of ["train", "heldOut"] as const)
      expect(forbiddenKind.phrasings[split]).toEqual(expect.arrayContaining([...ambiguousKind.phrasings[split]]));
  });
});

describe("the monitoring set", () => {
  it("is 256 prompts that differ, in nothing that trains and not in the evaluation", () => {
    for (const one of [task, failing]) {
      const { sft, preferences, preferenceEvaluation, prompts, evaluation, monitor } = one;
      expect(monitor).toHaveLength(256);
      expect(new Set(monitor.map(text)).size).toBe(256);
      const elsewhere = new Set([...sft, ...preferences, ...preferenceEvaluation, ...prompts, ...evaluation].map(text));
      expect(monitor.filter((row) => elsewhere.has(text(row)))).toEqual([]);
    }
    for (const kind of kinds) expect(task.monitor.filter((row) => row.kind === kind.name)).toHaveLength(64);
    expect(task.monitor.slice(0, 8).map((row) => row.kind)).toEqual([...kinds, ...kinds].map(({ name }) => name));
  });

  it("is disjoint by make: of every prompt, the phrasing or the case is held out, and never both", () => {
    for (const kind of [...kinds, sumsKind(5), sumsKind(20)]) {
      const textsOf = (phrasings: "train" | "heldOut", cases: "train" | "heldOut") =>
        kind.phrasings[phrasings].flatMap((phrasing) =>
          kind.cases[cases].map(({ slots }) => phrasing.replace(/\{(\w+)\}/g, (_, slot: string) => slots[slot]!)),
        );
      const watched = new Set([...textsOf("heldOut", "train"), ...textsOf("train", "heldOut")]);
      const others = [...textsOf("train", "train"), ...textsOf("heldOut", "heldOut")];
      expect(others.filter((one) => watched.has(one))).toEqual([]);
    }
  });

  it("has words that the demonstrations teach, and is the same for every seed", () => {
    const known = new Set(task.sft.flatMap((row) => [...wordsOf(text(row)), ...wordsOf(row.completion)]));
    expect(task.monitor.flatMap((row) => wordsOf(text(row))).filter((word) => !known.has(word))).toEqual([]);
    expect(helpdesk({ seed: 2, variant: "standard" }).monitor).toEqual(task.monitor);
    for (const { kind, reference } of task.monitor) expect(() => task.check(kind!, reference, "yes")).not.toThrow();
  });
});

describe("demonstrations", () => {
  it("have good manners about half the time, and nearly always right sums", () => {
    for (const kind of kinds) {
      const rows = task.sft.filter((row) => requests.get(text(row))!.kind === kind.name);
      const good = share(
        rows.filter((row) => passes(row, row.completion)),
        rows,
      );
      if (kind.name === "sums") expect(good).toBeCloseTo(0.97, 1);
      else expect(Math.abs(good - 0.5)).toBeLessThan(0.03);
    }
  });

  it("are short, and every text survives the word tokenizer with a vocabulary under 200", () => {
    const tokenizer = buildTokenizer({ kind: "word", vocabularySize: 8192 }, task.texts);
    expect(tokenizer.vocabularySize).toBeLessThan(200);
    for (const row of task.sft) {
      expect(tokenizer.decode(tokenizer.encode(row.completion))).toBe(row.completion);
      expect(tokenizer.decode(tokenizer.encode(text(row)))).toBe(text(row));
      expect(tokenizer.encodePrompt(row.prompt).length).toBeLessThanOrEqual(16);
      expect(tokenizer.encodeCompletion(row.completion).length).toBeLessThanOrEqual(24);
    }
    for (const row of task.preferences) {
      for (const side of [row.chosen, row.rejected]) expect(tokenizer.encode(side)).not.toContain(tokenizer.unkId);
    }
  });
});

describe("pairs", () => {
  const rightLabel = (row: PreferenceRow) => passes(row, row.chosen) && !passes(row, row.rejected);

  it("set a reply that passes its check against one that fails; one label in ten is wrong in training, none held out", () => {
    expect(task.preferenceEvaluation.filter((row) => !rightLabel(row))).toEqual([]);
    const wrong = task.preferences.filter((row) => !rightLabel(row));
    expect(Math.abs(share(wrong, task.preferences) - 0.1)).toBeLessThan(0.01);
    expect(wrong.every((row) => passes(row, row.rejected) && !passes(row, row.chosen))).toBe(true);
  });

  it("are about sums a third of the time, with near and far wrong numbers, other operands and other formats", () => {
    const sums = task.preferenceEvaluation.filter((row) => requests.get(text(row))!.kind === "sums");
    expect(Math.abs(share(sums, task.preferenceEvaluation) - 0.35)).toBeLessThan(0.05);
    const distances = sums.map((row) => {
      const { reference } = requests.get(text(row))!;
      const said = /^(\d+) (?:plus|and) (\d+) (?:is|make) (\d+)\.$/.exec(row.rejected);
      if (said === null) return "other format";
      if (Number(said[1]) + Number(said[2]) === Number(said[3])) return "other operands";
      return Math.abs(Number(said[3]) - Number(reference)) <= 2 ? "near" : "far";
    });
    for (const distance of ["near", "far", "other operands", "other format"]) {
      expect(
        share(
          distances.filter((d) => d === distance),
          distances,
        ),
      ).toBeGreaterThan(0.08);
    }
  });

  it("are seldom about sums in the variant that over-optimises, if sums go to 40", () => {
    const sums = failing.preferences.filter((row) => /\d.*\d/.test(text(row)));
    expect(share(sums, failing.preferences)).toBeLessThan(0.06);
    expect(failing.prompts.some((row) => row.kind === "sums" && row.reference === "40")).toBe(true);
  });
});

describe("the task", () => {
  it("is the same for the same seed, another for another, but for its evaluation", () => {
    const again = helpdesk({ seed: 1, variant: "standard" });
    const other = helpdesk({ seed: 2, variant: "standard" });
    for (const part of ["sft", "preferences", "preferenceEvaluation", "prompts", "evaluation"] as const) {
      expect(again[part]).toEqual(task[part]);
    }
    expect(other.sft).not.toEqual(task.sft);
    expect(other.evaluation).toEqual(task.evaluation);
  });

  it("refuses to check what it did not ask", () => {
    expect(() => task.check("jokes", "x", "y")).toThrow(/"jokes"/);
    expect(() => task.check("sums", null, "y")).toThrow(/null/);
  });
});
