/** The first iteration's look at the reward: samples of the starting policy set the scales of functions, and findings are told before anything trains. */
import { type Finding, findingMessage, rewardFindings } from "../control/doctor/index.ts";
import { scaleWords } from "../reward/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import { random } from "../util/random.ts";
import type { OnlineRun } from "./online-run.ts";
import { pairAccuracy } from "./probes.ts";
import { measureReward } from "./reward-preflight.ts";
import { writeScales } from "./reward-scales.ts";
import { firstOf, joined, type Rollout, rollOut, scoredRows } from "./rollout.ts";

/**
 * Examines the reward on the first responses of the rollout that it first scores: a run's, or a fork's that changes it. A function's scale needs
 * `rewardSamples` of them: if the rollout has fewer, more are sampled. Nothing here stops the run: what cannot be trained on, scores that are not finite or a function that fails, stops it anyway.
 */
export async function examineReward(
  run: OnlineRun,
  iteration: number,
  { rollout, settings }: { readonly rollout: Rollout; readonly settings: PpoConfig },
): Promise<void> {
  const { reward, context, loop, stopwatch } = run;
  const { rewardSamples } = settings;
  if (rewardSamples === 0 || run.handed !== null) return;
  const sets = reward.scaling?.scales === null;
  const samples = await samplesOf(run, iteration, { rollout, settings, least: sets ? rewardSamples : 1 });
  run.tell("examining the reward");
  if (sets) {
    const scales = await reward.scaling!.scaleOn(scoredRows(samples));
    await writeScales(context, scales);
    for (const [name, scale] of Object.entries(scales))
      loop.event("note", iteration, scaleWords(name, scale), { name, scale });
  }
  const accuracy = await pairAccuracy(run);
  const pairs = accuracy === null ? null : { count: run.inputs.measuring.pairs.length, accuracy };
  const facts = await measureReward(reward, { rollout: samples, settings, pairs });
  const { explain } = context.config.doctor;
  for (const finding of rewardFindings({ reward: facts }))
    if (!Object.hasOwn(explain, finding.id)) tellFinding(run, iteration, finding);
  stopwatch.lap("examine");
}

function tellFinding({ loop }: Pick<OnlineRun, "loop">, iteration: number, finding: Finding): void {
  loop.event(finding.severity === "note" ? "note" : "warning", iteration, findingMessage(finding), { finding });
}

/** The first `rewardSamples` responses of the rollout, and as many more of the same policy as make `least`. */
async function samplesOf(
  run: OnlineRun,
  iteration: number,
  { rollout, settings, least }: { readonly rollout: Rollout; readonly settings: PpoConfig; readonly least: number },
): Promise<Rollout> {
  const first = firstOf(rollout, settings.rewardSamples);
  const missing = least - first.prompts.length;
  if (missing <= 0) return first;
  const { engine, context, models, loop, seed } = run;
  const { maxNewTokens, temperature, topK, topP } = settings;
  const more = await rollOut({
    ...{ engine, tokenizer: context.tokenizer, model: models.policy.id, maxNewTokens, temperature, topK, topP },
    prompts: run.drawPrompts(iteration, least).slice(-missing),
    seed: random(seed, "reward samples").uint32(),
    onProgress: () => loop.poll(),
  });
  return joined(first, more);
}
