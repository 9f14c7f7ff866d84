/** Where the reward and the gold checks part: the reward goes on rising while what it stands for falls. */
import type { BehaviourPoint } from "../../../../../src/types/page.ts";

export interface Parting {
  readonly iteration: number;
  /** The point whose gold was best until then. */
  readonly best: number;
}

/**
 * Points whose gold lies, with its whole 95% interval, below the best mean before them, though the reward is higher than it was there:
 * over-optimisation (Gao, Schulman and Hilton, 2023, arXiv:2210.10760).
 */
export function partings(points: readonly BehaviourPoint[]): Parting[] {
  let best: BehaviourPoint | null = null;
  const found: Parting[] = [];
  for (const point of points) {
    const { gold, score, iteration } = point;
    if (gold === null || score === null) continue;
    if (best !== null && gold.high < best.gold!.mean && Number(score) > Number(best.score))
      found.push({ iteration, best: best.iteration });
    if (best === null || gold.mean > best.gold!.mean) best = point;
  }
  return found;
}
