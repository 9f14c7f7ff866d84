/** What the bigram engine's runs are measured on: a gold check, a monitoring set, held-out pairs. */
import type { Scored } from "../../src/reward/index.ts";
import type { GoldCheck } from "../../src/trainer/evaluate.ts";
import type { Measuring } from "../../src/trainer/measuring.ts";
import { prompts, tokenizer } from "./stage.ts";

/** A response with these words to the prompt "b", EOS included. */
export function scoredText(response: string): Scored {
  const messages = [{ role: "user" as const, content: "b" }];
  return {
    prompt: "b",
    messages,
    response,
    reference: null,
    promptTokens: tokenizer.encodePrompt(messages),
    tokens: tokenizer.encodeCompletion(response),
    stopReason: "stop",
  };
}

/** The gold check is to say "a"; of the pairs, a reward that counts "a" gets two of three right, and the last is a tie. */
export function measured(): Measuring {
  const check: GoldCheck = async ({ texts }) => texts.map((response) => ({ saysA: response.split(" ").includes("a") }));
  return {
    gold: { check, everyRollout: true, independent: true },
    monitor: prompts("g", "f e", "a g f").map((prompt) => ({ ...prompt, row: { ...prompt.row, kind: "any" } })),
    pairs: [
      { chosen: scoredText("a a b"), rejected: scoredText("b") },
      { chosen: scoredText("a"), rejected: scoredText("c d") },
      { chosen: scoredText("a b"), rejected: scoredText("a c") },
    ],
    ratings: [
      { scored: scoredText("a a b"), rating: 5 },
      { scored: scoredText("a b"), rating: 2.5 },
      { scored: scoredText("c"), rating: 3 },
    ],
  };
}
