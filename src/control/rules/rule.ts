/** What a rule of the controller is, and how it says itself in words. */
import { isLever, type LeverName, levers } from "../../steering/levers.ts";
import type { ActionKind, OneTimeAction, Tier } from "../../types/alerts.ts";

/**
 * What of a signal's history is compared. n is the condition's `over`; the newest value belongs to the n, except where
 * the statistic compares it with the n before it.
 *
 * - `value`: the newest
 * - `rise`: newest - first of the run; `ratio_to_first`: newest / first
 * - `ratio_to_median`: newest / median of the n before it; `ratio_to_max`: newest / largest of the n
 * - `below_minimum`: newest - smallest of the n before it
 * - `change`: newest - oldest of the n; `range`: largest - smallest; `slope`: least squares, an observation
 * - `standard_errors`: (newest - mean of the n before it) over its own standard error, the signal `with`
 * - `correlation`: with the signal `with`, over the n
 * - `changed`: 1 where the newest differs from the first of the run, else 0
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
  | "correlation"
  | "changed";

export interface Condition {
  /** A key of docs/metrics.md, or one of a step (`step/...`). */
  readonly signal: string;
  readonly statistic: Statistic;
  /** Observations that the statistic is over; 1 for those of the newest value alone. */
  readonly over: number;
  /** The second signal of `correlation` and `standard_errors`. */
  readonly with: string | null;
  /** It holds where the statistic is above this ... */
  readonly above: number | null;
  /** ... or below this. One of the two is set. */
  readonly below: number | null;
  /** `reference_std`: the threshold counts standard deviations of the reference policy's score; as is where scores lie in [0, 1]. */
  readonly unit: "as_is" | "reference_std";
}

export interface Action {
  readonly kind: ActionKind;
  /** What a lever is multiplied by; null for the other actions. */
  readonly factor: number | null;
  /** Settings that a rollback changes. */
  readonly set: Readonly<Record<string, number | string | boolean | null>>;
}

export interface Rule {
  readonly id: string;
  readonly tier: Tier;
  /** What a person calls the first condition's signal. */
  readonly says: string;
  /** All of them hold; the first is the one that the rule is consulted for. */
  readonly conditions: readonly [Condition, ...Condition[]];
  /** Holds in `hits` of the last `of` observations of the first signal. */
  readonly window: { readonly hits: number; readonly of: number };
  /** Observations of the first signal before the rule can hold. */
  readonly minHistory: number;
  readonly action: Action | null;
  /** Iterations that a temporary action lasts. */
  readonly duration: number;
  /** Iterations after it held in which it does not speak again. */
  readonly cooldown: number;
  /** Among rules of one tier that want the same setting, the higher wins. */
  readonly priority: number;
  /** The rule is in use only where the configuration has these scales. */
  readonly scale: { readonly entropy?: "absolute" | "relative"; readonly safety?: "absolute" | "relative" };
  /** Where its numbers come from. */
  readonly source: string;
}

/** The lever that an action moves; null where it moves none. */
export function leverOf(action: Action | null): LeverName | null {
  return action !== null && isLever(action.kind) ? action.kind : null;
}

/** Whether a rule is consulted before each step of the update. */
export function isStepRule({ conditions }: Pick<Rule, "conditions">): boolean {
  return conditions[0].signal.startsWith("step/");
}

/** Where a rule does not say: tier 1 and rules on a step speak each time. */
export function defaultCooldown(rule: Pick<Rule, "tier" | "conditions">): number {
  return rule.tier === 1 || isStepRule(rule) ? 0 : 10;
}

/** `> 0.05 for 3`, `range over 10 > 0.3`, `< 0.2 and response/distinct_2 ratio to first < 0.5`. */
export function conditionWords({ conditions, window }: Pick<Rule, "conditions" | "window">): string {
  const [first, ...others] = conditions;
  const held =
    window.of === 1 ? "" : window.hits === window.of ? ` for ${window.of}` : ` in ${window.hits} of ${window.of}`;
  return [comparison(first), ...others.map((other) => `${other.signal} ${comparison(other)}`)].join(" and ") + held;
}

function comparison({ statistic, over, with: other, above, below, unit }: Condition): string {
  const words =
    statistic === "value"
      ? ""
      : `${statistic.replaceAll("_", " ")}${other === null ? "" : ` with ${other}`}${over > 1 ? ` over ${over}` : ""} `;
  const threshold = above !== null ? `> ${above}` : `< ${below}`;
  return `${words}${threshold}${unit === "reference_std" ? " standard deviations of the reference's score" : ""}`;
}

/** What an action does, in words: `learning rate x0.7 for 10 iterations`. */
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
