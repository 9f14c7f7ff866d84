/** The experiment of docs/faults.md: each fault with and without the controller, with the same seed, and healthy runs to count false alarms. */
import type { FaultName } from "../config/fault-names.ts";
import { openBase } from "./base.ts";
import { type Cell, type CellRequest, type LabContext, readCell, runCell } from "./cell.ts";
import { iterationsDone } from "./lab-summary.ts";

export interface LabOptions extends LabContext {
  readonly faults: readonly FaultName[];
  readonly seeds: readonly number[];
  /** Minimum of healthy iterations for counting false alarms; each seed has one run of them. */
  readonly healthyIterations: number;
  /** Called with each finished cell, starting with those from an earlier call, and with the total number. */
  readonly onCell: (
    cell: Cell,
    done: { readonly cells: number; readonly of: number; readonly cached: boolean },
  ) => void;
}

/** The runs of the experiment in order, so that an interrupted call has whole rows. */
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
    // A fault is compared with a healthy run to its end, whatever the controller would have done.
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

/** Most additional healthy runs: a rule that stops every run would require more without end. */
const mostMore = 12;

/**
 * Runs the experiment. If the controller stops healthy runs early, further ones are run until there are as many healthy iterations as requested.
 * Throws Interrupted; finished cells are kept, and the next call continues from there.
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
