/**
 * PPO for language models, top to bottom: an iteration is one rollout and its update, in six phases.
 *
 * After Schulman et al. 2017 (PPO), Ziegler et al. 2019 (the KL to a reference), Stiennon et al. 2020 (a critic of its own)
 * and Huang et al. 2024 ("The N+ implementation details of RLHF with PPO"). Row numbers are those of PPO.md's table.
 */

import type { Rule } from "../control/rules/rule.ts";
import { stepIndices } from "../data/index.ts";
import { valueTerms } from "../objectives/clipped-value.ts";
import type { Penalty } from "../objectives/penalty-policy.ts";
import { learnedComponents, type RewardPipeline } from "../reward/index.ts";
import * as rl from "../rl/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import {
  type IterationRecord,
  type MinibatchRecord,
  nextHistory,
  type RolloutRecord,
  type RolloutView,
  rolloutSignals,
  stronglyNegativeShare,
  updateSignals,
} from "../signals/index.ts";
import type { Alert } from "../types/alerts.ts";
import type { MetricValues } from "../types/records.ts";
import { RewardError, RolledBack } from "../util/errors.ts";
import { random } from "../util/random.ts";
import type { Control } from "./controller.ts";
import { verdictsOf } from "./evaluate.ts";
import type { Faults } from "./faults.ts";
import { closeModels, type Kept, keepBefore, obey } from "./incident.ts";
import { checkStart } from "./invariants.ts";
import { nonfiniteCount, reportSkip, takeStep } from "./optimizer-step.ts";
import { tokenOutputs } from "./passes.ts";
import { closePenalty, openPenalty } from "./penalty.ts";
import type { PpoModels, PpoSources } from "./ppo-models.ts";
import { openPpo } from "./ppo-open.ts";
import { chooseSamples, settingsInForce } from "./ppo-record.ts";
import type { PpoState } from "./ppo-state.ts";
import { firstRatioDeviation, maskPolicy, minibatchOf, normOf, policyGradient, valueGradient } from "./ppo-step.ts";
import { measure } from "./probes.ts";
import type { Measuring } from "./probes-ask.ts";
import { measureNoise } from "./probes-noise.ts";
import { type Prompt, type Rollout, rollOut, scoredRows } from "./rollout.ts";
import type { StageResult } from "./run-types.ts";
import { followCritic } from "./slow-critic.ts";
import type { StageContext } from "./stage-context.ts";
import type { StageLoop } from "./stage-loop.ts";
import type { FrozenFolders } from "./stage-models.ts";
import { baseOf, layerFactors, settingsOf, steer, steeringSignals } from "./steering.ts";
import { observeTargets, targetMet } from "./stop.ts";
import { Stopwatch } from "./stopwatch.ts";

export interface PpoInputs {
  readonly settings: PpoConfig;
  readonly sources: PpoSources;
  /** What must stay as it is from start to end: the reference, reward models. */
  readonly frozen: FrozenFolders;
  /** Prompts to answer, encoded for the policy. */
  readonly prompts: readonly Prompt[];
  /** Opens the reward, given the models it may ask the engine for. Called once. */
  readonly openReward: (models: PpoModels) => Promise<RewardPipeline>;
  /** Of the stability controller. */
  readonly rules: readonly Rule[];
  readonly measuring: Measuring;
}

/** What the phases of an iteration share. */
export interface Ppo {
  readonly context: StageContext;
  readonly inputs: PpoInputs;
  readonly models: PpoModels;
  readonly reward: RewardPipeline;
  readonly loop: StageLoop<PpoConfig, PpoState>;
  readonly state: PpoState;
  readonly control: Control;
  /** Injected on purpose; none in most runs. */
  readonly faults: Faults;
  /** Of the random streams of this attempt. */
  readonly seed: number;
  readonly stopwatch: Stopwatch;
  /** Says what is going on. */
  readonly tell: (message: string) => void;
}

/** What phases 1 to 4 know of the rollout. */
export interface Experience {
  readonly rollout: Rollout;
  readonly record: RolloutRecord;
  /** That its rewards were made with. */
  readonly klCoef: number;
  /** What is known of it before the update. */
  readonly signals: MetricValues;
}

