/**
 * Runs an experiment's cells side by side, in processes of one thread each. Results are kept in files: a call that was cut goes on where it was. What
 * could not be done is reported with its reason, and everything that does not need it is done all the same.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "../util/durable.ts";
import { messageOf } from "../util/errors.ts";
import { fromJson, toJson } from "../util/json-values.ts";
import { startProcess } from "../util/start-process.ts";
import type { FromProcess, ToProcess } from "./cell-messages.ts";
import { type Cell, keyOf, type Results } from "./cells.ts";

export interface LabProgress {
  /** Cells done, of those known so far: results may ask for more. */
  readonly done: number;
  readonly of: number;
  /** Seconds that the known rest takes at the pace so far; NaN before the first result. */
  readonly left: number;
  /** The cells that are being done, each with how far it is. */
  readonly doing: readonly string[];
}

export interface RunCellsOptions {
  /** The experiment's workspace. */
  readonly folder: string;
  /** The cells to do in the order of their importance, given the results so far. Called again after every result; it may only add cells. */
  readonly plan: (results: Results) => readonly Cell[];
  /** Processes side by side. */
  readonly processes: number;
  /** Begin only quick work that is not kept, on the results that there are, even those of earlier settings, rules or rows. */
  readonly report?: boolean;
  readonly onProgress: (progress: LabProgress) => void;
  /** Called with each finished cell, and whether its result was kept from an earlier call. */
  readonly onCell: (cell: Cell, result: unknown, kept: boolean) => void;
  readonly onNote: (text: string) => void;
  readonly interrupted: () => boolean;
}

export interface Unfinished {
  readonly cell: string;
  /** Why: an error's message, or that the call was interrupted, or which cell it waits for. */
  readonly why: string;
}

export interface LabOutcome {
  readonly results: Results;
  /** Cells without a result; empty if the experiment is complete. */
  readonly unfinished: readonly Unfinished[];
  /** Cells whose results are those of earlier settings, rules or rows; only in a report. */
  readonly outdated: readonly string[];
  /** Whether the call was interrupted. */
  readonly interrupted: boolean;
}

/** How often the laboratory looks whether it was interrupted, in milliseconds. */
const poll = 100;

export async function runCells(options: RunCellsOptions): Promise<LabOutcome> {
  const { folder, plan, processes, onCell, interrupted } = options;
  mkdirSync(join(folder, "cells"), { recursive: true });
  const results = new Map<string, unknown>();
  const keys = new Map<string, string>();
  const failed = new Map<string, string>();
  const started = new Set<string>();
  const outdated: string[] = [];
  const pace = new Pace();
  let cells: readonly Cell[] = [];
  let planned = -1;
  let fault: { readonly error: unknown } | null = null;

  /** The cells that may begin now; those with a kept result are taken over first. */
  const ready = (): Cell[] => {
    while (planned !== results.size) {
      planned = results.size;
      cells = plan(results);
      for (const cell of cells) {
        if (keys.has(cell.name) || !cell.needs.every((need) => results.has(need))) continue;
        keys.set(cell.name, keyOf(cell, keys));
        const kept = cell.kept === false ? null : keptResult(folder, cell.name);
        if (kept === null) continue;
        if (kept.key !== keys.get(cell.name)) {
          if (!options.report) continue;
          outdated.push(cell.name);
        }
        started.add(cell.name);
        results.set(cell.name, kept.result);
        pace.add(cell.work, kept.seconds);
        onCell(cell, kept.result, true);
      }
    }
    return cells.filter(
      ({ name, needs, kept }) =>
        !started.has(name) && needs.every((need) => results.has(need)) && (!options.report || kept === false),
    );
  };

  const workers: Worker[] = [];
  const tell = () => {
    const waiting = cells.filter(({ name }) => !results.has(name) && !failed.has(name));
    const doing = workers.flatMap((worker) => worker.doing ?? []);
    options.onProgress({ done: results.size, of: cells.length, left: pace.left(waiting, processes), doing });
  };
  const finished = (cell: Cell, outcome: Extract<FromProcess, { kind: "done" | "failed" | "interrupted" }>) => {
    if (outcome.kind === "failed") failed.set(cell.name, outcome.reason);
    if (outcome.kind !== "done") return;
    const { result, seconds } = outcome;
    results.set(cell.name, result);
    pace.add(cell.work, seconds);
    if (cell.kept !== false)
      writeDurably(fileOf(folder, cell.name), toJson({ key: keys.get(cell.name), work: cell.work, seconds, result }));
    onCell(cell, result, false);
  };

  try {
    for (;;) {
      const able = ready();
      const next = interrupted() ? [] : able;
      for (const cell of next) {
        const idle = workers.find((worker) => worker.cell === null && !worker.ended) ?? null;
        const alive = workers.filter(({ ended }) => !ended).length;
        if (idle === null && alive >= processes) break;
        const worker = idle ?? new Worker(options.onNote);
        if (idle === null) workers.push(worker);
        started.add(cell.name);
        const needed = Object.fromEntries(cell.needs.map((need) => [need, results.get(need)]));
        void worker
          .do({ kind: "cell", folder, cell, results: needed }, tell)
          .then((outcome) => finished(cell, outcome))
          .catch((error: unknown) => {
            fault ??= { error };
          });
      }
      if (fault !== null) throw (fault as { readonly error: unknown }).error;
      tell();
      const busy = workers.filter(({ cell }) => cell !== null);
      if (busy.length === 0 && (interrupted() || ready().length === 0)) break;
      if (interrupted()) for (const worker of busy) worker.stop();
      await new Promise((resolve) => setTimeout(resolve, poll));
    }
  } finally {
    for (const worker of workers) worker.close();
  }
  return { results, unfinished: unfinishedOf(cells, { results, failed }), outdated, interrupted: interrupted() };
}

