/**
 * Makes the rows of this folder, the same on every machine: chains of sums, and the help desk's preference pairs with 40% of their labels flipped.
 *
 *   npx tsx suites/strangers/rows/make.ts
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { helpdesk } from "../../../src/data/index.ts";
import { type Random, random } from "../../../src/util/random.ts";

const here = (name: string) => new URL(name, import.meta.url);

/** Operands are 0 to this, and every running value stays between 0 and twice as much. */
const largest = 5;
/** Share of a demonstration's steps whose result is wrong, and of demonstrations that forget the marker of the answer. */
const wrongSteps = 0.25;
const unmarked = 0.1;

interface Chain {
  readonly first: number;
  readonly steps: readonly { readonly word: "plus" | "minus"; readonly operand: number }[];
}

/** A chain of so many steps. `hard`: operands from beyond those of any demonstration. */
function drawChain(length: number, draw: Random, hard = false): Chain {
  const operandOf = () => draw.integer(largest + (hard ? 0 : 1)) + (hard ? largest + 1 : 0);
  const first = operandOf();
  let value = first;
  const steps = Array.from({ length }, () => {
    for (;;) {
      const word = draw.uniform() < 0.5 ? ("plus" as const) : ("minus" as const);
      const operand = operandOf();
      const next = value + (word === "plus" ? operand : -operand);
      if (next < 0 || next > 2 * largest) continue;
      value = next;
      return { word, operand };
    }
  });
  return { first, steps };
}

/** Demonstrations use them all. The last one asks nothing in training, so that no prompt of an evaluation nearly equals one that is trained on. */
const phrasings = ["what is", "how much is", "please work out", "tell me", "give me the result of"];
const [trained, heldOut] = [phrasings.slice(0, -1), phrasings.slice(-1)];

function question({ first, steps }: Chain, phrasing: string): string {
  return `${phrasing} ${[String(first), ...steps.map(({ word, operand }) => `${word} ${operand}`)].join(" ")}?`;
}

/** The worked answer, as a row of GSM8K ends; with `slips`, a share of the steps is wrong, and the next ones go on from there. */
function answer({ first, steps }: Chain, slips: Random | null): string {
  let value = first;
  const lines = steps.map(({ word, operand }) => {
    const before = value;
    value += word === "plus" ? operand : -operand;
    if (slips !== null && slips.uniform() < wrongSteps) value = slips.integer(2 * largest + 1);
    return `${before} ${word} ${operand} is ${value}.`;
  });
  const marker = slips !== null && slips.uniform() < unmarked ? "so" : "####";
  return `${lines.join(" ")} ${marker} ${value}`;
}

const jsonl = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

interface PromptOptions {
  readonly count: number;
  /** Steps of the chains, in turn. */
  readonly lengths: readonly number[];
  readonly from: readonly string[];
  readonly hard?: boolean;
}

function prompts(
  name: string,
  { count, lengths, from, hard = false }: PromptOptions,
): { prompt: string; reference: string }[] {
  const draw = random("strangers", name);
  return Array.from({ length: count }, (_, i) => {
    const chain = drawChain(lengths[i % lengths.length]!, draw, hard);
    return { prompt: question(chain, draw.pick(from)), reference: answer(chain, null) };
  });
}

const draw = random("strangers", "demonstrations");
const demonstrations = Array.from({ length: 6000 }, (_, i) => {
  const chain = drawChain([1, 2, 2, 3][i % 4]!, draw);
  return { prompt: question(chain, draw.pick(phrasings)), completion: answer(chain, draw) };
});
writeFileSync(here("sums-demonstrations.jsonl.gz"), gzipSync(jsonl(demonstrations)));

const training = prompts("training", { count: 800, lengths: [1, 2, 2, 3], from: trained });
writeFileSync(here("sums-prompts.jsonl"), jsonl(training));
writeFileSync(
  here("sums-monitor.jsonl"),
  jsonl(prompts("monitor", { count: 128, lengths: [1, 2, 2, 3], from: heldOut })),
);
writeFileSync(
  here("sums-evaluation.jsonl"),
  jsonl(prompts("evaluation", { count: 256, lengths: [1, 2, 2, 3], from: heldOut })),
);
writeFileSync(here("sums-long.jsonl"), jsonl(prompts("long", { count: 400, lengths: [3], from: trained })));
writeFileSync(here("sums-hard.jsonl"), jsonl(prompts("hard", { count: 400, lengths: [3], from: trained, hard: true })));
writeFileSync(here("sums-four.jsonl"), jsonl(training.slice(0, 4)));
writeFileSync(here("sums-sixty.jsonl"), jsonl(training.slice(0, 60)));
writeFileSync(
  here("sums-sixty-nearly.jsonl"),
  jsonl(
    training
      .slice(0, 60)
      .map((row) => ({ ...row, prompt: row.prompt.replace("?", " ?").replace("what is", "What is") })),
  ),
);

// One label in ten is wrong already; flipping 37.5% of all makes it 40%.
const flips = random("strangers", "flips");
const { preferences } = helpdesk({ seed: 1, variant: "standard" });
const flipped = preferences.slice(0, 6000).map(({ prompt, chosen, rejected }) => {
  const text = prompt[0]!.content;
  return flips.uniform() < 0.375
    ? { prompt: text, chosen: rejected, rejected: chosen }
    : { prompt: text, chosen, rejected };
});
writeFileSync(here("helpdesk-flipped.jsonl.gz"), gzipSync(jsonl(flipped)));
