/** Opens an online run: at its beginning, from its newest checkpoint, or where a rollback leads. */

import { isHealthyAfter } from "../control/state.ts";
import { stepIndices } from "../data/index.ts";
import type { Injected } from "../faults/injected-faults.ts";
import { obeyEarlier } from "../incidents/incident.ts";
import { carryOutRollback } from "../incidents/rollback.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { Control } from "../trainer/controller.ts";
import { openOnlineModels, trainedModels } from "../trainer/online-models.ts";
import type { Between, OnlineInputs } from "../trainer/online-run.ts";
import { checkRewardHash, firstState, type OnlineState, seedOf } from "../trainer/online-state.ts";
import type { StageContext } from "../trainer/stage-context.ts";
import { findCheckpoint, StageLoop } from "../trainer/stage-loop.ts";
import { checkFingerprints, fingerprints } from "../trainer/stage-models.ts";
import { baseOf, heldByState, hold, operatorSet, recordClip } from "../trainer/steering.ts";

/** Opens an online run. Throws if it cannot continue: a changed reference or reward, an incident that waits for a decision. */
export async function openOnline(context: StageContext, inputs: OnlineInputs, injected: Injected): Promise<Between> {
  const { settings, sources, frozen } = inputs;
  const { recorder, config } = context;
  const rollback = context.resume ? await carryOutRollback(context.folder, recorder.attempt) : null;
  const checkpoint = await findCheckpoint<OnlineState>(context);
  const saved = checkpoint?.state;
  // Later checkpoints already include it.
  const fresh = rollback !== null && saved?.step === rollback.to && saved.attempt < rollback.attempt! ? rollback : null;
  const frozenNow = await fingerprints(frozen);
  if (saved) checkFingerprints(frozen, { saved: saved.own.frozen, found: frozenNow });
  const models = await openOnlineModels(context, { sources, settings, checkpoint: checkpoint?.folder ?? null });
  const reward = await inputs.openReward(models);
  try {
    await reward.ready();
    // Before its first iteration a run has no curve that two rewards could mix.
    const goesOn = saved !== undefined && (saved.step > 0 || fresh !== null || saved.own.rolledBackIn > 0);
    if (goesOn) checkRewardHash({ saved: saved.own.rewardHash, found: reward.hash, settings });
    else if (saved?.own.rewardHash !== reward.hash) reward.scaling?.forget();
    // A checkpoint of an earlier version has fewer fields.
    const state = { ...firstState(settings), ...saved?.own };
    Object.assign(state, { frozen: frozenNow, rewardHash: reward.hash });
    if (fresh) Object.assign(state, { rolledBackIn: fresh.attempt!, rolledBackTo: fresh.to });
    const control = new Control({
      rules: inputs.rules,
      settings: config.control,
      state: state.control,
      iteration: saved?.step ?? 0,
      recorder,
    });
    const settingsAt = (iteration: number) => injected.settings(iteration, loop.settings);
    const steered = { state, control, settingsAt };
    const loop: StageLoop<PpoConfig, OnlineState> = new StageLoop<PpoConfig, OnlineState>(context, {
      settings,
      steps: settings.iterations,
      unit: "iteration",
      checkpoint,
      snapshot: () => ({ own: { ...state, control: control.state }, models: trainedModels(models) }),
      inForce: (key) => heldByState(state, key),
      onChange: (change, { step: iteration, again }) => operatorSet(steered, change, { iteration, again }),
      onUndo: (intervention, { step: iteration, again }) =>
        control.undo(intervention, { iteration, base: baseOf(steered, iteration), again }),
      rollbacks: {
        isHealthy: (own, step) => isHealthyAfter(own.control, step - 1),
        reach: () => control.looksBackTo(),
      },
    });
    if (loop.first === 0) recordClip({ loop, state }, 0, { low: settings.clipLow, high: settings.clipHigh });
    if (fresh) {
      const message = `rolled back from iteration ${fresh.from} to ${fresh.to}: ${fresh.incident === null ? fresh.rule : `incident ${fresh.incident}`}`;
      loop.event("rollback", loop.first, message, { ...fresh });
      for (const change of fresh.changes) if (await loop.change(change, loop.first)) hold(state, change);
    }
    obeyEarlier({ context, loop, control, state });
    if (inputs.prompts.length === 1)
      loop.warnOnce(
        "prompts",
        loop.first,
        "there is a single prompt: the policy learns to answer that one, and nothing else",
      );
    const { prompts } = inputs;
    return {
      ...{ context, inputs, models, reward, loop, ...steered },
      engine: context.engine,
      seed: seedOf(state, config.seed),
      drawPrompts: (iteration, count) =>
        stepIndices({ rows: prompts.length, batchSize: count, seed: config.seed, step: iteration }).map(
          (row) => prompts[row]!,
        ),
    };
  } catch (error) {
    await reward.close();
    throw error;
  }
}
