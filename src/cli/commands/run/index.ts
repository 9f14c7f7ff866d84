/** `ballast run`, `sft`, `reward` and `ppo`: the stages of a configuration. */
import { injected, loadConfig } from "../../../config/index.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import type { Stage } from "../../../types/records.ts";
import { stagesFor } from "../../stage-command.ts";
import { startRun } from "../../start-run.ts";
import type { Terminal } from "../../terminal.ts";

export interface RunOptions {
  readonly command: "run" | Stage;
  /** Path of the YAML file. */
  readonly file: string;
  readonly overrides: readonly string[];
  readonly inject?: readonly string[];
  readonly wait?: boolean;
  readonly dashboard?: boolean;
  readonly json?: boolean;
  /** Who starts it; default: the login name. */
  readonly as?: string;
  readonly terminal: Terminal;
}

export async function run({
  command,
  file,
  overrides,
  inject = [],
  wait = false,
  dashboard = false,
  json = false,
  as,
  terminal,
}: RunOptions): Promise<number> {
  const loaded = loadConfig(file, [...overrides, ...injected(inject)], { command });
  const config = stagesFor(command, loaded.config, file);
  const operator = operatorName(as);
  return startRun({
    config,
    operator,
    warnings: loaded.warnings,
    name: config.name ?? command,
    json,
    wait,
    dashboard,
    terminal,
  });
}
