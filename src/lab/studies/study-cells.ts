/** The cells of a study: for each seed, task and arm a run, then what is read from its record and, if the study asks for it, its critic's error. */
import { type Config, loadConfig, type PpoConfig } from "../../config/index.ts";
import { defaultRules } from "../../control/rules/load-rules.ts";
import { UsageError } from "../../util/errors.ts";
import type { Cell, CellOf, Results } from "../cells.ts";
import { resultOf } from "../cells.ts";
import { hashInputs } from "../input-files.ts";
import { startOf } from "../start-cells.ts";
import { type MeasuredRun, seriesKeys } from "./figures.ts";
import { type Arm, runsOn, type Study, type TaskName } from "./study.ts";
import { common, measurements, tasks } from "./tasks.ts";

export interface StudyPlan {
  readonly study: Study;
  /** The arms and tasks to run. */
  readonly arms: readonly Arm[];
  readonly tasks: readonly TaskName[];
  readonly seeds: readonly number[];
  /** Overrides of every run, for trying a study small. */
  readonly set?: readonly string[];
}

/** The names of one run's cells. A run's id begins with the first. */
export function studyCellNames(task: TaskName, arm: string, seed: number) {
  const run = `${task}-${arm}-${seed}`;
  return { run, series: `${run}-series`, values: `${run}-values` };
}

/** The cells, in whole seeds. Throws UsageError for an arm that is no configuration. */
export function studyCells({ study, arms, tasks: wanted, seeds, set = [] }: StudyPlan): Cell[] {
  const stages = new Map<string, CellOf<"stage">>();
  const runs = wanted.flatMap((task) => {
    const { ppo } = loadConfig(tasks[task].file).config;
    const here = arms.filter((arm) => runsOn(task, arm));
    return here.map((arm) => ({ task, arm, ...runOf(study, { arm, task, rates: ppo!, set, stages }) }));
  });
  const cells = seeds.flatMap((seed) =>
    runs.flatMap(({ task, arm, config, start, reference, files }): Cell[] => {
      const names = studyCellNames(task, arm.name, seed);
      const needs = [start.policy, start.reward, reference ?? null].filter((need) => need !== null);
      const input = { config: { ...config, seed }, start, files, ...(reference !== undefined && { reference }) };
      const { values } = study;
      return [
        { name: names.run, work: "run", input, needs },
        {
          ...{ name: names.series, work: "series", needs: [names.run], kept: false },
          input: { run: names.run, keys: seriesKeys },
        },
        ...(values === undefined
          ? []
          : [
              {
                ...{ name: names.values, work: "values" as const, needs: [names.run] },
                input: { run: names.run, ...values },
              },
            ]),
      ];
    }),
  );
  return [...stages.values(), ...cells];
}

/** The finished runs of one arm on one task by seed, with everything that is measured of them. */
export function measuredRuns(
  { study, seeds }: Pick<StudyPlan, "study" | "seeds">,
  { task, arm, results }: { readonly task: TaskName; readonly arm: string; readonly results: Results },
): ReadonlyMap<number, MeasuredRun> {
  return new Map(
    seeds.flatMap((seed) => {
      const names = studyCellNames(task, arm, seed);
      const whole = resultOf(results, "run", names.run);
      const series = resultOf(results, "series", names.series);
      const states = study.values === undefined ? null : resultOf(results, "values", names.values);
      return whole === undefined || series === undefined || states === undefined
        ? []
        : [[seed, { whole, series, states }] as const];
    }),
  );
}

interface RunOptions {
  readonly arm: Arm;
  readonly task: TaskName;
  /** The task's own. */
  readonly rates: Pick<PpoConfig, "learningRate" | "criticLearningRate">;
  readonly set: readonly string[];
  readonly stages: Map<string, CellOf<"stage">>;
}

/** What runs of an arm are made of, but for their seed. */
function runOf(study: Study, { arm, task, rates, set, stages }: RunOptions) {
  const rate = (study.rates?.[task] ?? 1) * (arm.rate ?? 1) * rates.learningRate;
  const { criticLearningRate = 2 * rates.learningRate } = rates;
  const overCritic = arm.criticRate ?? criticLearningRate / rates.learningRate;
  // A shared trunk has no rate of its own.
  const shared = [...study.set, ...arm.set].includes("ppo.criticKind=shared");
  const { config } = loadConfig(tasks[task].file, [
    ...common,
    ...study.set,
    ...(study.on?.[task] ?? []),
    `ppo.learningRate=${rate}`,
    ...(shared ? [] : [`ppo.criticLearningRate=${rate * overCritic}`]),
    ...arm.set,
    ...(arm.on?.[task] ?? []),
    ...set,
  ]);
  const interventions = arm.rules === undefined ? ("off" as const) : ("on" as const);
  const { iterations } = config.ppo!;
  // The critic's last weights are in a checkpoint and nowhere else.
  const kept = study.values === undefined ? {} : { checkpointEvery: iterations, keep: 1 };
  const own: Config = {
    ...config,
    threads: 1,
    ppo: { ...config.ppo!, ...kept },
    control: {
      ...config.control,
      interventions,
      disable: arm.rules === undefined ? config.control.disable : otherRules(arm.rules),
      monitor: { ...config.control.monitor, every: Math.max(1, Math.round(iterations / measurements)) },
    },
  };
  /** A shorter SFT, and nothing after it. */
  const sft = (share: number) => {
    const steps = Math.max(1, Math.round(share * own.sft!.steps));
    return startOf({ ...own, reward: undefined, sft: { ...own.sft!, steps, evaluateEvery: steps } }, stages).policy!;
  };
  // The reward stays that of the task, whatever the policy starts from.
  const start = startOf(own, stages);
  return {
    config: own,
    start: { ...start, ...(arm.policy !== undefined && { policy: sft(arm.policy) }) },
    ...(arm.reference !== undefined && { reference: sft(arm.reference) }),
    files: hashInputs(own),
  };
}

/** The ids of all rules but these. Throws UsageError if one of these is no rule. */
function otherRules(rules: readonly string[]): string[] {
  const all = defaultRules().map(({ id }) => id);
  for (const rule of rules) if (!all.includes(rule)) throw new UsageError(`there is no rule ${rule}`, all.join(", "));
  return all.filter((id) => !rules.includes(id));
}
