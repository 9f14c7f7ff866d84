/** The signals to look at first when a run was stopped, after the one that raised the alert. */

/** Signals in the order of a table, which drops them from the end. */
export const incidentSignals: readonly (readonly [key: string, title: string])[] = [
  ["kl/old_new_k3_token", "KL of step"],
  ["kl/ref_k3_token", "KL to ref"],
  ["reward/score_mean", "reward"],
  ["entropy/mean", "entropy"],
  ["gradient/policy_norm", "grad norm"],
  ["clip/fraction", "clipped"],
  ["value/explained_variance", "expl. var."],
  ["response/length_mean", "length"],
  ["monitor/gold", "gold"],
  ["gradient/nonfinite_count", "not finite"],
];
