/** Judges a round of an experiment: did the behaviour move as the objective says, beyond noise, and is the reward to be trusted? Pure. */

import { figureTitle } from "../../signals/figure-titles.ts";
import type { Evaluation, PairedDifference } from "../../types/evaluation.ts";

export type RoundStage = 1 | 2 | 3 | 4;

export interface RoundRecord {
  readonly stage: RoundStage;
  /** The run's evaluation; null if the run has not ended. */
  readonly evaluation: Evaluation | null;
  /** Why the run failed, and what to do; null if it did not. */
  readonly failure: { readonly message: string; readonly hint: string | null } | null;
  /** Iterations of PPO recorded. */
  readonly iterations: number;
  /** The likeliest cause of trouble that a diagnosis calls likely, in words; null if there is none. */
  readonly likely: { readonly cause: string; readonly remedy: string } | null;
  /** The evaluation of the round before on the same prompts; null if there is none. */
  readonly previous: Evaluation | null;
  /** Whether a gold check judges something else than the reward does. */
  readonly independent: boolean;
  /** What a diagnosis found that speaks against the reward, in words. */
  readonly suspicions: readonly string[];
  /** Signals of the first and of the last iteration, if they were recorded. */
  readonly signals: Readonly<Record<RoundSignal, { readonly first: number; readonly last: number } | null>>;
}

export type RoundSignal =
  | "safety/share"
  | "response/repeat_agreement"
  | "response/truncated_share"
  | "response/repeated_4gram_share";

/**
 * `moved`: the round succeeded. `suspect`: it may have moved, and the reward cannot be trusted. `worse`: something fell beyond noise. `lost`: it
 * moved, and less than the round before. `flat`: nothing moved beyond noise. `unproven`: the prompts were trained on, or nothing was compared.
 * `failed`, `unfinished`: there is nothing to judge.
 */
export type RoundVerdict = "moved" | "suspect" | "worse" | "lost" | "flat" | "unproven" | "unfinished" | "failed";

export interface JudgedMeasure {
  readonly name: string;
  readonly title: string;
  readonly share: boolean;
  readonly before: number;
  readonly after: number;
  /** After minus before, with an interval that holds for all measures together at 95%. */
  readonly difference: PairedDifference;
  readonly verdict: "up" | "down" | "flat";
}

export interface RoundJudgement {
  readonly verdict: RoundVerdict;
  /** What the verdict rests on: gold checks if there are any, else the reward. */
  readonly measures: readonly JudgedMeasure[];
  /** Why, in sentences with their numbers; the decisive one first. */
  readonly reasons: readonly string[];
  /** The first signs of success, and what they say here. */
  readonly signs: readonly string[];
}

/**
 * Half-widths of 95% intervals for 1 to 10 measures at once (Bonferroni): the normal quantile of 1 - 0.025 / m. More measures take the bound
 * sqrt(2 ln(m / 0.05)), which is wider than needed.
 */
const quantiles = [1.96, 2.2414, 2.394, 2.4977, 2.5758, 2.6383, 2.6901, 2.7344, 2.7729, 2.807];

/** A safety share that rises by more than this is recorded by the rules too (rules/default.yaml). */
const unsafeRise = 0.02;

/** Intervals of a single measure, widened so that all of `count` hold together at 95%. */
export function widened({ difference, low, high }: PairedDifference, count: number): PairedDifference {
  const factor = (quantiles[count - 1] ?? Math.sqrt(2 * Math.log(count / 0.05))) / quantiles[0]!;
  return { difference, low: difference - factor * (difference - low), high: difference + factor * (high - difference) };
}

export function judgeRound(record: RoundRecord): RoundJudgement {
  const { evaluation, failure } = record;
  if (failure !== null) return { verdict: "failed", measures: [], signs: [], reasons: [failure.message] };
  if (evaluation === null)
    return {
      ...{ verdict: "unfinished", measures: [], signs: [] },
      reasons: ["the run has not ended: its policy was not evaluated yet"],
    };
  const measures = measuresOf(evaluation);
  const signs = signsOf(record, evaluation, measures);
  const as = (verdict: RoundVerdict, ...reasons: readonly string[]): RoundJudgement => ({
    ...{ verdict, measures, signs },
    reasons: [...reasons, ...(record.independent ? [] : [blind]), ...fewPrompts(evaluation)],
  });
  if (measures.length === 0) return as("unproven", "there is no measure before and after PPO to compare");
  const [up, down] = [measures.filter(isUp), measures.filter(({ verdict }) => verdict === "down")];
  const reward = rewardOf(evaluation);
  if (evaluation.seenInTraining)
    return as("unproven", "the evaluation asked prompts that were trained on: it shows what the policy memorised");
  if (reward?.verdict === "up" && down.length > 0)
    return as(
      "suspect",
      `the reward rose by ${said(reward)} while ${down.map((one) => `${one.title} fell by ${said(one)}`).join(" and ")}: it is being gamed`,
    );
  if (record.suspicions.length > 0) return as("suspect", ...record.suspicions);
  const safety = record.signals["safety/share"];
  if (safety && safety.last - safety.first > unsafeRise)
    return as("worse", `the share of unsafe responses rose from ${percent(safety.first)} to ${percent(safety.last)}`);
  if (down.length > 0) return as("worse", ...down.map((one) => `${one.title} fell by ${said(one)}`));
  if (up.length === 0)
    return as("flat", ...measures.map((one) => `${one.title} moved by ${said(one)}, which noise explains`));
  const rose = up.map((one) => `${one.title} rose by ${said(one)}`);
  const lost = record.previous ? lostAgainst(record.previous, evaluation, measures) : [];
  return lost.length > 0 ? as("lost", ...lost, ...rose) : as("moved", ...rose);
}

