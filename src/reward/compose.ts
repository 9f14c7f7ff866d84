/** The reward of a run: a weighted sum of components, each recorded by name. */

import type { Engine } from "../engine/engine.ts";
import type { RewardComponentConfig } from "../settings/config-schema.ts";
import { RewardError } from "../util/errors.ts";
import { hashFunction } from "./function-hash.ts";
import type { FunctionInput } from "./function-protocol.ts";
import { checkSteps, FunctionRunner, scoreOf } from "./function-runner.ts";
import { type FunctionScales, functionScale, scaled } from "./function-scale.ts";
import { type Baseline, comparisonScores, type LearnedModel, type LearnedScores, learnedScores } from "./learned.ts";
import type { RewardStep, Scored, Scores } from "./reward-types.ts";
import { exact, lastNumber, length, pattern, repetition } from "./rule-rewards.ts";
import { createSafetyFilter, type SafetyOptions } from "./safety.ts";

export interface RewardOptions {
  readonly components: readonly RewardComponentConfig[];
  readonly safety?: SafetyOptions;
  readonly engine: Engine;
  /** The models for `learnedComponents`, by component name. */
  readonly models?: Readonly<Record<string, LearnedModel>>;
  /** The source of baseline responses; required by `comparison`. */
  readonly baseline?: Baseline;
  /** Sequences in one pass of the engine; 0, the default, lets the reward choose. */
  readonly microBatch?: number;
  /** Scales of functions that were set earlier; null if none were. */
  readonly scales?: FunctionScales | null;
  /** Needed by `caller`: what the program that runs this run gave the responses. */
  readonly handed?: (rows: readonly Scored[]) => number[];
}

export interface RewardPipeline {
  /** Loads the user's functions, so that load failures appear before training. Errors: RewardError. */
  ready(): Promise<void>;
  /** Scores responses. Errors: RewardError if a reference is missing or a user's function fails. */
  score(rows: readonly Scored[]): Promise<Scores>;
  /** SHA-256 of the users' functions by component name; empty if there are none. */
  readonly hash: string;
  /** The scales of functions that are normalised; absent if there are none. */
  readonly scaling?: Scaling;
  close(): Promise<void>;
}

export interface Scaling {
  /** null until they are set: scores are raw until then. */
  readonly scales: FunctionScales | null;
  /** Sets each function's scale from its raw scores of these responses, for good. */
  scaleOn(rows: readonly Scored[]): Promise<FunctionScales>;
  /** Drops scales that were read: they are those of other functions. */
  forget(): void;
}

/** The name under which a component is recorded. */
function componentName({ name, kind }: Pick<RewardComponentConfig, "name" | "kind">): string {
  return name ?? kind;
}

/** The components that need a reward model in the engine, each with its folder if that is not the pipeline's own. */
export function learnedComponents(
  components: readonly RewardComponentConfig[],
): { name: string; path: string | undefined }[] {
  return components.flatMap((component) =>
    component.kind === "model" || component.kind === "comparison"
      ? [{ name: componentName(component), path: component.path }]
      : [],
  );
}

type Component = (rows: readonly Scored[]) => Promise<LearnedScores>;

/** Scores are one number a sequence, cheap to hold: large passes, few of which have a single sequence, whose last bits differ. */
const autoMicroBatch = 64;

/**
 * Composes the reward from its components.
 * @example
 * const reward = createReward({ components: [{ kind: "length", weight: 1, min: 0, max: 20, slack: 5 }], engine });
 * const { score } = await reward.score(rows);
 */