/** Trains the policy, from its newest checkpoint where the context says so. */
export async function trainPpo(context: StageContext, inputs: PpoInputs): Promise<StageResult> {
  const run = await openPpo(context, inputs);
  const { models, reward, loop, faults } = run;
  let before: Kept | null = null;
  try {
    const { iterations, stop: target } = inputs.settings;
    const met = () => targetMet(target.when, run.state.targets);
    let iteration = loop.first;
    for (; iteration < iterations && met() === null; iteration++) {
      await loop.begin(iteration);
      const stopwatch = await Stopwatch.start(context.engine);
      const tell = (message: string) => loop.progress(iteration, message);
      const ppo: Ppo = { ...run, reward: faults.reward(iteration, reward), context, inputs, stopwatch, tell };
      for (const name of faults.beginning(iteration))
        loop.event("fault", iteration, `injected: ${name}`, { fault: name });
      before = await keepBefore(ppo, before);
      let experience: Experience;
      try {
        experience = await gather(ppo, iteration);
      } catch (error) {
        return await loop.leave(iteration, error);
      }

      // The controller sees the rollout before anything reaches the weights. Where a person has let the run go on, the
      // iteration begins anew, with what they changed.
      const scored = run.control.afterScoring(iteration, experience.signals, baseOf(ppo, iteration));
      if (await obey(ppo, { orders: scored, iteration, experience, before, done: iteration })) {
        iteration--;
        continue;
      }
      const noise = await measureNoise(ppo, iteration, experience);
      const penalty = await openPenalty(ppo, iteration);
      const outcome = await update(ppo, iteration, { ...experience, penalty });
      await closePenalty(ppo, penalty);
      stopwatch.lap("update");
      const measured = { ...noise, ...(await measure(ppo, iteration)) };
      const values = await record(ppo, iteration, { ...experience, measured }, outcome);
      const { stop, ...updated } = run.control.afterUpdate(iteration, values, baseOf(ppo, iteration));
      run.state.targets = observeTargets(target.when, run.state.targets, values);
      await loop.end(iteration + 1, values);
      const orders = { ...updated, stop: outcome.stop ?? stop };
      await obey(ppo, { orders, iteration, experience, before, done: iteration + 1 });
    }
    const why = met();
    if (why !== null) loop.event("note", iteration, why);
    const result = await loop.finish({ model: models.policy.id, heads: ["lm"] }, { steps: iteration });
    await closeModels({ context, models }, before);
    return result;
  } catch (error) {
    // The run goes on in this process, with models that it opens anew.
    if (error instanceof RolledBack) await closeModels({ context, models }, before);
    throw error;
  } finally {
    await reward.close();
  }
}

