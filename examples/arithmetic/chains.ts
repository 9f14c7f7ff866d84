/** Chains of sums modulo 10: `7 + 5 + 3`, whose running results are 2 and 5. Pure. */
import { createHash } from "node:crypto";

/** The terms of a chain, each from 0 to 9. */
export type Chain = readonly number[];

/** A chain of so many terms, the same for the same name. */
export function drawChain(terms: number, name: string): Chain {
  const bytes = createHash("sha256").update(name).digest();
  // A byte's remainder by 10 is not quite uniform (0 to 5 are 26/256 likely, 6 to 9 are 25/256), which no result here depends on.
  return Array.from({ length: terms }, (_, i) => bytes[i]! % 10);
}

/** Terms of the longest chain: shorter ones are filled with dots, so that a result stands equally far behind its term in every chain. */
export const longest = 5;

/** The chain as a prompt: `7 + 5 + 3 . . . .`. */
export function promptOf(chain: Chain): string {
  return [chain.join(" + "), ...Array.from({ length: longest - chain.length }, () => ". .")].join(" ");
}

/** The chain worked out: `= 2 = 5`. */
export function answerOf(chain: Chain): string {
  return runningResults(chain)
    .map((result) => `= ${result}`)
    .join(" ");
}

/** The results after each sign, modulo 10; the last one is the chain's. */
export function runningResults([first = 0, ...rest]: Chain): number[] {
  let result = first;
  return rest.map((term) => {
    result = (result + term) % 10;
    return result;
  });
}
