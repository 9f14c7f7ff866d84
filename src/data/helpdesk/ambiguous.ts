/** Requests that leave something out: the right reply asks for it, the wrong one guesses. */
import { actPhrasings, type Case, fill, pairCases, type RequestKind, type Split, wordsOf } from "./kind.ts";

interface Missing {
  readonly verbs: readonly string[];
  readonly objects: readonly string[];
  readonly questions: readonly string[];
  /** A question about the missing information contains one of these words. */
  readonly askedBy: readonly string[];
  readonly guesses: readonly string[];
}

const missing: Readonly<Record<string, Missing>> = {
  time: {
    verbs: ["book", "plan", "arrange"],
    objects: ["a table", "a meeting", "a lesson", "a visit"],
    questions: ["when should it be?", "for what time?", "what time do you want?"],
    askedBy: ["when", "time"],
    guesses: ["monday", "tuesday", "noon"],
  },
  person: {
    verbs: ["send", "give", "show"],
    objects: ["this letter", "this gift", "this picture", "this ring"],
    questions: ["who should get it?", "who is it for?", "who do you mean?"],
    askedBy: ["who"],
    guesses: ["anna", "peter", "maria"],
  },
  place: {
    verbs: ["find", "rent", "reserve"],
    objects: ["a room", "a house", "a shop", "a boat"],
    questions: ["where should it be?", "in which city?", "where do you want it?"],
    askedBy: ["where", "city"],
    guesses: ["paris", "london", "rome"],
  },
  color: {
    verbs: ["order", "buy", "get"],
    objects: ["a shirt", "a lamp", "a car", "a phone"],
    questions: ["which color do you want?", "in which color?", "what color should it be?"],
    askedBy: ["color"],
    guesses: ["red", "blue", "green"],
  },
  number: {
    verbs: ["order", "buy", "get"],
    objects: ["some eggs", "some cups", "some pens", "some apples"],
    questions: ["how many do you want?", "how many should it be?", "how many do you need?"],
    askedBy: ["many"],
    guesses: ["2", "3", "6"],
  },
};

const guessForms = ["ok, i took {guess}.", "done, it is {guess}.", "sure, i chose {guess}."];
const claims = ["took", "chose", "done"];

function missingIn(subject: Case): Missing {
  return missing[subject.reference]!;
}

function ambiguousCases(): Record<Split, Case[]> {
  const all: Record<Split, Case[]> = { train: [], heldOut: [] };
  for (const [reference, { verbs, objects }] of Object.entries(missing)) {
    const cases = pairCases(objects, verbs, (object, verb) => ({ slots: { verb, object }, reference }));
    all.train.push(...cases.train);
    all.heldOut.push(...cases.heldOut);
  }
  return all;
}

export const ambiguousKind: RequestKind = {
  name: "ambiguous",
  phrasings: actPhrasings,
  cases: ambiguousCases(),
  good(subject, random) {
    const question = random.pick(missingIn(subject).questions);
    return random.uniform() < 0.25 ? `sure, ${question}` : question;
  },
  bad: (subject, random) => fill(random.pick(guessForms), { guess: random.pick(missingIn(subject).guesses) }),
  slip(_, subject, random) {
    const others = Object.keys(missing).filter((name) => name !== subject.reference);
    return random.pick(missing[random.pick(others)]!.questions);
  },
  slipShare: 0.25,
  checks: "asksBack",
  check: asksFor,
};

/** Whether the reply ends in exactly one question about the missing information, and does not claim to have acted. */
function asksFor(reference: string, response: string): boolean {
  const words = wordsOf(response);
  const questions = response.split("?").length - 1;
  if (questions !== 1 || !response.trimEnd().endsWith("?") || response.includes(".")) return false;
  if (words.some((word) => claims.includes(word))) return false;
  return words.length > 1 && missing[reference]!.askedBy.some((word) => words.includes(word));
}
