/** The six figures of each stage and their states, from the rules' thresholds and recent alerts. */
import type { Num, PageEvent, Threshold } from "../../../../../src/types/page.ts";
import type { Stage } from "../../../../../src/types/records.ts";
import { figure, type Tone } from "../../../format.ts";
import type { Column } from "../../../state/column.ts";

export interface TileSpec {
  readonly key: string;
  readonly title: string;
  /** The figure's unit, if the title does not say it. */
  readonly unit?: string;
  /** Whether it is a share from 0 to 1, shown in percent. */
  readonly isShare?: boolean;
  /** Prefixes of the signals whose alerts concern it. */
  readonly signals: readonly string[];
  /** A metric whose newest value is its target. */
  readonly target?: string;
  /** Keys of the ends of an interval around it. */
  readonly interval?: readonly [low: string, high: string];
}

export function tilesOf(
  stage: Stage,
  { keys, targetUnit = "token" }: { readonly keys: readonly string[]; readonly targetUnit?: "token" | "sequence" },
): TileSpec[] {
  if (stage === "sft") return sftTiles;
  if (stage === "reward") return rewardTiles;
  const isSteered = keys.includes("settings/kl_target");
  const steered = targetUnit === "sequence" ? "kl/ref_k1_sequence" : "kl/ref_k1_token";
  return [
    {
      key: "reward/score_mean",
      title: "Reward",
      unit: "score",
      signals: ["reward/", "reward_model/", "monitor/", "gold/"],
    },
    {
      key: isSteered ? steered : "kl/ref_k3_token",
      title: "KL",
      unit: `nats/${isSteered ? targetUnit : "token"}`,
      signals: ["kl/ref", "reference/"],
      target: "settings/kl_target",
    },
    {
      key: "clip/fraction",
      title: "Clip fraction",
      isShare: true,
      signals: ["clip/", "kl/old_new", "ratio/", "step/approx_kl", "step/first_ratio"],
    },
    { key: "entropy/mean", title: "Entropy", unit: "nats/token", signals: ["entropy/", "response/"] },
    {
      key: "value/explained_variance",
      title: "Explained variance",
      signals: ["value/", "gradient/critic", "advantage/", "step/strongly"],
    },
    {
      key: "gradient/policy_norm",
      title: "Gradient norm",
      unit: "policy",
      signals: ["gradient/policy", "gradient/n", "step/nonfinite", "rollout/", "update/"],
    },
  ];
}

const sftTiles: TileSpec[] = [
  { key: "sft/loss", title: "Loss", unit: "nats/token", signals: [] },
  { key: "sft/heldout_loss", title: "Held-out loss", unit: "nats/token", signals: [] },
  { key: "gradient/norm", title: "Gradient norm", signals: [] },
  { key: "settings/learning_rate", title: "Learning rate", signals: [] },
  { key: "update/steps_skipped", title: "Skipped", unit: "this step", signals: [] },
  { key: "time/tokens_per_s", title: "Speed", unit: "tokens/second", signals: [] },
];

const rewardTiles: TileSpec[] = [
  { key: "reward_model/loss", title: "Loss", unit: "nats", signals: [] },
  { key: "reward_model/accuracy", title: "Accuracy", isShare: true, signals: [] },
  {
    key: "reward_model/heldout_accuracy",
    title: "Held-out accuracy",
    isShare: true,
    signals: [],
    interval: ["reward_model/heldout_accuracy_low", "reward_model/heldout_accuracy_high"],
  },
  { key: "reward_model/score_gap", title: "Chosen less rejected", unit: "raw score", signals: [] },
  { key: "gradient/norm", title: "Gradient norm", signals: [] },
  { key: "time/pairs_per_s", title: "Speed", unit: "pairs/second", signals: [] },
];

export interface TileState {
  readonly shape: string;
  readonly word: string;
  readonly tone: Tone;
  /** The reason in a sentence; empty if all is well. */
  readonly why: string;
}

/** Iterations for which an alert stays relevant. */
export const standing = 10;

export interface StateOptions {
  readonly spec: TileSpec;
  readonly value: Num | undefined;
  readonly thresholds: readonly Threshold[];
  /** Events of the stage, oldest first. */
  readonly events: readonly PageEvent[];
  /** The newest iteration. */
  readonly iteration: number;
}

/** The most serious of: a value that is not finite, a threshold exceeded, an alert in the last iterations. */
export function tileState({ spec, value, thresholds, events, iteration }: StateOptions): TileState {
  const alert = events.reduce<PageEvent | null>((worst, event) => {
    if (event.kind !== "alert" || event.superseded || event.tier === undefined) return worst;
    if (iteration - event.iteration >= standing || !spec.signals.some((one) => event.signal?.startsWith(one)))
      return worst;
    return worst === null || event.tier <= worst.tier! ? event : worst;
  }, null);
  const number = value === undefined ? Number.NaN : Number(value);
  const beyond = thresholds
    .filter(({ signal, above, below }) => signal === spec.key && isBeyond(number, { above, below }))
    .reduce<Threshold | null>((worst, one) => (worst === null || one.tier < worst.tier ? one : worst), null);
  const tier = Math.min(alert?.tier ?? 9, beyond?.tier ?? 9);
  const why = alert !== null && alert.tier === tier ? `${alert.message}, it ${alert.iteration}` : bound(beyond);
  if (tier === 1) return { shape: "✗", word: "alarm", tone: "bad", why };
  if (value !== undefined && !Number.isFinite(number))
    return { shape: "▼", word: "not finite", tone: "bad", why: `the newest value is ${figure(value)}` };
  if (tier === 2) return { shape: "▲", word: "warning", tone: "warn", why };
  if (value === undefined) return { shape: "–", word: "no data", tone: "quiet", why: "" };
  if (tier === 3) return { shape: "△", word: "noted", tone: "quiet", why };
  // Without a rule, finite is all that can be said.
  return { shape: "✓", word: spec.signals.length > 0 ? "fine" : "finite", tone: "good", why: "" };
}

function isBeyond(value: number, { above, below }: Pick<Threshold, "above" | "below">): boolean {
  return (above !== null && value > above) || (below !== null && value < below);
}

function bound(threshold: Threshold | null): string {
  return threshold === null ? "" : `${boundText(threshold)} (${threshold.rule})`;
}

/** A bound in words: `> 0.05`. */
export function boundText({ above, below }: Pick<Threshold, "above" | "below">): string {
  return [above !== null && `> ${figure(above)}`, below !== null && `< ${figure(below)}`].filter(Boolean).join(" or ");
}

/** The newest bucket compared with the mean of up to ten before it; null if there are none. */
export function changeOf({ mean, width }: Column): { readonly by: number; readonly over: number } | null {
  const last = mean.findLastIndex((value) => value !== null);
  const before = mean.slice(Math.max(0, last - 10), Math.max(0, last)).filter((value) => value !== null);
  if (last < 0 || before.length === 0) return null;
  const base = before.reduce((sum, value) => sum + value, 0) / before.length;
  return { by: mean[last]! - base, over: before.length * width };
}