export function createReward({
  components,
  safety,
  engine,
  models = {},
  baseline,
  microBatch: wanted = 0,
  scales: earlier = null,
  handed,
}: RewardOptions): RewardPipeline {
  const microBatch = wanted || autoMicroBatch;
  const filter = createSafetyFilter(safety);
  const runners: FunctionRunner[] = [];
  const hashes: string[] = [];
  const raw = new Map<string, (rows: readonly Scored[]) => Promise<number[]>>();
  let scales = earlier;

  const componentOf = (config: RewardComponentConfig): Component => {
    const name = componentName(config);
    const rule =
      (score: (row: Scored) => number): Component =>
      async (rows) => ({ scores: rows.map(score), outsideTraining: Number.NaN });
    const learned = (): LearnedModel => {
      const model = models[name];
      if (!model)
        throw new RewardError(`the component ${name} has no reward model`, "Give its path, or a section reward.");
      return model;
    };
    switch (config.kind) {
      case "exact":
        return rule(exact);
      case "last_number":
        return rule((row) => lastNumber(row, config));
      case "pattern":
        return rule((row) => pattern(row, config));
      case "length":
        return rule((row) => length(row, config));
      case "repetition":
        return rule((row) => repetition(row, config));
      case "safety":
        return rule(({ response }) => (Object.values(filter.trips(response)).some(Boolean) ? -1 : 0));
      case "model": {
        const model = learned();
        return (rows) => learnedScores(rows, { engine, learned: model, microBatch });
      }
      case "comparison": {
        const model = learned();
        if (!baseline) throw new RewardError(`the component ${name} has no reference policy to compare with`);
        return (rows) => comparisonScores(rows, { engine, learned: model, baseline, microBatch });
      }
      case "caller": {
        if (!handed) throw new RewardError(`the scores of ${name} come from a program`, "Run that program again.");
        return async (rows) => ({ scores: handed(rows), outsideTraining: Number.NaN });
      }
      case "function": {
        const runner = new FunctionRunner(config);
        runners.push(runner);
        hashes.push(`${name}=${hashFunction(config.path)}`);
        const answersOf = async (rows: readonly Scored[]) => {
          const answers = await runner.steps(rows.map(inputOf));
          if (config.normalise) checkSteps(config.path, answers);
          return answers;
        };
        if (config.normalise) raw.set(name, async (rows) => (await answersOf(rows)).map(scoreOf));
        return async (rows) => {
          const answers = await answersOf(rows);
          const stepped = answers.some((answer) => typeof answer !== "number");
          return {
            scores: answers.map((answer) => scaled(scoreOf(answer), scales?.[name])),
            outsideTraining: Number.NaN,
            ...(stepped && { steps: answers.map((answer) => (typeof answer === "number" ? [] : answer.steps)) }),
          };
        };
      }
    }
  };
  const parts = components.map((config) => ({
    name: componentName(config),
    weight: config.weight,
    component: componentOf(config),
  }));

  const scaling: Scaling = {
    get scales() {
      return scales;
    },
    async scaleOn(rows) {
      const found = [...raw].map(async ([name, scoresOf]) => [name, functionScale(await scoresOf(rows))] as const);
      scales = Object.fromEntries(await Promise.all(found));
      return scales;
    },
    forget() {
      scales = null;
    },
  };
  return {
    hash: hashes.join(" "),
    ...(raw.size > 0 && { scaling }),
    async ready() {
      await Promise.all(runners.map((runner) => runner.ready()));
    },
    async score(rows) {
      const results = await Promise.all(parts.map(({ component }) => component(rows)));
      const trips = rows.map(({ response }) => filter.trips(response));
      const named = <T>(values: (result: LearnedScores, i: number) => T): Record<string, T> =>
        Object.fromEntries(parts.map(({ name }, i) => [name, values(results[i]!, i)]));
      const score = rows.map((_, row) => weightedSum(parts.map(({ weight }, i) => [weight, results[i]!.scores[row]!])));
      return {
        score,
        components: named(({ scores }) => scores),
        safety: Object.fromEntries(
          filter.categories.map((category) => [category, trips.map((trip) => trip[category]!)]),
        ),
        outsideTraining: Object.fromEntries(
          Object.entries(named(({ outsideTraining }) => outsideTraining)).filter(([, share]) => !Number.isNaN(share)),
        ),
        ...(results.some(({ steps }) => steps) && { steps: rows.map((_, row) => weightedSteps(parts, results, row)) }),
        warnings: warningsFor(score),
      };
    },
    async close() {
      await Promise.all(runners.map((runner) => runner.close()));
    },
  };
}

/** The weighted sum. A component with weight 0 is only watched: it is left out whatever its value, NaN included. */
function weightedSum(terms: readonly (readonly [number, number])[]): number {
  return terms.reduce((sum, [weight, value]) => (weight === 0 ? sum : sum + weight * value), 0);
}

/** The steps of one response, of all components, each with its weight. */
function weightedSteps(
  parts: readonly { readonly weight: number }[],
  results: readonly LearnedScores[],
  row: number,
): RewardStep[] {
  return parts.flatMap(({ weight }, i) =>
    weight === 0 ? [] : (results[i]!.steps?.[row] ?? []).map(({ end, reward }) => ({ end, reward: weight * reward })),
  );
}

function warningsFor(score: readonly number[]): string[] {
  const bad = score.filter((value) => !Number.isFinite(value)).length;
  if (bad > 0) return [`${bad} of ${score.length} scores are not finite`];
  if (score.length < 2 || score.some((value) => value !== score[0])) return [];
  return [
    `all ${score.length} scores are equal (${score[0]}): PPO cannot tell one response from another; look at the samples and the reward`,
  ];
}

/** A column never hides an argument of the function with the same name. */
export function inputOf({
  prompt,
  response,
  reference,
  messages,
  columns = {},
}: Pick<Scored, "prompt" | "response" | "reference" | "messages" | "columns">): FunctionInput {
  const structured = typeof columns.reference === "object" ? columns.reference : null;
  return {
    ...columns,
    row: columns,
    prompt,
    response,
    reference: reference ?? structured,
    messages: messages.map(({ role, content }) => ({ role, content })),
  };
}
