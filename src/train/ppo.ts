/**
 * PPO for language models, top to bottom: an iteration is one rollout and its update, in six phases.
 *
 * After Schulman et al. 2017 (PPO), Ziegler et al. 2019 (the KL to a reference), Stiennon et al. 2020 (a critic of its own)
 * and Huang et al. 2024 ("The N+ implementation details of RLHF with PPO"). Row numbers are those of PPO.md's table.
 */
import type { PpoConfig } from "../config/schema.ts";
import { stepIndices } from "../data/index.ts";
import type { RewardPipeline, Scores } from "../reward/index.ts";
import * as rl from "../rl/index.ts";
import type { MetricValues } from "../types/records.ts";
import { RewardError, type TrainingError } from "../util/errors.ts";
import { random } from "../util/random.ts";
import type { StageContext } from "./context.ts";
import { checkFirstRatio, checkStart } from "./invariants.ts";
import { findCheckpoint, StageLoop } from "./loop.ts";
import { accumulate, inOrder, microBatches, take } from "./microbatches.ts";
import { checkFingerprints, type FrozenFolders, fingerprints } from "./models.ts";
import { reportSkip, takeStep } from "./optimize.ts";
import { tokenOutputs } from "./passes.ts";
import { openPpoModels, type PpoModels, type PpoSources } from "./ppo-models.ts";
import { chooseSamples, settingsInForce } from "./ppo-record.ts";
import { checkRewardHash, firstState, type PpoState } from "./ppo-state.ts";
import { type Prompt, type Rollout, rollOut, scoredRows } from "./rollout.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { StageResult } from "./types.ts";

export interface PpoInputs {
  readonly settings: PpoConfig;
  readonly sources: PpoSources;
  /** What must stay as it is from start to end: the reference, reward models. */
  readonly frozen: FrozenFolders;
  /** Prompts to answer, encoded for the policy. */
  readonly prompts: readonly Prompt[];
  /** Opens the reward, given the models it may ask the engine for. Called once. */
  readonly openReward: (models: PpoModels) => Promise<RewardPipeline>;
}

/** What the phases of an iteration share. */
interface Ppo {
  readonly context: StageContext;
  readonly inputs: PpoInputs;
  readonly models: PpoModels;
  readonly reward: RewardPipeline;
  readonly loop: StageLoop<PpoConfig, PpoState>;
  readonly state: PpoState;
  readonly stopwatch: Stopwatch;
  /** Says what is going on. */
  readonly tell: (message: string) => void;
}

/** What phases 1 to 4 know of the rollout. */
interface Experience {
  readonly rollout: Rollout;
  readonly record: rl.RolloutRecord;
  readonly outsideTraining: Scores["outsideTraining"];
}

/** Trains the policy, from its newest checkpoint where the context says so. */
export async function trainPpo(context: StageContext, inputs: PpoInputs): Promise<StageResult> {
  const { settings, sources, frozen } = inputs;
  const checkpoint = await findCheckpoint<PpoState>(context);
  const frozenNow = await fingerprints(frozen);
  if (checkpoint) checkFingerprints(frozen, { saved: checkpoint.state.own.frozen, found: frozenNow });
  const models = await openPpoModels(context, { sources, settings, checkpoint: checkpoint?.folder ?? null });
  const reward = await inputs.openReward(models);
  try {
    await reward.ready();
    if (checkpoint) checkRewardHash({ saved: checkpoint.state.own.rewardHash, found: reward.hash, settings });
    const state = checkpoint?.state.own ?? firstState(settings);
    Object.assign(state, { frozen: frozenNow, rewardHash: reward.hash });
    const saved = { policy: models.policy.id, ...(models.shared ? {} : { critic: models.critic }) };
    const loop = new StageLoop<PpoConfig, PpoState>(context, {
      settings,
      steps: settings.iterations,
      unit: "iteration",
      checkpoint,
      snapshot: () => ({ own: state, models: saved }),
      inForce: (key) => (key === "ppo.kl.coef" ? state.klCoef : undefined),
      onChange: ({ key, value }) => {
        if (key === "ppo.kl.coef") state.klCoef = value as number;
      },
    });
    if (inputs.prompts.length === 1)
      loop.warnOnce(
        "prompts",
        loop.first,
        "there is a single prompt: the policy learns to answer that one, and nothing else",
      );

    for (let iteration = loop.first; iteration < settings.iterations; iteration++) {
      await loop.begin(iteration);
      const stopwatch = await Stopwatch.start(context.engine);
      const tell = (message: string) => loop.progress(iteration, message);
      const ppo: Ppo = { context, inputs, models, reward, loop, state, stopwatch, tell };
      let experience: Experience;
      try {
        experience = await gather(ppo, iteration);
      } catch (error) {
        return await loop.leave(iteration, error);
      }
      const outcome = await update(ppo, iteration, experience);
      stopwatch.lap("update");
      await loop.end(iteration + 1, await record(ppo, iteration, experience, outcome));
      if (outcome.failure) await loop.save(iteration + 1);
      if (outcome.failure) throw outcome.failure;
    }
    const result = await loop.finish({ model: models.policy.id, heads: ["lm"] });
    const ids = new Set([models.policy.id, models.reference, models.critic]);
    for (const id of ids) await context.engine.disposeModel(id);
    return result;
  } finally {
    await reward.close();
  }
}

