/**
 * Faults injected on purpose. They surround a run, and its algorithm does not know about them: they wrap its engine, its reward, its prompts and its
 * settings. A fault's effect depends only on the iteration, so that a resumed run has the same.
 *
 * Two do not wrap the engine, although they could: a wrong rate and a wrong advantage must show in the records, as they would if the trainer itself
 * were at fault. Rates (and temperature and step size) are changed in the settings, advantages after they are computed.
 */
import type { Fault, FaultName } from "../config/fault-names.ts";
import type { Engine, ForwardOutput, LossRequest, ModelId } from "../engine/engine.ts";
import type { RewardPipeline, Scored, Scores } from "../reward/index.ts";
import type { PpoConfig } from "../settings/config-schema.ts";
import type { Gathered } from "../trainer/experience.ts";
import type { OnlineModels } from "../trainer/online-models.ts";
import type { OnlineRun } from "../trainer/online-run.ts";
import { random } from "../util/random.ts";

export interface FaultsOptions {
  readonly faults: readonly Fault[];
  readonly seed: number;
}

export type Injected = ReturnType<typeof injectFaults>;

/**
 * Wraps a run in faults.
 * @example injectFaults({ faults: [{ name: "lr-spike", from: 40 }], seed: 1 }).settings(40, settings).learningRate
 */
export function injectFaults({ faults, seed }: FaultsOptions) {
  const on = (name: FaultName, iteration: number) =>
    faults.some((fault) => fault.name === name && iteration >= fault.from);
  return {
    /** The names of the faults that begin in this iteration. */
    beginning: (iteration: number): FaultName[] =>
      faults.filter(({ from }) => from === iteration).map(({ name }) => name),

    /** Changes the settings: both rates, the sampling temperature, the sequences per step. */
    settings(iteration: number, settings: PpoConfig): PpoConfig {
      const { learningRate, criticLearningRate = 2 * learningRate, sequences } = settings;
      return {
        ...settings,
        ...(on("lr-spike", iteration) && {
          learningRate: 30 * learningRate,
          criticLearningRate: 30 * criticLearningRate,
        }),
        ...(on("temperature", iteration) && { temperature: 0.05 }),
        ...(on("few-sequences", iteration) && { minibatches: sequences / 8 }),
      };
    },

    /** The run of an iteration, with its faults. */
    around(run: OnlineRun, iteration: number): OnlineRun {
      if (!faults.some(({ from }) => iteration >= from)) return run;
      const { engine, models, reward, drawPrompts } = run;
      const wrong = (name: FaultName) => on(name, iteration);
      return {
        ...run,
        engine: faultyEngine(engine, models, wrong),
        reward: faultyReward(reward, wrong, () => random(seed, "fault", iteration)),
        drawPrompts: wrong("narrow-prompts")
          ? (at, count) => drawPrompts(at, count).map((_, __, [first]) => first!)
          : drawPrompts,
      };
    },

    /** Changes the advantages that the loss sees. */
    after(gathered: Gathered, iteration: number): Gathered {
      if (!on("advantages", iteration)) return gathered;
      const advantages = gathered.record.advantages.map((row) => row.map((x) => 100 * x));
      return { ...gathered, record: { ...gathered.record, advantages } };
    },
  };
}

type Wrong = (name: FaultName) => boolean;

/** An engine that answers for the wrong model, or drops or spoils a gradient. */
function faultyEngine(engine: Engine, { policy, reference }: OnlineModels, wrong: Wrong): Engine {
  // Replacements for the model that samples and gives the old log-probabilities, and for the reference.
  const instead = new Map<ModelId, ModelId>([
    ...(wrong("stale-rollouts") ? [[policy.id, reference] as const] : []),
    ...(wrong("reference-drift") ? [[reference, policy.id] as const] : []),
  ]);
  let spoiled = !wrong("nan-gradient");
  const lossOf = (loss: LossRequest): LossRequest => {
    if (loss.name === "value" && wrong("critic-frozen"))
      return { ...loss, weights: loss.weights.map((row) => row.map(() => 0)) };
    if (loss.name !== "policy" || spoiled) return loss;
    // Spoils the first advantage of the first minibatch.
    spoiled = true;
    const advantages = loss.advantages.map((row, b) => row.map((x, t) => (b + t === 0 ? Number.NaN : x)));
    return { ...loss, advantages };
  };
  return standIn(engine, {
    sample: (model, request, options) => engine.sample(instead.get(model) ?? model, request, options),
    forward: (model, request, options) => {
      // A critic on the policy's trunk is still itself.
      const asked = (request.outputs as readonly ForwardOutput[]).includes("values")
        ? model
        : (instead.get(model) ?? model);
      return engine.forward(asked, request, options);
    },
    forwardBackward: (model, loss, options) => engine.forwardBackward(model, lossOf(loss), options),
  });
}

/** The engine with some of its verbs replaced. */
function standIn(engine: Engine, verbs: Partial<Engine>): Engine {
  return new Proxy(engine, {
    get(target, name) {
      const verb = Reflect.get(verbs, name) ?? Reflect.get(target, name);
      return typeof verb === "function" ? verb.bind(target) : verb;
    },
  });
}

/** A reward that gives wrong scores to rollouts and to probes of its accuracy. */
function faultyReward(reward: RewardPipeline, wrong: Wrong, stream: () => ReturnType<typeof random>): RewardPipeline {
  const changes = rewardFaults.filter(([name]) => wrong(name));
  if (changes.length === 0) return reward;
  return {
    ...reward,
    async score(rows) {
      const scores = await reward.score(rows);
      const noise = stream();
      const score = changes.reduce(
        (list, [, change]) =>
          list.map((value, b) =>
            change({ score: value, row: rows[b]!, unsafe: tripped(scores, b), noise: () => noise.normal() }),
          ),
        scores.score,
      );
      // What a fault changes is a score, whatever its steps were.
      return { ...scores, score, steps: undefined };
    },
  };
}

interface ScoredResponse {
  readonly score: number;
  readonly row: Scored;
  readonly unsafe: boolean;
  /** The next standard normal number. */
  readonly noise: () => number;
}

const rewardFaults: readonly (readonly [FaultName, (response: ScoredResponse) => number])[] = [
  ["reward-noise", ({ score, noise }) => score + 3 * noise()],
  ["reward-flip", ({ score }) => -score],
  ["loophole", ({ score, row }) => score + row.response.split(".").length - 1],
  ["length-runaway", ({ score, row }) => score + row.tokens.length / 2],
  ["unsafe", ({ score, unsafe }) => score + (unsafe ? 4 : 0)],
];

function tripped({ safety }: Scores, b: number): boolean {
  return Object.values(safety).some((trips) => trips[b]);
}
