/** How varied and how repetitive token sequences are. */
import { mean } from "./statistics.ts";

/** Distinct n-grams divided by all n-grams of all rows together (Li et al. 2016); NaN if no row has n tokens. */
export function distinctN(rows: readonly (readonly number[])[], n: number): number {
  const seen = new Set<string>();
  let total = 0;
  for (const row of rows) {
    for (const gram of ngrams(row, n)) {
      seen.add(gram);
      total++;
    }
  }
  return seen.size / total;
}

/** Share of a sequence's n-grams that repeat an earlier one in the same sequence; 0 if it is shorter than n. */
export function repeatedNgramShare(tokens: readonly number[], n: number): number {
  const grams = ngrams(tokens, n);
  return grams.length === 0 ? 0 : 1 - new Set(grams).size / grams.length;
}

/** The number of distinct rows divided by the number of rows. */
export function distinctShare(rows: readonly (readonly number[])[]): number {
  return new Set(rows.map(String)).size / rows.length;
}

/**
 * How often two responses to the same prompt are identical, token by token: the share of equal pairs, averaged over the prompts with at
 * least two responses. NaN if no prompt has two.
 */
export function repeatAgreement(
  prompts: readonly (readonly number[])[],
  responses: readonly (readonly number[])[],
): number {
  const countsByPrompt = new Map<string, Map<string, number>>();
  prompts.forEach((prompt, i) => {
    const counts = countsByPrompt.get(String(prompt)) ?? new Map<string, number>();
    const response = String(responses[i]!);
    counts.set(response, (counts.get(response) ?? 0) + 1);
    countsByPrompt.set(String(prompt), counts);
  });
  const pairs = (n: number): number => (n * (n - 1)) / 2;
  const shares: number[] = [];
  for (const counts of countsByPrompt.values()) {
    let samples = 0;
    let equal = 0;
    for (const count of counts.values()) {
      samples += count;
      equal += pairs(count);
    }
    if (samples > 1) shares.push(equal / pairs(samples));
  }
  return mean(shares);
}

function ngrams(tokens: readonly number[], n: number): string[] {
  const grams: string[] = [];
  for (let i = 0; i + n <= tokens.length; i++) grams.push(tokens.slice(i, i + n).join(" "));
  return grams;
}
