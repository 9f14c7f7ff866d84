/** Starts a new run of a configuration from the command line: warnings, the training, the doctor beside it, the result. */
import type { Config } from "../config/index.ts";
import { newRun } from "../run/new-run.ts";
import { startDoctor } from "./doctor-file.ts";
import { printResult } from "./result.ts";
import { withoutCurrentDirectory } from "./short-path.ts";
import type { Terminal } from "./terminal.ts";
import { trainRun } from "./training-session.ts";

export interface StartOptions {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** The run will be called `<name>-<n>`. */
  readonly name: string;
  readonly json: boolean;
  readonly wait: boolean;
  readonly dashboard: boolean;
  readonly terminal: Terminal;
}

/** Starts a run. Returns the exit code; throws whatever ends the run early. */
export async function startRun(options: StartOptions): Promise<number> {
  const { warnings, name, json, wait, dashboard, terminal } = options;
  for (const warning of warnings)
    terminal.note(`${terminal.noteColours.yellow("warning:")} ${withoutCurrentDirectory(warning)}`);
  const run = newRun({ config: options.config, name });
  const { config, place } = run;
  const doctor = config.ppo ? startDoctor(place.folder) : null;
  try {
    const session = await trainRun({ run, wait, dashboard, terminal });
    printResult({ ...session, config, place }, { terminal, json });
    return 0;
  } finally {
    await doctor?.close();
  }
}
