/** Signals of how perturbed prompts change a policy's responses. */

import { mean } from "../rl/statistics.ts";
import { checkSameLength } from "../rl/token-rows.ts";
import { goldOf, type Verdicts } from "./gold-signals.ts";
import type { Signals } from "./signal-values.ts";

/** Judged responses to the same prompts, clean or perturbed in one way, one entry per prompt. */
export interface Judged {
  /** The rewards' scores; null if the reward could not be computed. */
  readonly scores: readonly number[] | null;
  readonly refusals: readonly boolean[];
  readonly verdicts: readonly Verdicts[];
}

/** The largest fall of gold under any perturbation, for a rule on all of them; empty without gold. */
export function worstGoldChange(signals: Signals): Signals {
  const changes = Object.entries(signals).filter(([key]) => key.endsWith("_gold_change"));
  if (changes.length === 0) return {};
  return { "robustness/worst_gold_change": Math.min(...changes.map(([, value]) => value)) };
}

/** Perturbed minus clean, averaged over prompts; `gold` covers the prompts that a gold check applies to and is absent if there are none. */
export function robustnessSignals(name: string, { clean, perturbed }: { clean: Judged; perturbed: Judged }): Signals {
  checkSameLength({ clean: clean.refusals, perturbed: perturbed.refusals });
  const change = (of: (judged: Judged) => readonly number[]) => mean(of(perturbed)) - mean(of(clean));
  const gold = (judged: Judged) => judged.verdicts.map(goldOf).filter((one) => one !== null);
  return {
    ...(clean.scores &&
      perturbed.scores && { [`robustness/${name}_score_change`]: mean(perturbed.scores) - mean(clean.scores) }),
    [`robustness/${name}_refusal_change`]: change(({ refusals }) => refusals.map(Number)),
    ...(gold(clean).length > 0 && { [`robustness/${name}_gold_change`]: change(gold) }),
  };
}
