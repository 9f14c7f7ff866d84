/**
 * The experiment of docs/faults.md: each fault against the same seed with and without the controller, and healthy runs for
 * its false alarms.
 */
import type { FaultName } from "../config/fault-names.ts";
import { openBase } from "./base.ts";
import { type Cell, type CellRequest, type LabContext, readCell, runCell } from "./cell.ts";
import { iterationsDone } from "./lab-summary.ts";

export interface LabOptions extends LabContext {
  readonly faults: readonly FaultName[];
  readonly seeds: readonly number[];
  /** Iterations without a fault to count false alarms in, at least; each of the seeds has one run of them. */
  readonly healthyIterations: number;
  /** Told of each cell as it is done, those from an earlier call first; and of how many there will be. */
  readonly onCell: (
    cell: Cell,
    done: { readonly cells: number; readonly of: number; readonly cached: boolean },
  ) => void;
}

/** The runs of the experiment, in the order in which they run: a call that is cut short has whole rows. */
export function requestsOf({
  config,
  faults,
  seeds,
  healthyIterations,
}: Pick<LabOptions, "config" | "faults" | "seeds" | "healthyIterations">): CellRequest[] {
  const runs = Math.max(seeds.length, Math.ceil(healthyIterations / config.ppo!.iterations));
  const last = Math.max(...seeds);
  const more = Array.from({ length: runs - seeds.length }, (_, i) => last + 1 + i);
  const healthy = (seed: number): CellRequest => ({ fault: null, seed, interventions: "on" });
  return [
    // What a fault is compared with is the run to its end, whatever the controller would have said of it.
    ...seeds.flatMap((seed) => [healthy(seed), { ...healthy(seed), interventions: "off" as const }]),
    ...faults.flatMap((fault) =>
      seeds.flatMap((seed): CellRequest[] => [
        { fault, seed, interventions: "on" },
        { fault, seed, interventions: "off" },
      ]),
    ),
    ...more.map(healthy),
  ];
}

/** Healthy runs beyond those planned, at most: a rule that stops every run would ask for more without an end. */
const mostMore = 12;

/**
 * Where the controller stops healthy runs early, more of them are run, until there are as many healthy iterations as were asked for.
 * Throws Interrupted; what was done by then is kept, and the next call goes on from there.
 */
export async function runFaults(options: LabOptions): Promise<Cell[]> {
  const requests = requestsOf(options);
  const planned = requests.length;
  const context = { ...options, config: await openBase(options) };
  const cells: Cell[] = [];
  for (let next = 0; next < requests.length; next++) {
    const request = requests[next]!;
    const found = readCell(context, request);
    const cell = found ?? (await runCell(context, request));
    cells.push(cell);
    const healthy = cells.filter(({ fault, interventions }) => fault === null && interventions === "on");
    if (cells.length === requests.length && requests.length < planned + mostMore) {
      const done = healthy.reduce((sum, one) => sum + iterationsDone(one), 0);
      const seed = 1 + Math.max(...healthy.map((one) => one.seed));
      if (done < options.healthyIterations) requests.push({ fault: null, seed, interventions: "on" });
    }
    options.onCell(cell, { cells: cells.length, of: requests.length, cached: found !== null });
  }
  return cells;
}
