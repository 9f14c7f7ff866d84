/**
 * Writes the rows of this example again: word problems of one or two steps in GSM8K's form, drawn from templates by a fixed seed.
 *
 *   npx tsx examples/qwen/rows.ts FOLDER
 *
 * Demonstrations are worked answers that end in "#### N"; of a pair the chosen answer is right and the rejected one wrong in its last step.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [, , folder] = process.argv;
if (folder === undefined) {
  console.error("usage: npx tsx examples/qwen/rows.ts FOLDER");
  process.exit(2);
}

let state = 1;
/** A whole number from `low` to `high`, both included: Lehmer's generator. */
function draw(low: number, high: number): number {
  state = (state * 48_271) % 2_147_483_647;
  return low + (state % (high - low + 1));
}
const one = <T>(of: readonly T[]): T => of[draw(0, of.length - 1)] as T;

const names = ["Ada", "Ben", "Chen", "Dina", "Emil", "Fay"];
const things = ["apples", "books", "coins", "eggs", "pens", "stamps"];

/** A question and its answer but for the last number, which `right` is. */
function problem(): { question: string; steps: string; right: number } {
  const [name, thing, a, b, c] = [one(names), one(things), draw(2, 12), draw(2, 9), draw(1, 9)];
  switch (draw(0, 3)) {
    case 0:
      return {
        question: `${name} has ${a} ${thing} and buys ${b} more. How many ${thing} does ${name} have now?`,
        steps: `${a} + ${b} =`,
        right: a + b,
      };
    case 1:
      return {
        question: `${name} fills ${b} boxes with ${a} ${thing} each. How many ${thing} is that?`,
        steps: `${b} * ${a} =`,
        right: a * b,
      };
    case 2:
      return {
        question: `${name} has ${a + b} ${thing} and gives ${b} away. How many ${thing} are left?`,
        steps: `${a + b} - ${b} =`,
        right: a,
      };
    default:
      return {
        question: `${name} buys ${b} boxes of ${a} ${thing} and finds ${c} more. How many ${thing} are there?`,
        steps: `${b} * ${a} = ${a * b}\n${a * b} + ${c} =`,
        right: a * b + c,
      };
  }
}

const answer = (steps: string, number: number) => `${steps} ${number}\n#### ${number}`;

const drawn = new Set<string>();
/** A problem that no row has yet. */
function newProblem(): ReturnType<typeof problem> {
  for (;;) {
    const found = problem();
    if (drawn.has(found.question)) continue;
    drawn.add(found.question);
    return found;
  }
}

function write(file: string, count: number, rowOf: (of: ReturnType<typeof problem>) => object): void {
  const rows = Array.from({ length: count }, () => `${JSON.stringify(rowOf(newProblem()))}\n`);
  writeFileSync(join(folder as string, file), rows.join(""));
}

mkdirSync(folder, { recursive: true });
write("problems.jsonl", 400, ({ question, steps, right }) => ({ question, answer: answer(steps, right) }));
write("pairs.jsonl", 300, ({ question, steps, right }) => ({
  prompt: question,
  chosen: answer(steps, right),
  rejected: answer(steps, right + one([-3, -2, -1, 1, 2, 3, 10])),
}));
write("evaluation.jsonl", 64, ({ question, right }) => ({ prompt: question, reference: `#### ${right}` }));
