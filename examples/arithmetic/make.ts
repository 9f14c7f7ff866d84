/**
 * Makes the rows of this example: chains of sums of digits, modulo 10, of two to five terms.
 *
 *   npx tsx examples/arithmetic/make.ts
 *
 * Writes demonstrations.jsonl (two to four terms, with the running results as the answer), prompts.jsonl and evaluation.jsonl (two to five terms,
 * with the last result as the reference) beside this file. No chain is in two files, and none twice in one. The same rows every time.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { answerOf, type Chain, drawChain, promptOf, runningResults } from "./chains.ts";

const taken = new Set<string>();

/** Chains of each length, none drawn before. */
function chains(counts: Readonly<Record<number, number>>, stream: string): Chain[] {
  return Object.entries(counts).flatMap(([terms, count]) => {
    const drawn: Chain[] = [];
    for (let i = 0; drawn.length < count; i++) {
      const chain = drawChain(Number(terms), `${stream}/${terms}/${i}`);
      if (taken.has(promptOf(chain))) continue;
      taken.add(promptOf(chain));
      drawn.push(chain);
    }
    return drawn;
  });
}

function write(name: string, rows: readonly object[]): void {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  writeFileSync(fileURLToPath(new URL(name, import.meta.url)), text);
  console.log(`${rows.length} rows in ${name}`);
}

const asked = (chain: Chain) => ({
  prompt: promptOf(chain),
  reference: String(runningResults(chain).at(-1)),
  kind: `${chain.length} terms`,
});

// The held-out chains first: there are only 100 of two terms.
write("evaluation.jsonl", chains({ 2: 20, 3: 100, 4: 200, 5: 200 }, "evaluation").map(asked));
const demonstrations = chains({ 2: 60, 3: 400, 4: 1600 }, "demonstrations");
write(
  "demonstrations.jsonl",
  demonstrations.map((chain) => ({ prompt: promptOf(chain), completion: answerOf(chain) })),
);
write("prompts.jsonl", chains({ 3: 200, 4: 400, 5: 2000 }, "prompts").map(asked));