/** Phases 1 to 4: nothing of them reaches the weights, so that a run may leave at any point. */
async function gather(ppo: Ppo, iteration: number): Promise<Experience> {
  const { context, inputs, models, reward, loop, control, faults, seed, stopwatch, tell } = ppo;
  const { engine, tokenizer, config } = context;
  const { prompts } = inputs;
  const settings = settingsOf(ppo, iteration);
  const { sequences, responsesPerPrompt, maxNewTokens, temperature, topK, topP, microBatch } = settings;
  const { klCoef } = control.inForce(iteration, baseOf(ppo, iteration));

  // 1. Roll out: responses from the policy as it is, over its whole distribution (row 1).
  const batchSize = sequences / responsesPerPrompt;
  const drawn = stepIndices({ rows: prompts.length, batchSize, seed: config.seed, step: iteration });
  const rows = faults.prompts(iteration, drawn);
  const sampler = faults.sampler(iteration, models);
  const rollout = await rollOut({
    engine,
    tokenizer,
    model: sampler,
    prompts: rows.flatMap((row) => Array.from({ length: responsesPerPrompt }, () => prompts[row]!)),
    maxNewTokens,
    temperature,
    topK,
    topP,
    seed: random(seed, "rollout", iteration).uint32(),
    onProgress: (done) => {
      loop.poll();
      tell(`sampling ${done}/${sequences}`);
    },
  });
  stopwatch.lap("rollout");

  // 2. Score each response as a whole. Learned scores come normalised (row 18).
  tell("scoring");
  const scored = await reward.score(scoredRows(rollout));
  if (!scored.score.every(Number.isFinite))
    throw new RewardError(scored.warnings.join("; "), "Look at the components of the reward, the learned ones first.");
  for (const warning of scored.warnings) loop.warnOnce("scores", iteration, warning);
  stopwatch.lap("score");

  // 3. Reference and value passes. The old log-probabilities come from the same graph, precision and temperature as the
  //    new ones will: the sampler's own would put the first ratio off 1 (row 1).
  tell("reference and value passes");
  const pass = { engine, sequences: rollout.sequences, temperature, microBatch, poll: () => loop.poll() };
  const ofPolicy = await tokenOutputs({ ...pass, model: sampler }, ["logprobs", "entropy"]);
  const reference = faults.reference(iteration, models);
  const ofReference = await tokenOutputs({ ...pass, model: reference }, ["logprobs"]);
  const ofCritic = await tokenOutputs({ ...pass, model: models.critic }, ["values"]);
  const { slowCritic } = models;
  const ofSlow = slowCritic === null ? null : await tokenOutputs({ ...pass, model: slowCritic }, ["values"]);
  const probes = prompts.filter(({ tokens }) => tokens.length > 1).slice(0, probeCount);
  const probeSequences = probes.map(({ tokens }) => ({ tokens, start: 1 }));
  const ofProbes = await tokenOutputs({ ...pass, model: reference, sequences: probeSequences }, ["logprobs"]);
  stopwatch.lap("passes");

  // 4. Rewards and advantages. The KL enters the reward (as k1) or the loss (as k2 or k3), never both (row 2); the score
  //    is clipped, then loses the penalty for a missing EOS, then stands at the last token (row 3).
  const { logprobs: logprobs_B_T } = ofPolicy;
  const { logprobs: refLogprobs_B_T } = ofReference;
  const { values: values_B_T } = ofCritic;
  const tokenRewards_B_T = rl.tokenRewards({
    logprobs: logprobs_B_T,
    refLogprobs: refLogprobs_B_T,
    scores: scored.score,
    endsWithEos: rollout.endsWithEos,
    klCoef: settings.kl.in === "reward" ? klCoef : 0,
    scoreClip: settings.scoreClip,
    missingEosPenalty: settings.missingEosPenalty,
  });
  const rewards_B_T = settings.whitenRewards ? rl.whitenRewards(tokenRewards_B_T) : tokenRewards_B_T;
  const { gamma, lambda } = settings;
  // Returns are the raw advantages + values: made before whitening (rows 4 and 5).
  // They come from the slow critic, where there is one; what the value loss is clipped around does not (row 20).
  const slowValues_B_T = ofSlow?.values ?? values_B_T;
  const estimates = rl.gae({ rewards: rewards_B_T, values: slowValues_B_T, gamma, lambda });
  // Whitened over all tokens of the rollout, never of a minibatch (row 6).
  const whitened_B_T = settings.whitenAdvantages ? rl.whiten(estimates.advantages).rows : estimates.advantages;
  const advantages_B_T = faults.advantages(iteration, whitened_B_T);
  stopwatch.lap("advantages");

  const record: RolloutRecord = {
    prompts: rollout.prompts.map(({ tokens }) => tokens),
    responses: rollout.responses_B_T,
    stopReasons: rollout.stopReasons,
    endsWithEos: rollout.endsWithEos,
    logprobs: logprobs_B_T,
    refLogprobs: refLogprobs_B_T,
    entropy: ofPolicy.entropy,
    values: values_B_T,
    returns: estimates.returns,
    rewards: rewards_B_T,
    advantagesRaw: estimates.advantages,
    advantages: advantages_B_T,
    scores: scored.score,
    components: scored.components,
    learned: learnedComponents(settings.rewards).flatMap(({ name }) => (name in scored.components ? [name] : [])),
    verdicts: verdictsOf(inputs.measuring.check, rollout),
    safety: scored.safety,
    probeRefLogprobs: ofProbes.logprobs,
  };
  if (iteration === 0) checkStart(record, { sameWeights: inputs.sources.reference === inputs.sources.policy });
  const outside = Object.entries(scored.outsideTraining).map(([name, share]) => [
    `reward/component/${name}_outside_training_share`,
    share,
  ]);
  const signals = rolloutSignals({ rollout: record, ...signalSettings(ppo, klCoef) });
  return {
    rollout,
    record,
    klCoef,
    signals: {
      ...signals,
      ...Object.fromEntries(outside),
      ...steeringSignals(ppo, iteration, signals),
      ...(ofSlow && { "value/slow_distance": rl.slowDistance(values_B_T, ofSlow.values) }),
    },
  };
}

