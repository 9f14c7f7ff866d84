/** Starts a new run of a configuration: its folder, its recorded configuration, the training, the result. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Config, recordedConfig, withModelSizes } from "../config/index.ts";
import { defaultThreads } from "../engine/embedded/machine-info.ts";
import { hooksOf } from "../notify/index.ts";
import { openStore } from "../store/index.ts";
import { prepareRows } from "../trainer/encoded-rows.ts";
import { writeDurably } from "../util/durable.ts";
import { startDoctor } from "./doctor-file.ts";
import { createRunFolder } from "./find-run.ts";
import { printResult } from "./result.ts";
import { withoutCurrentDirectory } from "./short-path.ts";
import type { Terminal } from "./terminal.ts";
import { trainRun } from "./training-session.ts";

export interface StartOptions {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** The run is called `<name>-<n>`. */
  readonly name: string;
  readonly json: boolean;
  readonly wait: boolean;
  readonly dashboard: boolean;
  readonly terminal: Terminal;
}

/** Returns the exit code; throws whatever ends the run early. */
export async function startRun(options: StartOptions): Promise<number> {
  const { warnings, name, json, wait, dashboard, terminal } = options;
  const config = withModelSizes({ ...options.config, threads: options.config.threads || defaultThreads() });
  for (const warning of warnings)
    terminal.note(`${terminal.noteColours.yellow("warning:")} ${withoutCurrentDirectory(warning)}`);
  // Bad rows are an error of what was typed, and leave no run behind.
  const prepared = prepareRows(config);
  // So is a webhook whose address the environment lacks.
  hooksOf(config.control.notify, process.env);
  const place = createRunFolder({ workspace: config.workspace, name, taken: recordedIds(config.workspace) });
  const recorded = recordedConfig(config, place.folder);
  try {
    writeDurably(join(place.folder, "config.json"), recorded);
  } catch (error) {
    rmSync(place.folder, { recursive: true, force: true });
    throw error;
  }
  const doctor = config.ppo ? startDoctor(place.folder) : null;
  try {
    const session = await trainRun({ config, recorded, place, prepared, resume: false, wait, dashboard, terminal });
    printResult({ ...session, config, place }, { terminal, json });
    return 0;
  } finally {
    await doctor?.close();
  }
}

/** A run whose folder was deleted is still in the database under its id. */
function recordedIds(workspace: string): string[] {
  const path = join(workspace, "ballast.db");
  if (!existsSync(path)) return [];
  const store = openStore(path, { readonly: true });
  try {
    return store.runs().map(({ id }) => id);
  } finally {
    store.close();
  }
}
