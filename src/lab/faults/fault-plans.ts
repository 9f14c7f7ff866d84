/** The signal that must catch each fault, and how soon. */
import type { FaultName } from "../../config/fault-names.ts";

export interface FaultPlan {
  readonly fault: FaultName;
  /** Iterations from the fault's first to the alert, counting both. */
  readonly limit: number;
  /** A rule of tier 1 or 2 must fire on one of these. */
  readonly signals: readonly string[];
  readonly says: string;
}

export const plans: readonly FaultPlan[] = [
  {
    fault: "lr-spike",
    limit: 2,
    signals: ["kl/old_new_k3_token", "step/approx_kl", "step/approx_kl", "gradient/policy_norm"],
    says: "approximate KL or gradient norm",
  },
  {
    fault: "reward-noise",
    limit: 10,
    signals: ["reward_model/probe_accuracy", "gradient/noise_*"],
    says: "accuracy on held-out pairs, or noise scale",
  },
  {
    fault: "reward-flip",
    limit: 3,
    signals: ["reward_model/probe_accuracy", "reward/gold_correlation", "monitor/gold", "monitor/check_fall"],
    says: "accuracy on held-out pairs; reward against gold",
  },
  {
    fault: "loophole",
    limit: 15,
    signals: [
      "reward/gold_correlation",
      "monitor/gold",
      "monitor/check_fall",
      "response/distinct_2",
      "reward/component/model_outside_training_share",
    ],
    says: "reward against gold; distinct-2; scores outside the training range",
  },
  {
    fault: "nan-gradient",
    limit: 1,
    signals: ["step/nonfinite", "step/nonfinite_in_a_row", "gradient/nonfinite_count"],
    says: "non-finite count",
  },
  {
    fault: "stale-rollouts",
    limit: 1,
    signals: ["step/first_ratio_to_tolerance", "ratio/first_max_deviation"],
    says: "ratio on the first minibatch",
  },
  { fault: "reference-drift", limit: 1, signals: ["reference/fingerprint"], says: "its fingerprint" },
  {
    fault: "critic-frozen",
    limit: 20,
    signals: ["value/explained_variance", "value/explained_variance_with_bias", "gradient/critic_norm"],
    says: "explained variance; critic gradient norm",
  },
  {
    fault: "temperature",
    limit: 2,
    signals: ["entropy/mean", "entropy/ratio_to_first", "response/repeat_agreement"],
    says: "entropy; agreement of repeated samples",
  },
  {
    fault: "advantages",
    limit: 2,
    signals: ["advantage/abs_mean", "clip/fraction"],
    says: "mean absolute advantage; clip fraction",
  },
  {
    fault: "few-sequences",
    limit: 10,
    signals: ["gradient/noise_*", "reward/score_mean", "kl/old_new_k3_token", "gradient/policy_norm"],
    says: "noise scale; swings (of score, approximate KL, gradient norm)",
  },
  {
    fault: "length-runaway",
    limit: 10,
    signals: ["response/length_mean", "response/truncated_share", "reward/length_correlation"],
    says: "length and truncation",
  },
  {
    fault: "narrow-prompts",
    limit: 1,
    signals: ["response/distinct_prompts_share"],
    says: "share of distinct prompts",
  },
  {
    fault: "unsafe",
    limit: 5,
    signals: ["safety/share", "safety/score_difference"],
    says: "safety share, and what the reward pays for it",
  },
];

/** Whether a signal is one of those that must catch the fault. */
export function isListed({ signals }: FaultPlan, signal: string): boolean {
  return signals.some((listed) => (listed.endsWith("*") ? signal.startsWith(listed.slice(0, -1)) : signal === listed));
}
