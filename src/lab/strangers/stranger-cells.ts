/** The cells of the strangers: for each case and seed a run without actions, what rules say of it, and runs with actions that fork from it. */
import type { Config } from "../../config/index.ts";
import { type Cell, type CellOf, type Results, resultOf } from "../cells.ts";
import { hashInputs } from "../input-files.ts";
import { type ActionKind, onlyActions, rulesFor } from "../judge-work.ts";
import { startOf } from "../start-cells.ts";
import type { TrialInput } from "../trial-work.ts";
import type { StrangerCase } from "./case-file.ts";

/** Iterations between the laboratory's gold measurements. */
const curveEvery = 2;
/** Samples of the last measurement, and of each of the others. */
const samples = { final: 512, curve: 128 };

/** The names of the cells of one case and seed. */
export function cellNames({ name }: Pick<StrangerCase, "name">, seed: number) {
  const cell = `${name}-${seed}`;
  const alone = (kind: ActionKind) => `${cell}-${kind}`;
  return { off: `${cell}-off`, judge: `${cell}-judge`, on: `${cell}-on`, alone };
}

/** The case whose run without actions is the base itself: a healthy one that sets nothing, if the suite has one. */
export function twinOf(cases: readonly StrangerCase[], base: string): Pick<StrangerCase, "name"> {
  const plain = cases.find((one) => one.kind === "healthy" && one.plain && one.base === base);
  return plain ?? { name: `base-${base}` };
}

export interface StrangersPlan {
  /** The whole suite: a case's twin may be a case that is not run. */
  readonly suite: readonly StrangerCase[];
  /** The cases to run. */
  readonly cases: readonly StrangerCase[];
  readonly seeds: readonly number[];
}

/** The cells, in whole seeds, as far as the results so far say which are needed. */
export function strangerCells({ suite, cases, seeds }: StrangersPlan, results: Results): Cell[] {
  const stages = new Map<string, CellOf<"stage">>();
  const cells = new Map<string, Cell>();
  /** Each cell once, its stages just before it. */
  const add = (cell: Cell) => {
    for (const need of cell.needs) {
      const stage = stages.get(need);
      if (stage !== undefined) add(stage);
    }
    if (!cells.has(cell.name)) cells.set(cell.name, cell);
  };
  const onsets = suite.map(({ onset }) => onset).filter((onset) => onset > 0);
  const every = onsets.reduce(divisor, curveEvery);
  for (const seed of seeds) {
    for (const one of cases) {
      const twin = twinOf(suite, one.base);
      const faulty = trialOf(one.config, { seed, every, stages, judged: one.healthy });
      const healthy = trialOf(one.healthy, { seed, every, stages, judged: one.healthy });
      const twinCell = cellNames(twin, seed).off;
      if (one.kind === "fault") {
        add(trialCell(twinCell, healthy));
        add(judgeCell(twin, seed));
      }
      const names = cellNames(one, seed);
      const fromTwin = one.onset > 0 ? { trial: twinCell, at: one.onset } : null;
      add(trialCell(names.off, { ...faulty, fork: fromTwin }));
      add(judgeCell(one, seed));
      const judged = resultOf(results, "judge", names.judge);
      if (judged === undefined || judged.acts === null) continue;
      const rules = rulesFor(faulty.config);
      const config = acting(faulty.config);
      // A reward that counts its calls begins to count with the fault, as it did without actions.
      const from = (at: number): TrialInput["fork"] => {
        const late = Math.max(at, one.onset);
        if (one.remembers) return fromTwin;
        // Before the first checkpoint there is nothing to take over.
        return late < every ? null : { trial: names.off, at: late };
      };
      add(trialCell(names.on, { ...faulty, config, rules, fork: from(judged.acts) }));
      const together = resultOf(results, "trial", names.on);
      const kinds = [...new Set(together?.acted.map(({ action }) => action))];
      // A single kind of action is by itself already.
      if (kinds.length < 2) continue;
      for (const kind of kinds) {
        const at = judged.alone[kind];
        if (at === undefined) continue;
        add(trialCell(names.alone(kind), { ...faulty, config, rules: onlyActions(rules, kind), fork: from(at) }));
      }
    }
  }
  return [...cells.values()];
}

function judgeCell(one: Pick<StrangerCase, "name">, seed: number): CellOf<"judge"> {
  const { off, judge } = cellNames(one, seed);
  return { name: judge, work: "judge", input: { trial: off }, needs: [off], kept: false };
}

function trialCell(name: string, input: TrialInput): CellOf<"trial"> {
  const { start, fork } = input;
  const needs = [start.policy, start.reward, fork?.trial].filter((need) => need !== null && need !== undefined);
  return { name, work: "trial", input, needs };
}

/** A run without actions, from its beginning. */
function trialOf(
  given: Config,
  {
    seed,
    every,
    stages,
    judged,
  }: {
    readonly seed: number;
    readonly every: number;
    readonly stages: Map<string, CellOf<"stage">>;
    readonly judged: Config;
  },
): TrialInput {
  const start = startOf(given, stages);
  const config: Config = {
    ...given,
    seed,
    threads: 1,
    control: { ...given.control, profile: "adaptive", interventions: "off" },
    // Every checkpoint stays: it is measured, and runs with actions begin there.
    ppo: { ...given.ppo!, checkpointEvery: every, keep: given.ppo!.iterations + 1 },
  };
  const gold = { config: { ...judged, seed, threads: 1 }, samples: samples.final, curve: samples.curve };
  return { config, start, fork: null, rules: null, files: [hashInputs(given), hashInputs(judged)], gold };
}

function acting(config: Config): Config {
  return { ...config, control: { ...config.control, interventions: "on" } };
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
