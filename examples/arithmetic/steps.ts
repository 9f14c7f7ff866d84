/**
 * A reward for each step: of a chain with n results every right running result earns 1/n, at its own token.
 *
 *     rewards: [{ kind: function, path: steps.ts, normalise: false }]
 */
import { runningResults } from "./chains.ts";

export default function steps({ prompt, response }: { readonly prompt: string; readonly response: string }) {
  const wanted = runningResults((prompt.match(/\d/g) ?? []).map(Number));
  const found = [...response.matchAll(/=\s*(\d)/g)].slice(0, wanted.length);
  return {
    steps: found.map((match, i) => ({
      end: match.index + match[0].length,
      reward: Number(match[1]) === wanted[i] ? 1 / wanted.length : 0,
    })),
  };
}
