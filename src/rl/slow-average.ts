/** The slow critic: an exponential average of the critic's weights, corrected for its start (docs/PPO.md row 20). */
import { sum } from "./statistics.ts";

/**
 * The decay of one step, counted from 1, that keeps the average corrected: with s_t = d s_{t-1} + (1 - d) w_t from s_0 = 0, and slow_t =
 * s_t / (1 - d^t), we have slow_t = d_t slow_{t-1} + (1 - d_t) w_t for d_t = d (1 - d^{t-1}) / (1 - d^t). The first decay is 0.
 */
export function correctedDecay(decay: number, step: number): number {
  return (decay * (1 - decay ** (step - 1))) / (1 - decay ** step);
}

/** Root mean square over tokens of value minus slow value, in the reward's unit; NaN if there are no tokens. */
export function slowDistance(
  values_B_T: readonly (readonly number[])[],
  slow_B_T: readonly (readonly number[])[],
): number {
  const squares = values_B_T.flatMap((row, b) => row.map((v, t) => (v - slow_B_T[b]![t]!) ** 2));
  return Math.sqrt(sum(squares) / squares.length);
}
