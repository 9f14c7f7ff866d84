/** Opens a run of PPO: from the beginning, from its newest checkpoint, or where a rollback leads. */
import { faultsOf } from "../config/fault-names.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { Control } from "./controller.ts";
import { createFaults } from "./faults.ts";
import { obeyEarlier } from "./incident.ts";
import type { Ppo, PpoInputs } from "./ppo.ts";
import { openPpoModels, trainedModels } from "./ppo-models.ts";
import { checkRewardHash, firstState, type PpoState, seedOf } from "./ppo-state.ts";
import { carryOutRollback } from "./rollback.ts";
import type { StageContext } from "./stage-context.ts";
import { findCheckpoint, StageLoop } from "./stage-loop.ts";
import { checkFingerprints, fingerprints } from "./stage-models.ts";
import { baseOf, heldByState, hold, personSet, recordClip } from "./steering.ts";

export type OpenPpo = Pick<Ppo, "models" | "reward" | "loop" | "state" | "control" | "faults" | "seed">;

/** Throws what cannot go on: a changed reference or reward, an incident that waits for a decision. */
export async function openPpo(context: StageContext, inputs: PpoInputs): Promise<OpenPpo> {
  const { settings, sources, frozen } = inputs;
  const { recorder, config } = context;
  const rollback = context.resume ? await carryOutRollback(context.folder, recorder.attempt) : null;
  const checkpoint = await findCheckpoint<PpoState>(context);
  const saved = checkpoint?.state;
  // Later checkpoints have it in them already.
  const fresh = rollback !== null && saved?.step === rollback.to && saved.attempt < rollback.attempt! ? rollback : null;
  const frozenNow = await fingerprints(frozen);
  if (saved) checkFingerprints(frozen, { saved: saved.own.frozen, found: frozenNow });
  const models = await openPpoModels(context, { sources, settings, checkpoint: checkpoint?.folder ?? null });
  const reward = await inputs.openReward(models);
  try {
    await reward.ready();
    if (saved) checkRewardHash({ saved: saved.own.rewardHash, found: reward.hash, settings });
    // A checkpoint of an earlier version holds less.
    const state = { ...firstState(settings), ...saved?.own };
    Object.assign(state, { frozen: frozenNow, rewardHash: reward.hash });
    if (fresh) Object.assign(state, { rolledBackIn: fresh.attempt!, rolledBackTo: fresh.to });
    const faults = createFaults({ faults: faultsOf(config), seed: config.seed });
    const control = new Control({
      rules: inputs.rules,
      settings: config.control,
      state: state.control,
      iteration: saved?.step ?? 0,
      recorder,
    });
    const loop: StageLoop<PpoConfig, PpoState> = new StageLoop<PpoConfig, PpoState>(context, {
      settings,
      steps: settings.iterations,
      unit: "iteration",
      checkpoint,
      snapshot: () => ({ own: { ...state, control: control.state }, models: trainedModels(models) }),
      inForce: (key) => heldByState(state, key),
      onChange: (change, { step: iteration, again }) =>
        personSet({ loop, state, control, faults }, change, { iteration, again }),
      onUndo: (intervention, { step: iteration, again }) =>
        control.undo(intervention, { iteration, base: baseOf({ loop, state, faults }, iteration), again }),
      healthy: (step) => control.healthyAfter(step - 1),
    });
    if (loop.first === 0) recordClip({ loop, state }, 0, { low: settings.clipLow, high: settings.clipHigh });
    if (fresh) {
      const message = `rolled back from iteration ${fresh.from} to ${fresh.to}: ${fresh.incident === null ? fresh.rule : `incident ${fresh.incident}`}`;
      loop.event("rollback", loop.first, message, { ...fresh });
      for (const change of fresh.changes) if (loop.change(change, loop.first)) hold(state, change);
    }
    obeyEarlier({ context, loop, control, state });
    if (inputs.prompts.length === 1)
      loop.warnOnce(
        "prompts",
        loop.first,
        "there is a single prompt: the policy learns to answer that one, and nothing else",
      );
    return { models, reward, loop, state, control, faults, seed: seedOf(state, config.seed) };
  } catch (error) {
    await reward.close();
    throw error;
  }
}
