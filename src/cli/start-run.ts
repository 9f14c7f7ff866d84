/** Starts a new run of a configuration from the command line: warnings, the training, the result. */
import type { Config } from "../config/index.ts";
import { newRun } from "../run/new-run.ts";
import type { RunFacts } from "../run/open-run.ts";
import { ProgressDisplay } from "./progress.ts";
import { printResult } from "./result.ts";
import { withoutCurrentDirectory } from "./short-path.ts";
import { shownValues } from "./shown-values.ts";
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
  /** Who starts it, as the record keeps it. */
  readonly operator: string;
  readonly terminal: Terminal;
}

/** A new run. Its rows are read and encoded, which is shown if it takes long. */
function readRun({ config, name, terminal }: StartOptions): RunFacts {
  const display = new ProgressDisplay({ terminal, pick: shownValues });
  try {
    return newRun({ config, name, onEncoding: (progress) => display.update(progress) });
  } finally {
    display.close();
  }
}

/** Starts a run. Returns the exit code; throws whatever ends the run early. */
export async function startRun(options: StartOptions): Promise<number> {
  const { warnings, json, wait, dashboard, operator, terminal } = options;
  for (const warning of warnings)
    terminal.note(`${terminal.noteColours.yellow("warning:")} ${withoutCurrentDirectory(warning)}`);
  const run = readRun(options);
  const { config, place } = run;
  const session = await trainRun({ run, wait, dashboard, operator, terminal });
  printResult({ ...session, config, place }, { terminal, json });
  return 0;
}
