/** `ballast lab`: the experiments by name, each a plan of cells and its tables, run by one mechanism. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type FaultName, faultNames, readFault } from "../../../config/fault-names.ts";
import { loadConfig } from "../../../config/index.ts";
import { type FaultsPlan, faultCells, faultTrials } from "../../../lab/faults/fault-cells.ts";
import { summarise } from "../../../lab/faults/faults-summary.ts";
import type { WholeRun } from "../../../lab/run-work.ts";
import { readSuite, shippedSuite } from "../../../lab/strangers/case-file.ts";
import { strangerCells } from "../../../lab/strangers/stranger-cells.ts";
import { summariseStrangers } from "../../../lab/strangers/strangers-summary.ts";
import { studies } from "../../../lab/studies/studies.ts";
import type { TaskName } from "../../../lab/studies/study.ts";
import { type StudyPlan, studyCells } from "../../../lab/studies/study-cells.ts";
import type { StudyName } from "../../../lab/studies/study-names.ts";
import { summariseStudy } from "../../../lab/studies/study-summary.ts";
import { tasks } from "../../../lab/studies/tasks.ts";
import type { Trial } from "../../../lab/trial-work.ts";
import { UsageError } from "../../../util/errors.ts";
import { nearest } from "../../../util/nearest.ts";
import { faultLine, faultSections } from "./faults-text.ts";
import { runExperiment, type SessionOptions, seedsFrom } from "./lab-session.ts";
import { strangerLine, strangerSections } from "./strangers-text.ts";
import { studyLine, studySections } from "./study-text.ts";

export interface LabFaultsOptions extends SessionOptions {
  /** Names separated by commas; all by default. */
  readonly faults?: string;
  readonly seeds: string;
  readonly iterations?: number;
  readonly healthyIterations: number;
  readonly config?: string;
  readonly overrides: readonly string[];
}

const preset = fileURLToPath(new URL("../../../../examples/helpdesk/mini.yaml", import.meta.url));

/** Each fault with and without the controller, compared with the same seed: the table of docs/faults.md. */
export async function labFaults(options: LabFaultsOptions): Promise<number> {
  const { iterations, healthyIterations } = options;
  const { config } = loadConfig(options.config ?? preset, [
    ...(iterations === undefined ? [] : [`ppo.iterations=${iterations}`]),
    ...options.overrides,
  ]);
  if (!config.sft || !config.reward || !config.ppo)
    throw new UsageError(
      "the laboratory trains the models that its runs start from: the configuration needs the sections sft, reward and ppo",
      "examples/helpdesk/mini.yaml is the default.",
    );
  const faults = faultsFrom(options.faults);
  const plan: FaultsPlan = { config, faults, seeds: seedsFrom(options.seeds), healthyIterations };
  return runExperiment(
    {
      name: "faults",
      title: "Faults, with and without the controller",
      plan: (results) => faultCells(plan, results),
      line: (cell, result) => (cell.work === "trial" ? faultLine(cell.name, result as Trial) : null),
      sections: (results) => faultSections(summarise(faultTrials(plan, results))),
      json: (results) => {
        const trials = faultTrials(plan, results);
        return { ...summarise(trials), cells: trials };
      },
      runs: (results) => faultTrials(plan, results).map(({ run }) => run),
    },
    options,
  );
}

export interface LabStrangersOptions extends SessionOptions {
  readonly suite?: string;
  readonly seeds: string;
  /** Names of cases separated by commas; all by default. */
  readonly only?: string;
}

/** Runs that nobody tuned the controller on: the tables of docs/strangers.md. */
export async function labStrangers(options: LabStrangersOptions): Promise<number> {
  const suite = readSuite(resolve(options.suite ?? shippedSuite));
  const wanted = options.only?.split(",").map((name) => name.trim());
  for (const name of wanted ?? []) {
    if (suite.some((one) => one.name === name)) continue;
    const names = suite.map((one) => one.name);
    const near = nearest(name, names);
    throw new UsageError(
      `--only: the suite has no case ${name}${near === undefined ? "" : `; did you mean ${near}?`}`,
      `Its cases: ${names.join(", ")}.`,
    );
  }
  const cases = wanted === undefined ? suite : suite.filter(({ name }) => wanted.includes(name));
  const plan = { suite, cases, seeds: seedsFrom(options.seeds) };
  const trials = (results: Parameters<typeof strangerCells>[1]) =>
    strangerCells(plan, results).flatMap(({ name, work }) =>
      work === "trial" && results.has(name) ? [{ cell: name, ...(results.get(name) as Trial) }] : [],
    );
  return runExperiment(
    {
      name: "strangers",
      title: "Strangers: runs that the controller was not built for",
      plan: (results) => strangerCells(plan, results),
      line: (cell, result) => (cell.work === "trial" ? strangerLine(cell.name, result as Trial) : null),
      sections: (results) => strangerSections(summariseStrangers(plan, results)),
      json: (results) => ({ ...summariseStrangers(plan, results), cells: trials(results) }),
      runs: (results) => trials(results).map(({ run }) => run),
    },
    options,
  );
}

export interface LabStudyOptions extends SessionOptions {
  readonly study: StudyName;
  /** By default the study's. */
  readonly seeds?: string;
  /** Names of arms and tasks separated by commas; all by default. */
  readonly only?: string;
  readonly overrides: readonly string[];
}

/** A published claim's experiment, re-run: the tables of docs/evidence.md. */
export async function labStudy(options: LabStudyOptions): Promise<number> {
  const study = studies.find(({ name }) => name === options.study)!;
  const taskNames = Object.keys(tasks) as TaskName[];
  const names = [...study.arms.map(({ name }) => name), ...taskNames];
  const wanted = options.only?.split(",").map((name) => name.trim()) ?? [];
  for (const name of wanted) if (!names.includes(name)) throw unknownName(name, names);
  const some = <T>(all: readonly T[], nameOf: (one: T) => string) => {
    const named = all.filter((one) => wanted.includes(nameOf(one)));
    return named.length === 0 ? all : named;
  };
  const plan: StudyPlan = {
    study,
    arms: some(study.arms, ({ name }) => name),
    tasks: some(taskNames, (name) => name),
    seeds: seedsFrom(options.seeds ?? `1-${study.seeds}`),
    set: options.overrides,
  };
  const cells = studyCells(plan);
  const summary = (results: Parameters<typeof summariseStudy>[1]) => summariseStudy(plan, results);
  return runExperiment(
    {
      name: study.name,
      title: study.title,
      plan: () => cells,
      line: (cell, result) => (cell.work === "run" ? studyLine(cell.name, result as WholeRun) : null),
      sections: (results) => studySections(study, summary(results)),
      json: summary,
      runs: (results) => summary(results).rows.flatMap(({ each }) => each.map(({ run }) => run)),
    },
    options,
  );
}

function unknownName(name: string, names: readonly string[]): UsageError {
  const near = nearest(name, names);
  return new UsageError(
    `--only: the experiment has no arm or task ${name}${near === undefined ? "" : `; did you mean ${near}?`}`,
    `Its arms, and the tasks: ${names.join(", ")}.`,
  );
}

function faultsFrom(text: string | undefined): readonly FaultName[] {
  if (text === undefined) return faultNames;
  return text.split(",").map((name) => {
    const fault = readFault(name.trim());
    if (typeof fault === "string") throw new UsageError(`--faults: ${fault}`, "docs/faults.md lists every fault.");
    return fault.name;
  });
}