/** Phases 1 to 4: nothing of them reaches the weights, so that a run may leave at any point. */
async function gather(ppo: Ppo, iteration: number): Promise<Experience> {
  const { context, inputs, models, reward, loop, state, stopwatch, tell } = ppo;
  const { engine, tokenizer, config } = context;
  const { prompts } = inputs;
  const { settings } = loop;
  const { sequences, responsesPerPrompt, maxNewTokens, temperature, topK, topP, microBatch } = settings;
  const { seed } = config;

  // 1. Roll out: responses from the policy as it is, over its whole distribution (row 1).
  const batchSize = sequences / responsesPerPrompt;
  const rows = stepIndices({ rows: prompts.length, batchSize, seed, step: iteration });
  const rollout = await rollOut({
    engine,
    tokenizer,
    model: models.policy.id,
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
  const ofPolicy = await tokenOutputs({ ...pass, model: models.policy.id }, ["logprobs", "entropy"]);
  const ofReference = await tokenOutputs({ ...pass, model: models.reference }, ["logprobs"]);
  const ofCritic = await tokenOutputs({ ...pass, model: models.critic }, ["values"]);
  const probes = prompts.filter(({ tokens }) => tokens.length > 1).slice(0, probeCount);
  const probeSequences = probes.map(({ tokens }) => ({ tokens, start: 1 }));
  const ofProbes = await tokenOutputs({ ...pass, model: models.reference, sequences: probeSequences }, ["logprobs"]);
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
    klCoef: settings.kl.in === "reward" ? state.klCoef : 0,
    scoreClip: settings.scoreClip,
    missingEosPenalty: settings.missingEosPenalty,
  });
  const rewards_B_T = settings.whitenRewards ? rl.whitenRewards(tokenRewards_B_T) : tokenRewards_B_T;
  const { gamma, lambda } = settings;
  // Returns are the raw advantages + values: made before whitening (rows 4 and 5).
  const estimates = rl.gae({ rewards: rewards_B_T, values: values_B_T, gamma, lambda });
  // Whitened over all tokens of the rollout, never of a minibatch (row 6).
  const advantages_B_T = settings.whitenAdvantages ? rl.whiten(estimates.advantages).rows : estimates.advantages;
  stopwatch.lap("advantages");

  const record: rl.RolloutRecord = {
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
    safety: scored.safety,
    probeRefLogprobs: ofProbes.logprobs,
  };
  if (iteration === 0) checkStart(record, { sameWeights: inputs.sources.reference === inputs.sources.policy });
  return { rollout, record, outsideTraining: scored.outsideTraining };
}

interface Outcome {
  readonly minibatches: rl.MinibatchRecord[];
  endedBy: rl.IterationRecord["endedBy"];
  firstRatioDeviation: number;
  policyRate: number;
  criticRate: number;
  /** Why the run cannot go on; the weights are sound. */
  failure: TrainingError | null;
}

