/** Keeps the slow critic behind the critic (PPO.md row 20): GAE and returns come from it, the value loss's clip does not. */
import { correctedDecay } from "../rl/index.ts";
import type { StepTaken } from "./optimizer-step.ts";
import type { Ppo } from "./ppo.ts";

/** After a step of the critic; a step that was not taken moves nothing. */
export async function followCritic(
  { context, models, loop, state }: Pick<Ppo, "context" | "models" | "loop" | "state">,
  step: StepTaken | null,
): Promise<void> {
  const { slowCritic } = loop.settings;
  if (models.slowCritic === null || slowCritic === null || step === null || step.skipped) return;
  state.slowCriticSteps++;
  await context.engine.ema(models.slowCritic, models.critic, correctedDecay(slowCritic.decay, state.slowCriticSteps));
}
