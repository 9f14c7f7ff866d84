/** Measures a reward on samples of the starting policy, before anything trains on it. */
import type { RewardFacts } from "../control/doctor/facts.ts";
import type { FunctionScales, RewardPipeline } from "../reward/index.ts";
import { mean, standardDeviation } from "../rl/index.ts";
import { hasCritic } from "../settings/algorithm-table.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { type Rollout, scoredRows } from "./rollout.ts";

/** A change of a score below this, in standard deviations (or as it is, if they are smaller than 1), is rounding. */
const rounding = 1e-4;

/** Scores the responses three times: twice in their order, once in reverse. */
export async function measureReward(
  reward: Pick<RewardPipeline, "score" | "scaling">,
  {
    rollout,
    settings,
    pairs = null,
  }: { readonly rollout: Rollout; readonly settings: PpoConfig; readonly pairs?: RewardFacts["pairs"] },
): Promise<RewardFacts> {
  const { scoreClip, valueClip, algorithm } = settings;
  const rows = scoredRows(rollout);
  const { score } = await reward.score(rows);
  const { score: again } = await reward.score(rows);
  const { score: reversed } = await reward.score([...rows].reverse());
  const backwards = [...reversed].reverse();
  const deviation = standardDeviation(score);
  const constant = score.every((value) => value === score[0]);
  const tolerance = rounding * Math.max(1, deviation);
  const changes = score.map((value, i) => again[i]! - value).filter((change) => Math.abs(change) > tolerance);
  const clip = scoreClip ?? Number.POSITIVE_INFINITY;
  const values = [...new Set(score)].sort((a, b) => a - b);
  const mostFrequent = Math.max(...values.map((value) => score.filter((one) => one === value).length));
  const level = mean(score.map((value) => Math.min(clip, Math.max(-clip, value))));
  return {
    samples: score.length,
    mean: mean(score),
    spread: constant ? 0 : deviation,
    mostFrequent,
    functions: functionsOf(reward.scaling?.scales ?? {}),
    successes: values.length === 2 ? score.filter((value) => value === values[1]).length : null,
    clippedShare: mean(score.map((value) => Number(Math.abs(value) > clip))),
    // A critic's head starts at 0.
    offsetToClip: valueClip === null || !hasCritic(algorithm) ? null : Math.abs(level) / valueClip,
    truncatedShare: mean(rollout.stopReasons.map((reason) => Number(reason === "length"))),
    repeated: changes.length,
    rising: changes.length > 0.9 * score.length && new Set(changes.map(Math.sign)).size === 1,
    reordered: score.filter((value, i) => Math.abs(backwards[i]! - value) > tolerance).length,
    pairs,
  };
}

function functionsOf(scales: FunctionScales): RewardFacts["functions"] {
  return Object.entries(scales).map(([name, { mean: centre, standardDeviation: spread, left }]) => ({
    ...{ name, mean: centre, spread },
    normalised: left === null,
  }));
}
