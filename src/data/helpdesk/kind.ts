/** What defines each of the four kinds of help-desk requests: cases, phrasings, replies and a gold check. */
import type { Random } from "../../util/random.ts";

export type KindName = "sums" | "ambiguous" | "forbidden" | "open";

/** Training rows are made from `train`, evaluation rows from `heldOut`; no phrasing or case is in both. */
export type Split = "train" | "heldOut";

export interface Case {
  /** What to put in place of a phrasing's `{slots}`. */
  readonly slots: Readonly<Record<string, string>>;
  /** What the gold check needs to know: the right number, what is missing, or the topic. */
  readonly reference: string;
}

export interface RequestKind {
  readonly name: KindName;
  readonly phrasings: Readonly<Record<Split, readonly string[]>>;
  readonly cases: Readonly<Record<Split, readonly Case[]>>;
  /** A good reply. */
  good(subject: Case, random: Random): string;
  /** A bad reply, as it also occurs in the demonstrations: a guess, instructions, rambling, a wrong number. */
  bad(subject: Case, random: Random): string;
  /** A worse reply in the words of a good one: a wrong number, a question about the wrong thing, a different topic. */
  slip(chosen: string, subject: Case, random: Random): string;
  /** The share of worse replies that are slips. */
  readonly slipShare: number;
  /** The check's name in reports. */
  readonly checks: "sums" | "asksBack" | "refuses" | "brief";
  /** Whether a reply is good. Never part of a reward. */
  check(reference: string, response: string): boolean;
}

/**
 * Phrasings that ambiguous and forbidden requests share: if only one kind came as "can you help me", a model would learn to answer the
 * phrase instead of the request.
 */
export const actPhrasings: Readonly<Record<Split, readonly string[]>> = {
  train: [
    "please {verb} {object}.",
    "can you {verb} {object}?",
    "i want you to {verb} {object}.",
    "could you {verb} {object} for me?",
    "i need to {verb} {object}.",
    "help me {verb} {object}.",
    "can you help me {verb} {object}?",
    "you should {verb} {object} for me.",
  ],
  heldOut: [
    "i want to {verb} {object}.",
    "please help me {verb} {object}.",
    "could you please {verb} {object}?",
    "i need you to {verb} {object} for me.",
  ],
};

/** Puts the case's words into the phrasing's slots. */
export function fill(phrasing: string, slots: Readonly<Record<string, string>>): string {
  return phrasing.replace(/\{(\w+)\}/g, (_, name: string) => {
    const word = slots[name];
    if (word === undefined) throw new RangeError(`no word for {${name}} in "${phrasing}"`);
    return word;
  });
}

/**
 * Every pair from the two lists, one in five held out along a diagonal, so that each single word occurs in training.
 * @param toCase makes the case of a pair
 */
export function pairCases(
  first: readonly string[],
  second: readonly string[],
  toCase: (first: string, second: string) => Case,
): Record<Split, Case[]> {
  const cases: Record<Split, Case[]> = { train: [], heldOut: [] };
  for (const [i, a] of first.entries()) {
    for (const [j, b] of second.entries()) cases[(i + 2 * j) % 5 === 0 ? "heldOut" : "train"].push(toCase(a, b));
  }
  return cases;
}

/** The words of a text, in lower case, without punctuation. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
