/** The penalty form of the policy loss (PPO.md row 9): the policy that sampled, kept for its whole distribution. */
import type { Penalty } from "../objectives/penalty-policy.ts";
import type { Ppo } from "./ppo.ts";

/** Before an update; null where the loss is the clipped one. */
export async function openPenalty({ context, models, loop, state }: Ppo, iteration: number): Promise<Penalty | null> {
  if (loop.settings.policyLoss !== "penalty") return null;
  const beta = state.penaltyBeta;
  const { name, capabilities } = await context.engine.info();
  if (capabilities.fullKl) return { beta, oldModel: (await context.engine.cloneModel(models.policy.id)).id };
  const message = `the engine ${name} has no KL of two policies over the whole vocabulary: the penalty is k3 on the samples`;
  loop.warnOnce("penalty", iteration, message);
  return { beta, oldModel: null };
}

/** After it. */
export async function closePenalty({ context }: Ppo, penalty: Penalty | null): Promise<void> {
  if (penalty?.oldModel) await context.engine.disposeModel(penalty.oldModel);
}
