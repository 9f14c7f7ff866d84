/** `ballast lab faults`: each fault with and without the controller, compared with the same seed; the table of docs/faults.md. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type FaultName, faultNames, readFault } from "../../../config/fault-names.ts";
import { loadConfig } from "../../../config/index.ts";
import type { Cell } from "../../../lab/cell.ts";
import { requestsOf, runFaults } from "../../../lab/fault-trials.ts";
import { summarise } from "../../../lab/lab-summary.ts";
import { lockRun } from "../../../run/lock.ts";
import { writeDurably } from "../../../util/durable.ts";
import { Interrupted, messageOf, UsageError } from "../../../util/errors.ts";
import { watchSignals } from "../../interrupt.ts";
import { clock } from "../../number-format.ts";
import { ProgressDisplay } from "../../progress.ts";
import { shownValues } from "../../shown-values.ts";
import type { Terminal } from "../../terminal.ts";
import { cellLine, labExperiment, labReport } from "./lab-text.ts";

export interface LabFaultsOptions {
  /** Names separated by commas; all by default. */
  readonly faults?: string;
  readonly seeds: string;
  readonly iterations?: number;
  readonly healthyIterations: number;
  readonly config?: string;
  readonly overrides: readonly string[];
  readonly workspace: string;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

const preset = fileURLToPath(new URL("../../../../examples/helpdesk/mini.yaml", import.meta.url));

export async function labFaults(options: LabFaultsOptions): Promise<number> {
  const { terminal, workspace, iterations, healthyIterations, json = false } = options;
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
  const seeds = seedsFrom(options.seeds);
  const folder = resolve(workspace, "lab");
  mkdirSync(join(folder, "cells"), { recursive: true });
  const lock = lockRun(folder);
  const display = new ProgressDisplay({ terminal, pick: shownValues });
  const c = terminal.noteColours;
  const signals = watchSignals({
    onInterrupt: () => display.note(c.yellow("finishing this step; Ctrl-C again leaves at once")),
    onLeave: () => display.close(),
  });
  const cells: Cell[] = [];
  const trained: number[] = [];
  let of = requestsOf({ config, faults, seeds, healthyIterations }).length;
  try {
    display.note(c.dim(`${of} runs of ${config.ppo.iterations} iterations, one after the other, in ${folder}`));
    await runFaults({
      config,
      folder,
      faults,
      seeds,
      healthyIterations,
      onProgress: (progress) => display.update(progress),
      onNote: (text) => display.note(text),
      interrupted: signals.interrupted,
      onCell: (cell, { cells: done, of: all, cached }) => {
        of = all;
        cells.push(cell);
        if (!cached) trained.push(cell.seconds);
        const each = trained.reduce((sum, s) => sum + s, 0) / trained.length;
        const left = cached || done === of ? "" : `  ${clock((of - done) * each)} left`;
        if (!cached) display.note(`${done}/${of}  ${cellLine(cell)}${c.dim(left)}`);
      },
    });
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    display.close();
    print(cells, { terminal, json });
    throw new Interrupted(
      `interrupted after ${cells.length} of ${of} runs; they are kept: ${messageOf(error)}`,
      "Run the same command again to continue.",
    );
  } finally {
    display.close();
    signals.dispose();
    lock.release();
  }
  print(cells, { terminal, json });
  keepForDashboard(cells, folder);
  return 0;
}

/** Keeps the table for the dashboard's laboratory page, in this workspace or the laboratory's own. */
function keepForDashboard(cells: readonly Cell[], folder: string): void {
  const experiment = labExperiment(summarise(cells), { at: Date.now(), runs: cells.map(({ run }) => run) });
  writeDurably(join(folder, "faults.json"), JSON.stringify(experiment));
}

function print(cells: readonly Cell[], { terminal, json }: { terminal: Terminal; json: boolean }): void {
  const summary = summarise(cells);
  if (json) {
    terminal.out(JSON.stringify({ ...summary, cells }));
    return;
  }
  for (const line of labReport(summary, { width: terminal.outWidth(), colours: terminal.outColours }))
    terminal.out(line);
}

function faultsFrom(text: string | undefined): readonly FaultName[] {
  if (text === undefined) return faultNames;
  return text.split(",").map((name) => {
    const fault = readFault(name.trim());
    if (typeof fault === "string") throw new UsageError(`--faults: ${fault}`, "docs/faults.md lists every fault.");
    return fault.name;
  });
}

function seedsFrom(text: string): number[] {
  const seeds = text.split(",").map((seed) => Number(seed));
  if (seeds.some((seed) => !Number.isSafeInteger(seed) || seed < 0) || new Set(seeds).size < seeds.length)
    throw new UsageError(`--seeds ${text}: expected distinct whole numbers separated by commas, such as 11,12,13`);
  return seeds;
}
