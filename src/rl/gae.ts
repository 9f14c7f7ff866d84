/** Generalised advantage estimation over ragged, masked rows (docs/PPO.md rows 4 and 5; Schulman et al. 2016, eq. 16). */
import { checkSameShape, isValid, type Mask, type Rows } from "./token-rows.ts";

export interface GaeOptions {
  readonly rewards: Rows;
  readonly values: Rows;
  readonly mask?: Mask | undefined;
  readonly gamma: number;
  readonly lambda: number;
}

/**
 * delta_t = r_t + gamma V_{t+1} - V_t and A_t = delta_t + gamma lambda A_{t+1}, with V = 0 after the last valid token; returns are the raw
 * A + V. Masked tokens are skipped as if they were deleted; their advantage and return are 0.
 */
export function gae(options: GaeOptions): { advantages: number[][]; returns: number[][] } {
  const { rewards, values, mask, gamma, lambda } = options;
  checkSameShape({ rewards, values, mask });
  const advantages_B_T = rewards.map((row) => row.map(() => 0));
  const returns_B_T = rewards.map((row) => row.map(() => 0));
  for (let b = 0; b < rewards.length; b++) {
    let nextValue = 0;
    let nextAdvantage = 0;
    for (let t = rewards[b]!.length - 1; t >= 0; t--) {
      if (!isValid(mask, b, t)) continue;
      const value = values[b]![t]!;
      const delta = rewards[b]![t]! + gamma * nextValue - value;
      nextAdvantage = delta + gamma * lambda * nextAdvantage;
      nextValue = value;
      advantages_B_T[b]![t] = nextAdvantage;
      returns_B_T[b]![t] = nextAdvantage + value;
    }
  }
  return { advantages: advantages_B_T, returns: returns_B_T };
}
