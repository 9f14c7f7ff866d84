/** Signals of the gradient by layer: the size, mean and spread in each parameter group. */

import { mean, variance } from "../rl/statistics.ts";
import type { Signals } from "./signal-values.ts";

/** The gradient of one optimizer step by parameter group, before clipping. */
export interface LayerGradients {
  /** L2 norm of each group's gradient. */
  readonly norms: Readonly<Record<string, number>>;
  /** Mean and biased variance of each group's gradient entries. */
  readonly moments: Readonly<Record<string, { readonly mean: number; readonly variance: number }>>;
}

/** Each figure averaged over the steps, then mean and variance of the averaged norms over the groups. Empty if there are no steps. */
export function layerSignals(model: "policy" | "critic", steps: readonly LayerGradients[]): Signals {
  const groups = Object.keys(steps[0]?.norms ?? {});
  if (groups.length === 0) return {};
  const norms = groups.map((group) => mean(steps.map((step) => step.norms[group]!)));
  const moment = (group: string, name: "mean" | "variance") => mean(steps.map((step) => step.moments[group]![name]));
  return {
    ...Object.assign(
      {},
      ...groups.map((group, i) => ({
        [`gradient/${model}/${group}_norm`]: norms[i]!,
        [`gradient/${model}/${group}_mean`]: moment(group, "mean"),
        [`gradient/${model}/${group}_variance`]: moment(group, "variance"),
      })),
    ),
    [`gradient/${model}_layer_norm_mean`]: mean(norms),
    [`gradient/${model}_layer_norm_variance`]: variance(norms),
  };
}
