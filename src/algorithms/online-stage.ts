/** The online stage: iterations of an algorithm, surrounded by the controller, incidents, probes, checkpoints and records. */
import { faultsOf } from "../config/fault-names.ts";
import { injectFaults } from "../faults/injected-faults.ts";
import { obey } from "../incidents/incident.ts";
import { closeModels, type Kept, keepBefore } from "../incidents/kept-state.ts";
import { measuredExperience } from "../trainer/experience.ts";
import type { Experience, OnlineInputs } from "../trainer/online-run.ts";
import { measureLastStep } from "../trainer/policy-update.ts";
import { measure } from "../trainer/probes.ts";
import { measureNoise } from "../trainer/probes-noise.ts";
import type { Rollout } from "../trainer/rollout.ts";
import type { ProgressPart, StageResult } from "../trainer/run-types.ts";
import type { StageContext } from "../trainer/stage-context.ts";
import { baseOf } from "../trainer/steering.ts";
import { observeTargets, targetMet } from "../trainer/stop.ts";
import { Stopwatch } from "../trainer/stopwatch.ts";
import { EngineError, RolledBack, UsageError } from "../util/errors.ts";
import type { Algorithm } from "./algorithm.ts";
import { openAlgorithm } from "./open-algorithm.ts";
import { openOnline } from "./open-online.ts";

/** Trains the policy with the configured algorithm, from its newest checkpoint if the context says so. */
export async function trainOnline(
  context: StageContext,
  inputs: OnlineInputs,
  /** In place of the configured one. */
  given?: Algorithm,
): Promise<StageResult> {
  const algorithm = given ?? (await openAlgorithm(inputs.settings.algorithm));
  const injected = injectFaults({ faults: faultsOf(context.config), seed: context.config.seed });
  const opened = await openOnline(context, inputs, injected);
  const { models, reward, loop, control, state } = opened;
  let before: Kept | null = null;
  /** The iteration in progress, whose beginning `before` holds; null between two, and while `before` is replaced. */
  let within: number | null = null;
  try {
    const { iterations, stop: target } = inputs.settings;
    const met = () => targetMet(target.when, state.targets);
    let iteration = loop.first;
    // An incident always has a state to go back to.
    if (iteration === 0 && context.config.control.interventions === "on") await loop.save(0);
    for (; iteration < iterations && met() === null; iteration++) {
      await loop.begin(iteration);
      let handed: Rollout | null = null;
      if (inputs.batches) {
        handed = await inputs.batches.next(opened, iteration).catch((error) => loop.leave(iteration, error));
        if (handed === null) break;
      }
      const stopwatch = await Stopwatch.start(context.engine);
      const tell = (message: string, part?: ProgressPart) => loop.progress(iteration, message, part);
      const run = injected.around({ ...opened, handed, stopwatch, tell }, iteration);
      for (const name of injected.beginning(iteration))
        loop.event("fault", iteration, `injected: ${name}`, { fault: name });
      const keeping = performance.now();
      within = null;
      before = await keepBefore(run, before);
      within = iteration;
      control.seconds += (performance.now() - keeping) / 1000;
      let experience: Experience;
      try {
        const gathered = injected.after(await algorithm.gather(run, iteration), iteration);
        experience = await measuredExperience(run, iteration, gathered);
      } catch (error) {
        return await loop.leave(iteration, error);
      }

      // The controller sees the rollout before anything reaches the weights. If an operator lets the run continue, the iteration starts again, with
      // their changes.
      const scored = control.afterScoring(iteration, experience.signals, baseOf(run, iteration));
      if (await obey(run, { orders: scored, iteration, experience, before, done: iteration })) {
        iteration--;
        continue;
      }
      const noise = await measureNoise(run, iteration, { experience, objective: algorithm.objective });
      const outcome = await algorithm.update(run, iteration, experience);
      stopwatch.lap("update");
      await measureLastStep(run, iteration, { experience, outcome });
      stopwatch.lap("last_pass");
      const measured = { ...noise, ...(await measure(run, iteration)) };
      const values = await algorithm.record(run, iteration, { experience, outcome, measured });
      const { stop, ...updated } = control.afterUpdate(iteration, values, baseOf(run, iteration));
      state.targets = observeTargets(target.when, state.targets, values);
      within = null;
      await loop.end(iteration + 1, values);
      const orders = { ...updated, stop: outcome.stop ?? stop };
      await obey(run, { orders, iteration, experience, before, done: iteration + 1 });
    }
    const why = met();
    if (why !== null) loop.event("note", iteration, why);
    const result = await loop.finish({ model: models.policy.id, heads: ["lm"] }, { steps: iteration });
    await closeModels({ context, models }, before);
    return result;
  } catch (error) {
    // What was kept of the state before this iteration may outlive the failure: a server has it on its disk.
    const isKept = within !== null && before !== null && context.config.control.interventions === "on";
    const byEngine = error instanceof EngineError || error instanceof UsageError;
    if (byEngine && isKept) await loop.save(within!, before!);
    // The run continues in this process, with models that it opens again.
    if (error instanceof RolledBack) await closeModels({ context, models }, before);
    throw error;
  } finally {
    await reward.close();
  }
}
