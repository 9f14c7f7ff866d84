/** The definition of an algorithm of the online stage: the phases of an iteration. The stage around them is the same for all. */
import type { PolicyLoss } from "../engine/engine.ts";
import type { PolicyBatch } from "../objectives/policy-extras.ts";
import type { Gathered } from "../trainer/experience.ts";
import type { Experience, OnlineRun } from "../trainer/online-run.ts";
import type { Outcome } from "../trainer/policy-update.ts";
import type { Done } from "../trainer/record-iteration.ts";
import type { InForce } from "../trainer/steering.ts";
import type { MetricValues } from "../types/records.ts";

export interface Algorithm {
  /** Phases 1 to 4. Nothing in them reaches the weights, so a run may leave at any point. */
  readonly gather: (run: OnlineRun, iteration: number) => Promise<Gathered>;
  /** The policy's loss on part of a rollout: an update descends it, and its gradient noise is measured. */
  readonly objective: (batch: PolicyBatch, now: InForce) => PolicyLoss;
  /** Phase 5: steps of the policy, and of anything else that learns. */
  readonly update: (run: OnlineRun, iteration: number, experience: Experience) => Promise<Outcome>;
  /** Phase 6: records the iteration's signals, settings, times and samples; then controllers and schedules follow them. */
  readonly record: (run: OnlineRun, iteration: number, done: Done) => Promise<MetricValues>;
}