interface Outcome {
  readonly minibatches: MinibatchRecord[];
  endedBy: IterationRecord["endedBy"];
  firstRatioDeviation: number;
  /** What the controller stopped the update for. */
  stop: Alert | null;
}

/** Phase 5: epochs over reshuffled minibatches, each one step of the policy and one of the critic. */
async function update(
  ppo: Ppo,
  iteration: number,
  { rollout, record, penalty }: Experience & { readonly penalty: Penalty | null },
): Promise<Outcome> {
  const { context, models, state, control, faults, seed, tell } = ppo;
  const { engine } = context;
  const settings = settingsOf(ppo, iteration);
  const { epochs, minibatches, sequences: B, stopEpochsAtKl } = settings;
  const base = baseOf(ppo, iteration);
  const { policyRate, criticRate, valueUpdates, ...inForce } = control.inForce(iteration, base);
  const factors = layerFactors(ppo);
  const outcome: Outcome = { minibatches: [], endedBy: undefined, firstRatioDeviation: Number.NaN, stop: null };
  const drop = async () => {
    await engine.zeroGrad(models.policy.id);
    if (!models.shared) await engine.zeroGrad(models.critic);
  };

  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = random(seed, "minibatches", iteration, epoch).shuffle(Array.from({ length: B }, (_, b) => b));
    for (let m = 0; m < minibatches; m++) {
      const step = epoch * minibatches + m;
      tell(`update ${step + 1}/${epochs * minibatches}`);
      const rows = order.slice((m * B) / minibatches, ((m + 1) * B) / minibatches);
      const { vocabularySize } = models.policy.config;
      const drawn = minibatchOf({ sequences: rollout.sequences, record }, rows, { ...settings, vocabularySize });
      const minibatch = faults.minibatch(iteration, step, drawn);
      const policy = await policyGradient({ engine, models, minibatch, settings, penalty, ...inForce });
      const { statistics } = policy;
      // Nothing has been learned yet from this rollout at its first step: every ratio is 1 (row 21).
      if (step === 0) outcome.firstRatioDeviation = firstRatioDeviation(minibatch, policy.logprobs, inForce);

      // The policy has moved far enough: no step more on this rollout (row 13; Spinning Up stops here too).
      if (stopEpochsAtKl !== null && statistics.approxKlMean > stopEpochsAtKl) {
        await drop();
        outcome.endedBy = { epoch, statistics };
        return outcome;
      }
      const valueOptions = { engine, models, minibatch, settings, frozen: faults.criticFrozen(iteration) };
      const critic = await valueGradient(valueOptions);

      // The controller sees the step before the weights do.
      const nonfinite = nonfiniteCount([...policy.passes, ...critic.passes]);
      state.skippedInARow = nonfinite > 0 ? state.skippedInARow + 1 : 0;
      const signals: MetricValues = {
        "step/approx_kl": statistics.approxKlMean,
        "step/strongly_negative_share": stronglyNegativeShare(minibatch.advantages),
        "step/nonfinite": nonfinite,
        "step/nonfinite_in_a_row": state.skippedInARow,
        ...(step === 0 && { "step/first_ratio_deviation": outcome.firstRatioDeviation }),
      };
      const orders = control.beforeStep(iteration, step, signals, base);
      outcome.stop = orders.stop ?? orders.end;
      const { logprobs } = policy;
      const content = { ...minibatch, logprobs, values: critic.values };
      if (nonfinite > 0) reportSkip(context, { iteration, step, inARow: state.skippedInARow, content });
      if (outcome.stop !== null || orders.endEpochs) {
        await drop();
        if (orders.endEpochs) outcome.endedBy = { epoch, statistics };
        return outcome;
      }
      if (orders.skip) await drop();
      else if (orders.mask) await maskPolicy(ppo, minibatch);
      const masked = orders.mask && !orders.skip;

      // Clip to the global norm and step (rows 15 and 16); with a shared trunk the two gradients are one.
      const trunk = models.shared ? [...policy.passes, ...critic.passes] : policy.passes;
      const policyOptions = { settings, learningRate: policyRate, rateFactors: factors.policy };
      const policyStep =
        orders.skip || (masked && !models.shared)
          ? null
          : await takeStep(engine, models.policy.id, { ...policyOptions, passes: trunk });
      const criticOptions = { settings, learningRate: criticRate, rateFactors: factors.critic };
      const criticStep =
        orders.skip || models.shared
          ? null
          : await takeStep(engine, models.critic, { ...criticOptions, passes: critic.passes });
      await followCritic(ppo, models.shared ? policyStep : criticStep);
      // More passes of a critic that lags, over the same minibatch.
      for (let extra = 1; extra < valueUpdates && criticStep !== null; extra++) {
        const { passes } = await valueGradient(valueOptions);
        await followCritic(ppo, await takeStep(engine, models.critic, { ...criticOptions, passes }));
      }
      const { oldValues, returns } = minibatch;
      const { clipped } = valueTerms({ values: critic.values, oldValues, returns, valueClip: settings.valueClip });
      outcome.minibatches.push({
        epoch,
        statistics,
        policyLoss: rl.sum(policy.passes.map(({ loss }) => loss)),
        valueLoss: critic.loss,
        valueClipFraction: rl.mean(clipped.flat().map(Number)),
        policyGradNorm: normOf(policyStep, policy.passes),
        criticGradNorm: models.shared ? null : normOf(criticStep, critic.passes),
        skipped: orders.skip || policyStep?.skipped === true || criticStep?.skipped === true,
        policyLayers: policyStep?.layers,
        criticLayers: criticStep?.layers,
        masked,
      });
    }
  }
  return outcome;
}

