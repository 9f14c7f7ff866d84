/**
 * Advantages of responses compared with the others to the same prompt, in place of a critic: RLOO's (Ahmadian et al. 2024, section 4.1, after Kool et
 * al. 2019) and GRPO's (Shao et al. 2024, section 4.1). Rewards are grouped in consecutive blocks of `size` responses.
 */
import { mean, standardDeviation, sum } from "./statistics.ts";

/** Added to a group's standard deviation, as in TRL. A group of equal rewards has advantages of 0. */
const epsilon = 1e-4;

/** A_i = R_i - mean of the others' R. Throws RangeError for a group of one, in which there are no others. */
export function leaveOneOut(rewards_B: readonly number[], size: number): number[] {
  return byGroup(rewards_B, size, (group) => {
    const total = sum(group);
    return group.map((reward) => reward - (total - reward) / (size - 1));
  });
}

/** R_i - mean of the group's R. */
export function groupCentred(rewards_B: readonly number[], size: number): number[] {
  return byGroup(rewards_B, size, (group) => group.map((reward) => reward - mean(group)));
}

/** (R_i - mean of the group's R) / (its standard deviation, unbiased, + 1e-4). */
export function groupNormalised(rewards_B: readonly number[], size: number): number[] {
  return byGroup(rewards_B, size, (group) => {
    const spread = standardDeviation(group, { unbiased: true }) + epsilon;
    return group.map((reward) => (reward - mean(group)) / spread);
  });
}

function byGroup(
  rewards_B: readonly number[],
  size: number,
  of: (group: readonly number[]) => readonly number[],
): number[] {
  if (size < 2 || rewards_B.length % size !== 0)
    throw new RangeError(`${rewards_B.length} rewards are not groups of ${size}, each of at least 2`);
  return Array.from({ length: rewards_B.length / size }, (_, g) =>
    of(rewards_B.slice(g * size, (g + 1) * size)),
  ).flat();
}
