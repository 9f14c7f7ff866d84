/** A sweep's cells, one whole run for each combination of values, and their summary over seeds. */
import type { Config } from "../../config/index.ts";
import { type Cell, type CellOf, type Results, resultOf } from "../cells.ts";
import { hashInputs } from "../input-files.ts";
import { paired } from "../paired.ts";
import type { WholeRun } from "../run-work.ts";
import { startOf } from "../start-cells.ts";

export interface SweepRun {
  /** The cell's name. */
  readonly cell: string;
  /** The values of this run by key, the seed included if it is varied. */
  readonly values: Readonly<Record<string, string>>;
  readonly config: Config;
}

/** A mean over seeds with Student's 95% interval; the interval is NaN with one seed. */
export interface OverSeeds {
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** One setting: everything that is varied except the seed. */
export interface SweepRow {
  readonly values: Readonly<Record<string, string>>;
  readonly figures: Readonly<Record<string, OverSeeds>>;
  /** The difference of each figure to the first setting's, on the same seeds; absent in the first row. */
  readonly differences?: Readonly<Record<string, OverSeeds>>;
  /** Runs that are done, and how many the controller stopped. */
  readonly runs: number;
  readonly stopped: number;
  /** Ids of the runs that are done. */
  readonly ids: readonly string[];
}

/** The cells: stages that several runs share are trained once, as the models of one SFT with another PPO are. */
export function sweepCells(runs: readonly SweepRun[]): Cell[] {
  const stages = new Map<string, CellOf<"stage">>();
  const cells = runs.map(({ cell, config }): CellOf<"run"> => {
    const own = config.ppo === undefined ? { policy: null, reward: null } : startOf(config, stages);
    // SFT alone before PPO is trained in the run itself only if nobody shares it; a cell is as good.
    const needs = [own.policy, own.reward].filter((name) => name !== null);
    return {
      name: cell,
      work: "run",
      input: { config: { ...config, threads: 1 }, start: own, files: hashInputs(config) },
      needs,
    };
  });
  return [...stages.values(), ...cells];
}

/** One row for each setting, in the order of the sweep. */
export function summariseSweep(runs: readonly SweepRun[], results: Results): SweepRow[] {
  const groups = new Map<string, { values: Record<string, string>; bySeed: Map<string, WholeRun> }>();
  for (const { cell, values } of runs) {
    const { seed = "", ...rest } = values;
    const key = JSON.stringify(rest);
    const group = groups.get(key) ?? { values: rest, bySeed: new Map() };
    groups.set(key, group);
    const result = resultOf(results, "run", cell);
    if (result !== undefined) group.bySeed.set(seed, result);
  }
  const [first] = groups.values();
  return [...groups.values()].map((group) => {
    const { values, bySeed } = group;
    const done = [...bySeed.values()];
    const names = [...new Set(done.flatMap(({ figures }) => Object.keys(figures)))];
    const figures = names.map((name) => [name, over(done.flatMap((one) => one.figures[name] ?? []))] as const);
    const differences = names.flatMap((name) => {
      const pairs = [...bySeed].flatMap(([seed, one]) => {
        const [a, b] = [first?.bySeed.get(seed)?.figures[name], one.figures[name]];
        return a === undefined || b === undefined ? [] : [b - a];
      });
      return pairs.length === 0 ? [] : [[name, over(pairs)] as const];
    });
    return {
      values,
      figures: Object.fromEntries(figures),
      ...(group !== first && { differences: Object.fromEntries(differences) }),
      runs: done.length,
      stopped: done.filter(({ stopped }) => stopped !== null).length,
      ids: done.map(({ run }) => run),
    };
  });
}

function over(values: readonly number[]): OverSeeds {
  const { n, mean, low, high } = paired(values);
  return { n, mean, low, high };
}