/** Phase 6: the iteration's signals, settings, times and samples; then controllers and schedules follow them. */
async function record(
  ppo: Ppo,
  iteration: number,
  experience: Experience & { readonly measured: MetricValues },
  outcome: Outcome,
): Promise<MetricValues> {
  const { context, models, loop, state, control, stopwatch } = ppo;
  const { recorder, tokenizer, config } = context;
  const settings = settingsOf(ppo, iteration);
  const { rollout, klCoef } = experience;
  const { firstRatioDeviation } = outcome;
  const { policyRate, criticRate, clipLow, clipHigh, valueUpdates } = control.inForce(
    iteration,
    baseOf(ppo, iteration),
  );

  const signals: MetricValues = {
    ...experience.signals,
    ...updateSignals({
      rollout: experience.record,
      minibatches: outcome.minibatches,
      endedBy: outcome.endedBy,
      firstRatioDeviation,
      ...signalSettings(ppo, klCoef),
    }),
  };
  state.history = nextHistory(state.history, signals);
  const sampledTokens = rl.sum(rollout.responses_B_T.map((tokens) => tokens.length));
  const rates = { policyRate, criticRate: models.shared ? null : criticRate };
  const values: MetricValues = {
    ...signals,
    ...control.health(iteration, { ...signals, ...experience.measured }),
    ...experience.measured,
    ...settingsInForce({ ...settings, clipLow, clipHigh }, { ...rates, valueUpdates }),
    ...control.multipliers(iteration),
    ...(await stopwatch.values()),
    "time/sampled_tokens_per_s": sampledTokens / stopwatch.secondsOf("rollout"),
    "time/control_s": control.seconds,
  };
  control.seconds = 0;
  recorder.metrics("ppo", iteration, values);
  const { storedSamples: count } = settings;
  recorder.samples(
    "ppo",
    iteration,
    chooseSamples({ rollout, record: experience.record, tokenizer, count, seed: config.seed, iteration }),
  );
  if (iteration === 0 && outcome.stop === null) {
    const klToReference = signals["kl/ref_k1_token"];
    const message = `before anything was learned: the first ratio was 1 within ${firstRatioDeviation}, the KL to the reference ${klToReference} nats a token, everything finite`;
    loop.event("invariant", 0, message, { firstRatioDeviation, klToReference });
  }

  steer(ppo, iteration, signals);
  return values;
}

/** What the signals need to know of the settings. */
function signalSettings({ loop, state }: Ppo, klCoef: number): Pick<RolloutView, "settings" | "history"> {
  const { kl, scoreClip, missingEosPenalty, maxGradNorm } = loop.settings;
  return { settings: { klIn: kl.in, klCoef, scoreClip, missingEosPenalty, maxGradNorm }, history: state.history };
}

/** Prompts on which the reference's log-probabilities are watched: they must never change. */
const probeCount = 4;