/** Phase 5: epochs over reshuffled minibatches, each one step of the policy and one of the critic. */
async function update(ppo: Ppo, iteration: number, { rollout, record }: Experience): Promise<Outcome> {
  const { context, models, loop, state, tell } = ppo;
  const { engine } = context;
  const { settings } = loop;
  const { seed } = context.config;
  const { epochs, minibatches, sequences: B, aggregation, microBatch, temperature } = settings;
  const { clipLow, clipHigh, dualClip, valueClip, entropyCoef, stopEpochsAtKl } = settings;
  const clip = { clipLow, clipHigh, dualClip };
  const kl = settings.kl.in === "loss" ? { coef: state.klCoef, estimator: settings.kl.estimator } : null;
  // With a trunk of its own the critic has an optimizer of its own, in which Adam cancels a coefficient (row 10).
  const valueCoef = models.shared ? (settings.valueCoef ?? 1) : 1;
  const outcome: Outcome = {
    minibatches: [],
    endedBy: undefined,
    firstRatioDeviation: Number.NaN,
    policyRate: rateAt(settings.learningRate),
    criticRate: rateAt(settings.criticLearningRate ?? 2 * settings.learningRate),
    failure: null,
  };

  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = random(seed, "minibatches", iteration, epoch).shuffle(Array.from({ length: B }, (_, b) => b));
    for (let m = 0; m < minibatches; m++) {
      const step = epoch * minibatches + m;
      tell(`update ${step + 1}/${epochs * minibatches}`);
      const minibatch = order.slice((m * B) / minibatches, ((m + 1) * B) / minibatches);
      const of = <T>(rows: readonly T[]) => take(rows, minibatch);
      const sequences = of(rollout.sequences);
      const oldLogprobs = of(record.logprobs);
      const refLogprobs = of(record.refLogprobs);
      const advantages = of(record.advantages);
      const oldValues = of(record.values);
      const returns = of(record.returns);
      // Weights of the mean over the whole step: micro-batches of sums add up to it exactly (row 12).
      const weights = rl.tokenWeights({ lengths: oldLogprobs.map((row) => row.length), aggregation });
      const parts = microBatches(
        sequences.map(({ tokens }) => tokens.length),
        microBatch,
      );

      // The policy's gradient: PPO-clip, the entropy bonus and, where it is not in the reward, the KL (rows 7, 8, 11).
      const policyPasses = await accumulate(parts, (part) =>
        engine.forwardBackward(models.policy.id, {
          name: "policy",
          sequences: take(sequences, part),
          weights: take(weights, part),
          oldLogprobs: take(oldLogprobs, part),
          advantages: take(advantages, part),
          ...(kl && { refLogprobs: take(refLogprobs, part) }),
          config: { ...clip, entropyCoef, kl, temperature },
        }),
      );
      const logprobs = inOrder(parts, policyPasses, "logprobs");
      if (step === 0) {
        // Nothing has been learned from this rollout yet: every ratio is 1 (row 21).
        const first = <T>(rows: readonly T[]) => take(rows, parts[0]!);
        outcome.firstRatioDeviation = rl.updateStatistics({
          logprobs: first(logprobs),
          oldLogprobs: first(oldLogprobs),
          advantages: first(advantages),
          ...clip,
        }).ratioMaxDeviation;
        outcome.failure = checkFirstRatio(outcome.firstRatioDeviation);
        if (outcome.failure) return outcome;
      }

      // The policy has moved far enough: no step more on this rollout (row 13; Spinning Up stops here too).
      const statistics = rl.updateStatistics({ logprobs, oldLogprobs, advantages, ...clip });
      if (stopEpochsAtKl !== null && statistics.approxKlMean > stopEpochsAtKl) {
        await engine.zeroGrad(models.policy.id);
        outcome.endedBy = { epoch, statistics };
        return outcome;
      }

      // The critic's gradient: the clipped value loss, around the values at rollout (row 10).
      const valuePasses = await accumulate(parts, (part) =>
        engine.forwardBackward(models.critic, {
          name: "value",
          sequences: take(sequences, part),
          weights: take(weights, part).map((row) => row.map((weight) => weight * valueCoef)),
          returns: take(returns, part),
          oldValues: take(oldValues, part),
          config: { valueClip },
        }),
      );
      const values = inOrder(parts, valuePasses, "values");

      // Clip to the global norm and step (rows 15 and 16); with a shared trunk the two gradients are one.
      const { policyRate, criticRate } = outcome;
      const policyStep = await takeStep(engine, models.policy.id, {
        settings,
        learningRate: policyRate,
        passes: models.shared ? [...policyPasses, ...valuePasses] : policyPasses,
      });
      const criticStep = models.shared
        ? null
        : await takeStep(engine, models.critic, { settings, learningRate: criticRate, passes: valuePasses });
      const skipped = policyStep.skipped || criticStep?.skipped === true;
      const clippedValues = rl.valueTerms({ values, oldValues, returns, valueClip }).clipped.flat();
      outcome.minibatches.push({
        epoch,
        statistics,
        policyLoss: rl.sum(policyPasses.map(({ loss }) => loss)),
        valueLoss: rl.sum(valuePasses.map(({ loss }) => loss)) / valueCoef,
        valueClipFraction: rl.mean(clippedValues.map(Number)),
        policyGradNorm: policyStep.gradNorm,
        criticGradNorm: criticStep?.gradNorm ?? null,
        skipped,
      });
      state.skippedInARow = skipped ? state.skippedInARow + 1 : 0;
      if (!skipped) continue;
      const content = {
        sequences,
        weights,
        oldLogprobs,
        logprobs,
        refLogprobs,
        advantages,
        oldValues,
        values,
        returns,
      };
      outcome.failure = reportSkip(context, { iteration, step, inARow: state.skippedInARow, content });
      if (outcome.failure) return outcome;
    }
  }
  return outcome;

  function rateAt(base: number): number {
    const { schedule, warmup, iterations } = settings;
    return rl.learningRateAt({ base, schedule, warmup, step: iteration, steps: iterations });
  }
}

