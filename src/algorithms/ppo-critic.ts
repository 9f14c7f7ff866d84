/** PPO's critic: the gradient of its loss, its steps, and its slow average (PPO.md rows 10 and 20). */
import type { ForwardBackwardResult } from "../engine/engine.ts";
import { clippedValueLoss } from "../objectives/clipped-value.ts";
import { correctedDecay } from "../rl/index.ts";
import type { Critic } from "../trainer/online-models.ts";
import type { OnlineRun } from "../trainer/online-run.ts";
import type { StepTaken } from "../trainer/optimizer-step.ts";
import type { Minibatch } from "../trainer/policy-update.ts";

export interface ValueGradient {
  readonly gradient: ForwardBackwardResult;
  /** Of the critic as it is now. */
  readonly values: number[][];
  readonly loss: number;
}

/** Accumulates the gradient of the clipped value loss, around the values at rollout (PPO.md row 10). */
export async function valueGradient(
  { engine, loop }: Pick<OnlineRun, "engine" | "loop">,
  critic: Critic,
  { sequences, weights, returns, oldValues, microBatch }: Minibatch,
): Promise<ValueGradient> {
  // With a trunk of its own the critic has an optimizer of its own, in which Adam cancels a coefficient (PPO.md row 10).
  const coef = critic.shared ? (loop.settings.valueCoef ?? 1) : 1;
  const weighted = weights.map((row) => row.map((weight) => weight * coef));
  const batch = { sequences, weights: weighted, returns: returns!, oldValues: oldValues! };
  const loss = clippedValueLoss(batch, loop.settings);
  const gradient = await engine.forwardBackward(critic.id, loss, { microBatch });
  return { gradient, values: gradient.values!, loss: gradient.loss / (coef || 1) };
}

/** Keeps the slow critic behind the critic after a step of it; a step that was not taken moves nothing. */
export async function followCritic(
  { engine, loop, state }: Pick<OnlineRun, "engine" | "loop" | "state">,
  critic: Critic,
  step: StepTaken | null,
): Promise<void> {
  const { slowCritic } = loop.settings;
  if (critic.slow === null || slowCritic === null || step === null || step.skipped) return;
  state.slowCriticSteps++;
  await engine.ema(critic.slow, critic.id, correctedDecay(slowCritic.decay, state.slowCriticSteps));
}
