/** Robustness: how perturbed prompts change the policy's greedy responses. */

import { looksLikeRefusal, perturb, perturbations } from "../data/index.ts";
import { type Judged, robustnessSignals, worstGoldChange } from "../signals/index.ts";
import type { MetricValues } from "../types/records.ts";
import { goldVerdicts, type Probed, probeRollout, probesOf, scoresOf } from "./probes-ask.ts";
import { encodePrompts, type Prompt } from "./rollout.ts";

/**
 * Each response is judged as an answer to the clean prompt, also by the reward: this measures the policy, not whether the reward can read a misspelt
 * prompt.
 */
export async function robustness(run: Probed): Promise<MetricValues> {
  const { context, models, loop, tell } = run;
  const { tokenizer, config } = context;
  const clean = probesOf(run, config.control.robustness.prompts);
  const judge = async (prompts: readonly Prompt[]): Promise<Judged> => {
    const rollout = await probeRollout(run, { prompts, temperature: 0, seed: 0 });
    const answers = { ...rollout, prompts: clean };
    return {
      scores: await scoresOf(run, "robustness", answers),
      refusals: rollout.texts.map(looksLikeRefusal),
      verdicts: await goldVerdicts(run, answers),
    };
  };
  tell("robustness");
  const ofClean = await judge(clean);
  const { maxNewTokens } = loop.settings;
  const encoding = { tokenizer, context: models.policy.config.context, maxNewTokens, longPrompts: "truncate" } as const;
  const values: Record<string, number> = {};
  for (const name of perturbations) {
    const rows = clean.map(({ row }) => perturb(row, name, { seed: config.seed }));
    const perturbed = await judge(encodePrompts(rows, encoding));
    Object.assign(values, robustnessSignals(name, { clean: ofClean, perturbed }));
  }
  return { ...values, ...worstGoldChange(values) };
}