/** Phase 6: the iteration's signals, settings, times and samples; then the KL coefficient follows its controller. */
async function record(ppo: Ppo, iteration: number, experience: Experience, outcome: Outcome): Promise<MetricValues> {
  const { context, models, loop, state, stopwatch } = ppo;
  const { recorder, tokenizer, config } = context;
  const { settings } = loop;
  const { rollout, outsideTraining } = experience;
  const { policyRate, criticRate, firstRatioDeviation } = outcome;
  const { scoreClip, missingEosPenalty, maxGradNorm } = settings;
  const { klCoef } = state;

  const signals = rl.iterationSignals({
    rollout: experience.record,
    minibatches: outcome.minibatches,
    endedBy: outcome.endedBy,
    firstRatioDeviation,
    settings: { klIn: settings.kl.in, klCoef, scoreClip, missingEosPenalty, maxGradNorm },
    history: state.history,
  });
  state.history = rl.nextHistory(state.history, signals);
  const sampledTokens = rl.sum(rollout.responses_B_T.map((tokens) => tokens.length));
  const values: MetricValues = {
    ...signals,
    ...Object.fromEntries(
      Object.entries(outsideTraining).map(([name, share]) => [
        `reward/component/${name}_outside_training_share`,
        share,
      ]),
    ),
    ...settingsInForce(settings, { policyRate, criticRate: models.shared ? null : criticRate }),
    ...(await stopwatch.values()),
    "time/sampled_tokens_per_s": sampledTokens / stopwatch.secondsOf("rollout"),
  };
  recorder.metrics("ppo", iteration, values);
  const { storedSamples: count } = settings;
  recorder.samples(
    "ppo",
    iteration,
    chooseSamples({ rollout, record: experience.record, tokenizer, count, seed: config.seed, iteration }),
  );
  if (iteration === 0 && outcome.failure === null) {
    const klToReference = signals["kl/ref_k1_token"];
    const message = `before anything was learned: the first ratio was 1 within ${firstRatioDeviation}, the KL to the reference ${klToReference} nats a token, everything finite`;
    loop.event("invariant", 0, message, { firstRatioDeviation, klToReference });
  }

  const { controller, target, targetUnit, horizon } = settings.kl;
  if (controller === "ziegler" && target !== undefined) {
    // Row 9: the horizon is by default a tenth of the run's sequences.
    state.klCoef = rl.zieglerStep({
      coef: klCoef,
      kl: signals[`kl/ref_k1_${targetUnit}`]!,
      target,
      sequences: settings.sequences,
      horizon: horizon ?? (settings.iterations * settings.sequences) / 10,
    });
    const change = { key: "ppo.kl.coef", before: klCoef, value: state.klCoef, cause: "controller" } as const;
    if (state.klCoef !== klCoef) loop.setting({ iteration: iteration + 1, ...change });
  }
  return values;
}

/** Prompts on which the reference's log-probabilities are watched: they must never change. */
const probeCount = 4;
