/**
 * A reward of your own. A configuration names this file, `ppo.rewards: [{kind: function, path: recipes/reward.ts}]`; run by itself it trains a
 * small policy from scratch on it.
 *
 *   node recipes/reward.ts [WORKSPACE] [ITERATIONS]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

/** The reward, from 0 to 1: how close the response comes to eight letters. The argument also has every column of the prompt's row. */
export default function reward({ response }: { readonly response: string }): number {
  return Math.max(0, 1 - Math.abs(response.trim().length - 8) / 8);
}

const file = fileURLToPath(import.meta.url);
// Ballast loads this file in a worker thread to score responses.
if (isMainThread && process.argv[1] === file) {
  const { train } = await import("ballast");
  const [, , workspace = "runs", iterations = "5"] = process.argv;
  mkdirSync(workspace, { recursive: true });
  const prompts = join(workspace, "prompts.jsonl");
  writeFileSync(prompts, ["red", "green", "blue"].map((prompt) => `${JSON.stringify({ prompt })}\n`).join(""));
  const { result, folder } = await train(
    {
      name: "eight",
      objective: "answer in eight letters",
      workspace,
      threads: 1,
      model: { layers: 1, width: 16, heads: 2, context: 48 },
      ppo: {
        prompts: { path: prompts },
        rewards: [{ kind: "function", path: file }],
        iterations: Number(iterations),
        sequences: 16,
        minibatches: 2,
        maxNewTokens: 16,
        learningRate: 0.003,
      },
      evaluation: { samples: 16 },
    },
    { onEvent: ({ kind, message }) => console.log(`${kind}: ${message}`) },
  );
  const { before, after } = result.evaluation!;
  console.log(
    `reward ${before?.figures.reward?.mean} before, ${after.figures.reward?.mean} after; the run is in ${folder}`,
  );
}
