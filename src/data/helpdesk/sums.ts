/** Sums of two small numbers. */
import type { Random } from "../../util/random.ts";
import { type Case, fill, type RequestKind, type Split, wordsOf } from "./kind.ts";

/** Replies repeat the sum: a small model learns much faster if it need not find its operands among the words. */
const forms = ["{a} plus {b} is {n}.", "{a} and {b} make {n}."];

/** Sums of operands from 0 to `largest`. */
export function sumsKind(largest: number): RequestKind {
  const reply = ({ slots }: Case, n: number, random: Random) => fill(random.pick(forms), { ...slots, n: String(n) });
  return {
    name: "sums",
    phrasings: {
      train: [
        "what is {a} plus {b}?",
        "{a} plus {b} is what?",
        "add {a} and {b}.",
        "please add {a} to {b}.",
        "how much is {a} and {b}?",
        "can you add {a} and {b}?",
        "what do {a} and {b} make?",
        "tell me {a} plus {b}.",
        "i need the sum of {a} and {b}.",
        "give me the sum of {a} and {b}.",
        "{a} and {b} make how much?",
        "could you tell me how much {a} plus {b} is?",
        "could you tell me {a} plus {b}?",
        "tell me what {a} and {b} make.",
        "please tell me how much {a} and {b} is.",
        "what is {a} and {b}?",
        "i want to know what {a} plus {b} is.",
        "please give me {a} plus {b}.",
        "do you know what {a} and {b} make?",
        "you should add {a} and {b}.",
        "i want the sum of {a} and {b}.",
        "can you tell me what {a} and {b} make?",
        "help me add {a} and {b}.",
        "i need to know {a} plus {b}.",
        "how much do you get for {a} and {b}?",
      ],
      heldOut: [
        "what is the sum of {a} and {b}?",
        "please tell me what {a} plus {b} is.",
        "how much do {a} and {b} make?",
        "can you tell me {a} plus {b}?",
      ],
    },
    cases: sumCases(largest),
    good: (subject, random) => reply(subject, Number(subject.reference), random),
    bad: (subject, random) => reply(subject, wrongSum(Number(subject.reference), 2 * largest, random), random),
    slip: (chosen, subject, random) => slip(chosen, subject, { largest, random }),
    slipShare: 0.7,
    checks: "sums",
    check: saysNumber,
  };
}

/**
 * Every ordered pair of operands. About one in six is held out, always with the reversed pair in training: this evaluates that order does
 * not matter, not sums never seen in any form.
 */
function sumCases(largest: number): Record<Split, Case[]> {
  const cases: Record<Split, Case[]> = { train: [], heldOut: [] };
  const marked = (a: number, b: number) => a !== b && (a + 2 * b) % 5 === 1;
  for (let a = 0; a <= largest; a++) {
    for (let b = 0; b <= largest; b++) {
      const heldOut = marked(a, b) && !(marked(b, a) && a > b);
      cases[heldOut ? "heldOut" : "train"].push({
        slots: { a: String(a), b: String(b) },
        reference: String(a + b),
      });
    }
  }
  return cases;
}

/** A wrong number in place of the right one; one time in four the right sum of the wrong operands. */
function slip(chosen: string, { slots, reference }: Case, { largest, random }: { largest: number; random: Random }) {
  if (random.uniform() < 0.75)
    return chosen.replace(/\d+(?=\.$)/, String(wrongSum(Number(reference), 2 * largest, random)));
  for (;;) {
    const [a, b] = [Number(slots.a), random.integer(largest + 1)];
    if (String(a + b) !== reference) return fill(random.pick(forms), { a: String(a), b: String(b), n: String(a + b) });
  }
}

/** A wrong sum: half the time off by one or two, else any other number that is a sum. */
function wrongSum(right: number, largestSum: number, random: Random): number {
  const near = random.uniform() < 0.5;
  for (;;) {
    const wrong = near ? right + random.pick([-2, -1, 1, 2]) : random.integer(largestSum + 1);
    if (wrong !== right && wrong >= 0 && wrong <= largestSum) return wrong;
  }
}

/** Whether the reply states the right number and no other, except when it repeats the sum ("7 plus 5 is 12"). */
function saysNumber(reference: string, response: string): boolean {
  if (/[?]\s*$|-\s*\d/.test(response)) return false;
  const statement = response.replace(/(\d+) (?:plus|and) (\d+)/g, (echo, a, b) =>
    String(Number(a) + Number(b)) === reference ? "" : echo,
  );
  const words = wordsOf(statement);
  if (words.includes("not") || words.includes("no")) return false;
  const numbers = words.filter((word) => /^\p{N}+$/u.test(word));
  return numbers.length === 1 && numbers[0] === reference;
}
