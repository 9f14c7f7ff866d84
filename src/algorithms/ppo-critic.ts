/** PPO's critic: the gradient of its loss, its steps, and its slow average (docs/PPO.md rows 10 and 20). */
import type { ForwardBackwardResult } from "../engine/engine.ts";
import { clippedValueLoss } from "../objectives/clipped-value.ts";
import { correctedDecay } from "../rl/index.ts";
import type { Critic } from "../trainer/online-models.ts";
import type { OnlineRun } from "../trainer/online-run.ts";
import type { StepTaken } from "../trainer/optimizer-step.ts";
import type { Minibatch } from "../trainer/policy-update.ts";
import type { InForce } from "../trainer/steering.ts";

export interface ValueGradient {
  readonly gradient: ForwardBackwardResult;
  /** The current critic's values. */
  readonly values: number[][];
  readonly loss: number;
}

/** Accumulates the gradient of the clipped value loss, around the values at rollout (docs/PPO.md row 10). */
export async function valueGradient(
  { engine, loop }: Pick<OnlineRun, "engine" | "loop">,
  critic: Critic,
  { sequences, weights, returns, oldValues, microBatch, beforePass }: Minibatch,
): Promise<ValueGradient> {
  // A critic with a separate trunk has its own optimizer, in which Adam cancels a coefficient (docs/PPO.md row 10).
  const coef = critic.shared ? (loop.settings.valueCoef ?? 1) : 1;
  const weighted = weights.map((row) => row.map((weight) => weight * coef));
  const batch = { sequences, weights: weighted, returns: returns!, oldValues: oldValues! };
  const loss = clippedValueLoss(batch, loop.settings);
  const gradient = await engine.forwardBackward(critic.id, loss, { microBatch, beforePass });
  return { gradient, values: gradient.values!, loss: gradient.loss / (coef || 1) };
}

/** Updates the slow critic after a step of the critic; a skipped step changes nothing. */
export async function followCritic(
  { engine, state }: Pick<OnlineRun, "engine" | "state">,
  critic: Critic,
  { step, now }: { readonly step: StepTaken | null; readonly now: Pick<InForce, "slowCriticDecay"> },
): Promise<void> {
  if (critic.slow === null || step === null || step.skipped) return;
  state.slowCriticSteps++;
  await engine.ema(critic.slow, critic.id, correctedDecay(now.slowCriticDecay, state.slowCriticSteps));
}
