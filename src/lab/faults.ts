/**
 * The experiment of docs/faults.md: each fault against the same seed with and without the controller, and healthy runs for
 * its false alarms.
 */
import type { FaultName } from "../config/faults.ts";
import { openBase } from "./base.ts";
import { type Cell, type CellRequest, type LabContext, readCell, runCell } from "./cell.ts";

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

/** Every run of the experiment, in the order in which they run: a call that is cut short has whole rows. */
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
    ...seeds.map(healthy),
    ...faults.flatMap((fault) =>
      seeds.flatMap((seed): CellRequest[] => [
        { fault, seed, interventions: "on" },
        { fault, seed, interventions: "off" },
      ]),
    ),
    ...more.map(healthy),
  ];
}

/** Throws Interrupted; what was done by then is kept, and the next call goes on from there. */
export async function runFaults(options: LabOptions): Promise<Cell[]> {
  const requests = requestsOf(options);
  const context = { ...options, config: await openBase(options) };
  const cells: Cell[] = [];
  for (const request of requests) {
    const found = readCell(context, request);
    const cell = found ?? (await runCell(context, request));
    cells.push(cell);
    options.onCell(cell, { cells: cells.length, of: requests.length, cached: found !== null });
  }
  return cells;
}
