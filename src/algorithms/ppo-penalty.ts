/** The old policy of PPO's penalty form: a copy of the sampling policy, kept for its whole distribution (docs/PPO.md row 9). */
import type { Penalty } from "../objectives/penalty-policy.ts";
import type { OnlineRun } from "../trainer/online-run.ts";

/** Copies the policy before an update; null if the loss is the clipped one. */
export async function openPenalty(run: OnlineRun, iteration: number): Promise<Penalty | null> {
  const { engine, models, loop, state } = run;
  if (loop.settings.policyLoss !== "penalty") return null;
  const beta = state.penaltyBeta;
  const { name, capabilities } = await engine.info();
  if (capabilities.fullKl) return { beta, oldModel: (await engine.cloneModel(models.policy.id)).id };
  const message = `the engine ${name} has no KL of two policies over the whole vocabulary: the penalty is k3 on the samples`;
  loop.warnOnce("penalty", iteration, message);
  return { beta, oldModel: null };
}

/** Releases the old policy after an update. */
export async function closePenalty({ engine }: OnlineRun, penalty: Penalty | null): Promise<void> {
  if (penalty?.oldModel) await engine.disposeModel(penalty.oldModel);
}