/** What is left of the cells, each with its reason. */
function unfinishedOf(
  cells: readonly Cell[],
  { results, failed }: { readonly results: Results; readonly failed: ReadonlyMap<string, string> },
): Unfinished[] {
  return cells
    .filter(({ name }) => !results.has(name))
    .map(({ name, needs }) => {
      const missing = needs.find((need) => !results.has(need));
      return { cell: name, why: failed.get(name) ?? (missing === undefined ? "not done yet" : `waits for ${missing}`) };
    });
}

/** Seconds that kinds of work take. */
class Pace {
  readonly #seen = new Map<string, number[]>();

  add(work: string, seconds: number): void {
    this.#seen.set(work, [...(this.#seen.get(work) ?? []), seconds]);
  }

  /** Seconds for these cells on so many processes; kinds not seen yet take as long as the others. */
  left(cells: readonly Cell[], processes: number): number {
    const means = new Map([...this.#seen].map(([work, all]) => [work, all.reduce((a, b) => a + b, 0) / all.length]));
    const any = [...means.values()].reduce((a, b) => a + b, 0) / means.size;
    return cells.reduce((sum, { work }) => sum + (means.get(work) ?? any), 0) / processes;
  }
}

/** A process, and the cell that it is doing. */
class Worker {
  readonly #child: ChildProcess;
  #told = "";
  #stopping = false;
  #errors = "";
  #settle: ((outcome: Extract<FromProcess, { kind: "done" | "failed" | "interrupted" }>) => void) | null = null;
  #onProgress: () => void = () => {};
  cell: string | null = null;
  ended = false;

  constructor(onNote: (text: string) => void) {
    this.#child = startProcess("./cell-process", import.meta.url);
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    this.#child.on("message", (message: FromProcess) => {
      if (message.kind === "progress") {
        const { stage, step, steps, unit } = message.progress;
        this.#told = `${stage} ${unit} ${step}/${steps}`;
        this.#onProgress();
      } else if (message.kind === "note") onNote(`${this.cell}: ${message.text}`);
      else if (message.kind !== "ready") this.#end(message);
    });
    // It could not be started, or ended while it was sent something: the exit, if there is one, says no more.
    this.#child.on("error", (error) => {
      this.ended = true;
      this.#end({ kind: "failed", reason: `its process failed: ${messageOf(error)}` });
    });
    this.#child.on("exit", (code, signal) => {
      this.ended = true;
      const last = this.#errors.trim().split("\n").at(-1) ?? "";
      this.#end({ kind: "failed", reason: `its process ended (${signal ?? `code ${code}`})${last && `: ${last}`}` });
    });
  }

  /** The cell and how far it is; null if the process waits. */
  get doing(): string | null {
    return this.cell === null ? null : `${this.cell}${this.#told && ` (${this.#told})`}`;
  }

  do(message: Extract<ToProcess, { kind: "cell" }>, onProgress: () => void) {
    this.cell = message.cell.name;
    this.#told = "";
    this.#onProgress = onProgress;
    this.#child.send(message);
    return new Promise<Extract<FromProcess, { kind: "done" | "failed" | "interrupted" }>>((resolve) => {
      this.#settle = resolve;
    });
  }

  stop(): void {
    if (this.#stopping || this.ended) return;
    this.#stopping = true;
    this.#child.send({ kind: "stop" } satisfies ToProcess);
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #end(outcome: Extract<FromProcess, { kind: "done" | "failed" | "interrupted" }>): void {
    this.#settle?.(outcome);
    this.#settle = null;
    this.cell = null;
  }
}

function keptResult(
  folder: string,
  name: string,
): { readonly key: string; readonly result: unknown; readonly seconds: number } | null {
  const path = fileOf(folder, name);
  if (!existsSync(path)) return null;
  try {
    return fromJson(readFileSync(path, "utf8")) as { key: string; seconds: number; result: unknown };
  } catch {
    // Damaged: it is done again.
    return null;
  }
}

function fileOf(folder: string, name: string): string {
  return join(folder, "cells", `${name}.json`);
}
