/** A longer or shorter run: which lengths a resume may change, and what else depends on a run's length. */
import { learningRateAt } from "../rl/index.ts";
import { type Config, configSchema, type EngineKind } from "../settings/config-schema.ts";
import { expectation, schemaAt } from "../settings/schema-fields.ts";
import { type Stage, stages } from "../types/records.ts";
import { UsageError } from "../util/errors.ts";
import { checkConfig } from "./checks.ts";
import { withSetting } from "./live-changes.ts";
import { parseOverride } from "./overrides.ts";

/** The settings that determine the length of each stage. */
export const lengthKeys: Readonly<Record<Stage, string>> = {
  sft: "sft.steps",
  reward: "reward.steps",
  ppo: "ppo.iterations",
};

/**
 * What a resume may change of an engine, by its kind: how long a call of PyTorch may take and over how many processes the same models are spread, and
 * how; where the server that has the run's states answers now.
 */
const engineKeys: Readonly<Record<EngineKind, readonly string[]>> = {
  embedded: [],
  torch: ["deadline", "processes", "reshard"],
  tinker: ["url"],
};

/** The settings of the run's engines that a resume may change. */
function engineKeysOf({ engine }: Config): string[] {
  const { reference, critic, reward } = engine;
  return Object.entries({
    engine,
    "engine.reference": reference,
    "engine.critic": critic,
    "engine.reward": reward,
  }).flatMap(([place, choice]) => (choice ? engineKeys[choice.kind].map((name) => `${place}.${name}`) : []));
}

/** A stage's length in steps, or in iterations for PPO; 0 if the configuration does not have the stage. */
export function lengthOf(config: Config, stage: Stage): number {
  return stage === "ppo" ? (config.ppo?.iterations ?? 0) : (config[stage]?.steps ?? 0);
}

/** How far a stage has come. */
export interface StageProgress {
  /** Steps (iterations) done. */
  readonly done: number;
  readonly finished: boolean;
}

export interface Extension {
  readonly config: Config;
  /** What else changes with the length. */
  readonly notes: readonly string[];
}

/**
 * The configuration with different lengths, or with a different deadline, number of processes, resharding or address of an engine, given as overrides. Throws UsageError
 * for any other setting, and for a length that makes no sense: fewer steps than are done, a stage whose result a later stage uses, or a stage that ended at its target.
 */
export function extended(
  config: Config,
  texts: readonly string[],
  progress: Readonly<Partial<Record<Stage, StageProgress>>>,
): Extension {
  return texts.map(parseOverride).reduce<Extension>(
    ({ config, notes }, { path, value }) => {
      const key = path.join(".");
      const isAddress = path.at(-1) === "url";
      const parse = (given: string | number) => {
        const parsed = configSchema.safeParse(withSetting(config, path.map(String), given));
        if (parsed.success) return parsed.data;
        const wanted = isAddress ? parsed.error.issues[0]!.message : expectation(schemaAt(path, config)!);
        throw new UsageError(`${key}: expected ${wanted}, found ${value}`);
      };
      const ofEngines = engineKeysOf(config);
      const isText = isAddress || path.at(-1) === "reshard";
      if (ofEngines.includes(key)) return { config: parse(isText ? value : Number(value)), notes };
      const stage = stages.find((one) => lengthKeys[one] === key);
      if (stage === undefined || config[stage] === undefined)
        throw new UsageError(
          `${key} cannot be changed by a resume, which continues with the run's own settings`,
          `Lengths can: ${stages
            .filter((one) => config[one])
            .map((one) => lengthKeys[one])
            .join(
              ", ",
            )}${ofEngines.length > 0 ? `; and ${ofEngines.join(", ")}` : ""}. While it runs: ballast tell RUN set KEY=VALUE. Anything else needs a new run.`,
        );
      const length = Number(value);
      const parsed = parse(length);
      checkLength({ config, stage, length, progress });
      const mistakes = (one: Config) => checkConfig(one, () => false).errors.map(({ message }) => message);
      const made = mistakes(parsed).filter((message) => !mistakes(config).includes(message));
      if (made.length > 0) throw new UsageError(made.join("; "));
      const done = progress[stage]?.done ?? 0;
      return {
        config: parsed,
        notes: [...notes, ...dependent({ before: config, after: parsed, stage, done })],
      };
    },
    { config, notes: [] },
  );
}