const blind =
  "only the reward itself says so, and nothing independent of it: read samples, or give ppo.gold a check that never trains";

/** Distinct prompts below which the normal approximation of the intervals is too narrow (src/rl/interval.ts). */
const fewestPrompts = 30;

function fewPrompts({ distinctPrompts }: Evaluation): string[] {
  if (distinctPrompts === undefined || distinctPrompts >= fewestPrompts) return [];
  return [
    `the evaluation asked ${distinctPrompts} distinct prompts: under ${fewestPrompts} its intervals are too narrow; name more with --evaluation FILE`,
  ];
}

/** Gold checks before and after; without any, the reward. */
function measuresOf(evaluation: Evaluation): JudgedMeasure[] {
  const { shares, differences } = evaluation;
  const names = shares.filter((name) => differences[name] !== undefined);
  const judged = names.length > 0 ? names : ["reward"].filter((name) => differences[name] !== undefined);
  return judged.flatMap((name) => measured(name, evaluation, judged.length) ?? []);
}

function rewardOf(evaluation: Evaluation): JudgedMeasure | null {
  return measured("reward", evaluation, 1);
}

function measured(
  name: string,
  { before, after, differences, shares }: Evaluation,
  count: number,
): JudgedMeasure | null {
  const [was, is] = [before?.figures[name], after.figures[name]];
  const given = differences[name];
  if (!was || !is || !given) return null;
  const difference = widened(given, count);
  const verdict = difference.low > 0 ? "up" : difference.high < 0 ? "down" : "flat";
  return {
    name,
    title: figureTitle(name),
    share: shares.includes(name),
    before: was.mean,
    after: is.mean,
    difference,
    verdict,
  };
}

function isUp({ verdict }: JudgedMeasure): boolean {
  return verdict === "up";
}

/** Measures that end below the round before by more than both evaluations' noise. */
function lostAgainst(previous: Evaluation, evaluation: Evaluation, measures: readonly JudgedMeasure[]): string[] {
  return measures.flatMap(({ name, title, share }) => {
    const [was, is] = [previous.after.figures[name], evaluation.after.figures[name]];
    // The reward is a different one in this round: its scores say nothing of the round before.
    if (!was || !is || !share) return [];
    const half = ({ low, high }: { low: number; high: number }) => (high - low) / 2;
    const noise = widened({ difference: 0, low: -1, high: 1 }, measures.length).high * Math.hypot(half(was), half(is));
    const change = is.mean - was.mean;
    if (!(change < -noise)) return [];
    const show = (value: number) => figure(value, share);
    return [
      `${title} ends at ${show(is.mean)}, the round before at ${show(was.mean)}: less by more than the ${show(noise)} of noise`,
    ];
  });
}

/** The guides' first signs of success: consistency and caution. */
function signsOf(
  { signals }: RoundRecord,
  { before, after }: Evaluation,
  measures: readonly JudgedMeasure[],
): string[] {
  const signs: string[] = [];
  for (const { name, title, share } of measures) {
    const [was, is] = [before?.figures[name], after.figures[name]];
    if (was?.greedy === undefined || is?.greedy === undefined) continue;
    const gap = (one: { mean: number; greedy?: number }) => Math.abs(one.mean - one.greedy!);
    const word = gap(is) < gap(was) ? "more consistent" : "not more consistent";
    signs.push(
      `${word}: sampled and greedy answers differ by ${figure(gap(is), share)} in ${title}, before by ${figure(gap(was), share)}`,
    );
  }
  const agreement = signals["response/repeat_agreement"];
  if (agreement) {
    const word = agreement.last > agreement.first ? "more consistent" : "not more consistent";
    signs.push(
      `${word}: repeated samples agree in ${percent(agreement.last)}, at first in ${percent(agreement.first)}`,
    );
  }
  const safety = signals["safety/share"];
  if (safety) {
    const word = safety.last <= safety.first + unsafeRise ? "cautious" : "less cautious";
    signs.push(`${word}: ${percent(safety.last)} unsafe responses, at first ${percent(safety.first)}`);
  }
  const kl = after.figures.klK3Token;
  if (kl) {
    const word =
      kl.mean < 0.1 ? "close to the reference" : kl.mean < 0.5 ? "away from the reference" : "far from the reference";
    signs.push(`${word}: ${kl.mean.toPrecision(2)} nats a token (healthy runs stay under 0.1, the alarm is at 0.5)`);
  }
  return signs;
}

/** `+36.9 points [+30.6, +43.6]`, or without the unit. */
export function said({
  difference: { difference, low, high },
  share,
}: Pick<JudgedMeasure, "difference" | "share">): string {
  const show = (value: number) => `${value > 0 ? "+" : ""}${(share ? 100 * value : value).toFixed(share ? 1 : 2)}`;
  return `${show(difference)}${share ? " points" : ""} [${show(low)}, ${show(high)}]`;
}

function figure(value: number, share: boolean): string {
  return share ? percent(value) : value.toFixed(2);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
