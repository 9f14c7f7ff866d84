/** What PPO is measured on: gold checks, the monitoring set, held-out pairs, as the run's configuration has them. */
import type { Config } from "../config/schema.ts";
import { encodePair, type PreferenceRow } from "../data/index.ts";
import { learnedComponents, type Scored } from "../reward/index.ts";
import { barePrompt, type Tokenizer } from "../text/index.ts";
import { random } from "../util/random.ts";
import type { Measuring } from "./probes-ask.ts";
import { encodePrompts, promptText } from "./rollout.ts";
import type { RunRows } from "./rows.ts";

export function measuringOf(options: {
  readonly config: Config;
  readonly rows: RunRows;
  readonly tokenizer: Tokenizer;
  /** Of the policy. */
  readonly context: number;
}): Measuring {
  const { config, rows, tokenizer, context } = options;
  const { maxNewTokens, rewards } = config.ppo!;
  const encoding = { tokenizer, context, maxNewTokens, longPrompts: "truncate" } as const;
  const monitor = rows.monitoring();
  const judged = learnedComponents(rewards).length > 0 && (config.reward !== undefined || config.demo !== undefined);
  const pairs = judged ? random(config.seed, "probe pairs").shuffle(rows.pairs().heldOut) : [];
  return {
    check: rows.check,
    monitor: encodePrompts(monitor.rows, encoding),
    monitorCheck: monitor.check,
    pairs: pairs.slice(0, config.control.probes.pairs).flatMap((row) => scoredPair(row, { tokenizer, context }) ?? []),
    ratings: rows.ratings().flatMap(({ prompt, response, rating }) => {
      const messages = barePrompt(prompt);
      // The encoder of pairs, as it is: a pair of the response and itself.
      const pair = scoredPair({ prompt: messages, chosen: response, rejected: response }, { tokenizer, context });
      return pair === null ? [] : [{ scored: pair.chosen, rating }];
    }),
  };
}

function scoredPair(
  row: PreferenceRow,
  { tokenizer, context }: { readonly tokenizer: Tokenizer; readonly context: number },
): { chosen: Scored; rejected: Scored } | null {
  const pair = encodePair(row, tokenizer, { context, longPrompts: "skip" });
  if (pair === null) return null;
  const promptRow = { prompt: row.prompt, reference: null };
  const scored = (side: "chosen" | "rejected"): Scored => ({
    prompt: promptText(promptRow),
    messages: row.prompt,
    response: row[side],
    reference: null,
    promptTokens: pair[side].tokens.slice(0, pair[side].start),
    tokens: pair[side].tokens.slice(pair[side].start),
    stopReason: "stop",
  });
  return { chosen: scored("chosen"), rejected: scored("rejected") };
}
