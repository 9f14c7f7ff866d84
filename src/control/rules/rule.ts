/** Rules of the controller, and how they are described in words. */
import { isLever, type LeverName, levers } from "../../levers/levers.ts";
import type { ActionKind, OneTimeAction, Tier } from "../../types/alerts.ts";

/**
 * The statistic of a signal's history that is compared. n is the condition's `over`; the newest value is one of the n, unless the statistic compares
 * it with the n before it.
 *
 * - `value`: the newest
 * - `rise`: newest - baseline, the mean of the run's first n (of those before the newest); `ratio_to_first`: newest / baseline
 * - `ratio_to_median`: newest / median of the n before it; `ratio_to_max`: newest / largest of the n
 * - `below_minimum`: newest - smallest of the n before it
 * - `change`: newest - oldest of the n; `range`: largest - smallest; `slope`: least squares, per observation
 * - `standard_errors`: (newest - mean of the n before it) / the error of that difference, from the signal `with`, the standard error of
 *   one observation, pooled over these n + 1
 * - `rise_errors`: (newest - baseline) / the error of that difference, from the signal `with`, the error of one observation
 * - `correlation`: with the signal `with`, over the n
 * - `changed`: 1 if the newest differs from the first of the run, else 0
 */
export type Statistic =
  | "value"
  | "rise"
  | "ratio_to_first"
  | "ratio_to_median"
  | "ratio_to_max"
  | "below_minimum"
  | "change"
  | "range"
  | "slope"
  | "standard_errors"
  | "rise_errors"
  | "correlation"
  | "changed";

/** Statistics that compare with the run's first observations. */
export const comparesWithFirst: ReadonlySet<Statistic> = new Set(["rise", "ratio_to_first", "rise_errors"]);

export interface Condition {
  /** A key of docs/metrics.md, or a signal of a step (`step/...`). */
  readonly signal: string;
  readonly statistic: Statistic;
  /** Observations that the statistic covers; 1 for statistics of only the newest value. */
  readonly over: number;
  /** The second signal of `correlation`, `standard_errors` and `rise_errors`. */
  readonly with: string | null;
  /** The condition holds if the statistic is above this; null if `below` is set. */
  readonly above: number | null;
  /** The condition holds if the statistic is below this; null if `above` is set. */
  readonly below: number | null;
  /** `reference_std`: the threshold is in standard deviations of the reference policy's score, unless scores are within [0, 1]. */
  readonly unit: "as_is" | "reference_std";
}

export interface Action {
  readonly kind: ActionKind;
  /** The factor applied to a lever; null for other actions. */
  readonly factor: number | null;
  /** Settings that a rollback changes. */
  readonly set: Readonly<Record<string, number | string | boolean | null>>;
}

export interface Rule {
  readonly id: string;
  readonly tier: Tier;
  /** The name of the first condition's signal in messages. */
  readonly says: string;
  /** The conditions, all of which must hold; the rule is consulted for the first one's signal. */
  readonly conditions: readonly [Condition, ...Condition[]];
  /** The rule fires if its conditions hold in `hits` of the last `of` observations of the first signal. */
  readonly window: { readonly hits: number; readonly of: number };
  /** Observations of the first signal needed before the rule can fire. */
  readonly minHistory: number;
  readonly action: Action | null;
  /** Iterations for which a temporary action lasts. */
  readonly duration: number;
  /** Iterations after firing during which the rule is silent. */
  readonly cooldown: number;
  /** Among rules of one tier that want the same setting, the highest priority wins. */
  readonly priority: number;
  /** The rule is used only if the configuration has these scales. */
  readonly scale: { readonly entropy?: "absolute" | "relative"; readonly safety?: "absolute" | "relative" };
  /** What the operator can do about it, at the end of the message. Absent if the action is all there is to do. */
  readonly advice?: string;
  /** The source of the rule's numbers. */
  readonly source: string;
}

/** The lever that an action moves; null if it moves none. */
export function leverOf(action: Action | null): LeverName | null {
  return action !== null && isLever(action.kind) ? action.kind : null;
}

/** Whether a rule is consulted before each step of the update. */
export function isStepRule({ conditions }: Pick<Rule, "conditions">): boolean {
  return conditions[0].signal.startsWith("step/");
}

/** The cool-down if a rule does not give one: tier 1 and rules on a step fire every time. */
export function defaultCooldown(rule: Pick<Rule, "tier" | "conditions">): number {
  return rule.tier === 1 || isStepRule(rule) ? 0 : 10;
}

/** The conditions in words: `> 0.05 for 3`, `range over 10 > 0.3`, `< 0.2 and response/distinct_2 ratio to first < 0.5`. */
export function conditionWords({ conditions, window }: Pick<Rule, "conditions" | "window">): string {
  const [first, ...others] = conditions;
  const held =
    window.of === 1 ? "" : window.hits === window.of ? ` for ${window.of}` : ` in ${window.hits} of ${window.of}`;
  return [comparison(first), ...others.map((other) => `${other.signal} ${comparison(other)}`)].join(" and ") + held;
}

function comparison({ statistic, over, with: other, above, below, unit }: Condition): string {
  const observations = comparesWithFirst.has(statistic) ? ` over the first ${over}` : ` over ${over}`;
  const words =
    statistic === "value"
      ? ""
      : `${statistic.replaceAll("_", " ")}${other === null ? "" : ` with ${other}`}${over > 1 ? observations : ""} `;
  const threshold = above !== null ? `> ${above}` : `< ${below}`;
  return `${words}${threshold}${unit === "reference_std" ? " standard deviations of the reference's score" : ""}`;
}

/** An action in words: `learning rate x0.7 for 10 iterations`. */
export function actionWords({ action, duration }: Pick<Rule, "action" | "duration">, factor = action?.factor): string {
  if (action === null) return "recorded";
  const lever = leverOf(action);
  if (lever !== null) return `${levers[lever].words} x${factor} for ${duration} iterations`;
  const words: Record<OneTimeAction, string> = {
    mask: "the minibatch's policy gradient is masked",
    skip: "the step is skipped",
    endEpochs: "the update ends here",
    rollback: `rolled back to the last healthy checkpoint${
      Object.keys(action.set).length > 0
        ? ` with ${Object.entries(action.set)
            .map(([key, value]) => `${key}=${value}`)
            .join(", ")}`
        : ""
    }`,
    pause: "saved, paused",
    stop: "saved, stopped",
  };
  return words[action.kind as OneTimeAction];
}