function checkLength({
  config,
  stage,
  length,
  progress,
}: {
  readonly config: Config;
  readonly stage: Stage;
  readonly length: number;
  readonly progress: Readonly<Partial<Record<Stage, StageProgress>>>;
}): void {
  const key = lengthKeys[stage];
  const { done = 0, finished = false } = progress[stage] ?? {};
  const later = stages.slice(stages.indexOf(stage) + 1).find((one) => progress[one] !== undefined);
  if (later !== undefined)
    throw new UsageError(
      `${key}: ${later} has begun from the result of ${stage}, and would no longer match its record`,
      "Start a new run with that length.",
    );
  if (finished && done < lengthOf(config, stage))
    throw new UsageError(
      `${key}: ${stage} ended after ${done} of ${lengthOf(config, stage)}, as its target was met (ppo.stop.when); it would end at once again`,
      "Start a new run with another target.",
    );
  if (length > done || (length === done && !finished)) return;
  throw new UsageError(
    `${key} ${length}: ${done} are done${finished ? ", and the stage with them" : ""}`,
    `Give more than ${finished ? done : done - 1}; an earlier model is in a checkpoint of the stage, if it was kept.`,
  );
}

/** Describes what a stage spreads over its whole length, and what therefore continues differently from here. */
function dependent({
  before,
  after,
  stage,
  done,
}: {
  readonly before: Config;
  readonly after: Config;
  readonly stage: Stage;
  readonly done: number;
}): string[] {
  if (done === 0) return [];
  const notes: string[] = [];
  const rateOf = (config: Config) => {
    const { learningRate, schedule, warmup, stepFactor, stepEvery } = config[stage]!;
    const steps = lengthOf(config, stage);
    return (step: number) =>
      learningRateAt({ base: learningRate, schedule, warmup, stepFactor, stepEvery, step, steps });
  };
  const [was, is] = [rateOf(before)(done - 1), rateOf(after)(done)];
  const { schedule } = after[stage]!;
  const [then, now] = [rateOf(before), rateOf(after)];
  const other = Array.from({ length: done }, (_, step) => step).some((step) => then(step) !== now(step));
  if (Math.abs(was / is - 1) > 0.01 && lengthOf(before, stage) !== lengthOf(after, stage))
    notes.push(
      `${stage}.schedule ${schedule} now spans ${lengthOf(after, stage)}: the learning rate continues at ${figure(is)}, not at the ${figure(was)} it had reached`,
    );
  else if (other)
    notes.push(
      `${stage}.schedule ${schedule} spans the whole length: a run of ${lengthOf(after, stage)} from the start would have had other learning rates up to here`,
    );
  if (stage !== "ppo") return notes;
  const { kl, penalty, policyLoss, clipSchedule } = after.ppo!;
  const sections = { "ppo.kl": kl, ...(policyLoss === "penalty" && { "ppo.penalty": penalty }) };
  for (const [name, { targetEnd, controller, horizon }] of Object.entries(sections)) {
    if (targetEnd !== undefined) notes.push(`${name}.targetEnd is reached at the new end: the target steps back up`);
    if (controller === "ziegler" && horizon === undefined)
      notes.push(`${name}.horizon, a tenth of the run's sequences, changes with the run's length`);
  }
  if (clipSchedule === "phases") notes.push("ppo.clipSchedule phases are quarters of the new length");
  return notes;
}

function figure(value: number): number {
  return Number(value.toPrecision(3));
}
