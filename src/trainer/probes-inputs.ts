/** What online training is measured on: gold checks, the monitoring set, held-out pairs, as the run's configuration gives them. */

import { type EncodedPair, encodePair, encodePairs, useAll } from "../data/index.ts";
import { learnedComponents, type Scored } from "../reward/index.ts";
import type { Config } from "../settings/config-schema.ts";
import { barePrompt, type Tokenizer } from "../text/index.ts";
import { DataError } from "../util/errors.ts";
import { random } from "../util/random.ts";
import { goldPlan } from "./gold-plan.ts";
import type { Measuring } from "./measuring.ts";
import { encodePrompts, promptText } from "./rollout.ts";
import type { RunRows } from "./run-rows.ts";

export function measuringOf(options: {
  readonly config: Config;
  readonly rows: RunRows;
  readonly tokenizer: Tokenizer;
  /** The policy's context. */
  readonly context: number;
}): Omit<Measuring, "gold"> {
  const { config, rows, tokenizer, context } = options;
  const { maxNewTokens, rewards } = config.ppo!;
  const encoding = { tokenizer, context, maxNewTokens, longPrompts: "truncate" } as const;
  const own = rows.monitoring();
  // With too few prompts to hold any out, the check still tells on the training's own whether the reward is being gamed.
  const monitor = own.length > 0 || goldPlan(config, rows).check === null ? own : rows.prompts();
  const judged = learnedComponents(rewards).length > 0 && (config.reward !== undefined || config.demo !== undefined);
  const whole = { context, longPrompts: "skip" } as const;
  const heldOut = judged ? encodePairs(rows.pairs().heldOut, tokenizer, whole) : [];
  const shuffled = random(config.seed, "probe pairs").shuffle(heldOut);
  const ratings = useAll(rows.ratings(), ({ prompt, response, rating }) => {
    const messages = barePrompt(prompt);
    // Uses the encoder of pairs unchanged, on a pair of the response and itself.
    const pair = encodePair({ prompt: messages, chosen: response, rejected: response }, tokenizer, whole);
    return pair && { scored: scored(pair, "chosen"), rating };
  }).filter((rated) => rated !== null);
  if (ratings.length === 0 && rows.ratings().length > 0)
    throw new DataError(
      "no rated response of control.probes.ratings fits the policy's context",
      "Leave the setting out, raise model.context of a model from scratch, or take a policy that reads more.",
    );
  return {
    monitor: encodePrompts(monitor, encoding),
    pairs: shuffled.slice(0, config.control.probes.pairs).map((pair) => ({
      chosen: scored(pair, "chosen"),
      rejected: scored(pair, "rejected"),
    })),
    ratings,
  };
}

function scored(pair: EncodedPair, side: "chosen" | "rejected"): Scored {
  const { row } = pair;
  const { tokens, start } = pair[side];
  return {
    prompt: promptText(row),
    messages: row.prompt,
    response: row[side],
    reference: null,
    promptTokens: tokens.slice(0, start),
    tokens: tokens.slice(start),
    stopReason: "stop",
  };
}
