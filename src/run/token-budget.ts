/** The number of sequences that `ppo.tokensPerStep` stands for, once the prompts' lengths are known. */
import { smallestRollout } from "../config/checks-ppo.ts";
import type { Config } from "../config/index.ts";
import { mean } from "../rl/index.ts";
import { UsageError } from "../util/errors.ts";
import { mostSequences } from "../util/limits.ts";

/**
 * The configuration with `ppo.sequences` from its budget; unchanged without one. A sequence counts as a prompt of mean length and a response of
 * `maxNewTokens`, so a step holds the budget on average, with responses at their longest. The number is rounded down to whole minibatches and
 * whole groups of responses to a prompt.
 *
 * @param promptTokens_N the length of each training prompt, in tokens
 * @throws UsageError if the budget holds less than one sequence for each minibatch and group, or more than a rollout may have
 */
export function withTokenBudget(config: Config, promptTokens_N: readonly number[]): Config {
  const { ppo } = config;
  if (ppo?.tokensPerStep === undefined) return config;
  const { tokensPerStep, maxNewTokens, minibatches } = ppo;
  const prompt = mean(promptTokens_N);
  const step = smallestRollout(ppo);
  const held = (tokensPerStep * minibatches) / (prompt + maxNewTokens);
  const sequences = step * Math.floor(held / step);
  const tokens = `${Math.round(prompt)} tokens of prompt and up to ${maxNewTokens} of response`;
  if (sequences < 1)
    throw new UsageError(
      `ppo.tokensPerStep ${tokensPerStep} is too small: a sequence has ${tokens}, and a rollout is a multiple of ${step}`,
      `Give at least ${Math.ceil((step / minibatches) * (prompt + maxNewTokens))}, or shorten ppo.maxNewTokens.`,
    );
  if (sequences > mostSequences)
    throw new UsageError(
      `ppo.tokensPerStep ${tokensPerStep} holds ${sequences} sequences a rollout (${tokens}); at most ${mostSequences} are possible`,
      "Give a smaller budget.",
    );
  return { ...config, ppo: { ...ppo, sequences } };
}
