/** Takes the place of the program's `startWorker` and `startProcess` in tests (vitest.config.ts): the module that they run is the built one. */
import type { ChildProcess } from "node:child_process";
import type { Worker, WorkerOptions } from "node:worker_threads";
import * as processes from "../../src/util/start-process.ts";
import * as workers from "../../src/util/start-worker.ts";
import { builtModule } from "./built-package.ts";

export function startWorker(name: string, from: string, options: WorkerOptions = {}): Worker {
  return workers.startWorker(name, builtModule(from), options);
}

export function startProcess(name: string, from: string): ChildProcess {
  return processes.startProcess(name, builtModule(from));
}
