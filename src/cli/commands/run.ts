/** `ballast run`, `sft`, `reward` and `ppo`: the stages of a configuration. */

import { stages } from "../../config/changes.ts";
import { type Config, injected, type Loaded, loadConfig } from "../../config/index.ts";
import type { Stage } from "../../types/records.ts";
import { UsageError } from "../../util/errors.ts";
import { stagesFor } from "../stages.ts";
import { startRun } from "../start.ts";
import type { Terminal } from "../terminal.ts";

export interface RunOptions {
  readonly command: "run" | Stage;
  /** Path of the YAML file. */
  readonly file: string;
  readonly overrides: readonly string[];
  readonly inject?: readonly string[];
  readonly wait?: boolean;
  readonly dashboard?: boolean;
  readonly json?: boolean;
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
  terminal,
}: RunOptions): Promise<number> {
  const loaded = loadConfig(file, [...overrides, ...injected(inject)]);
  const config = stagesFor(command, loaded.config, file);
  checkModels(config, loaded);
  return startRun({ config, warnings: loaded.warnings, name: config.name ?? command, json, wait, dashboard, terminal });
}

/** A stage on its own starts from models that are there; in a pipeline an earlier one may be about to make them. */
function checkModels(config: Config, { missingModels }: Loaded): void {
  if (stages.filter((stage) => config[stage] !== undefined).length > 1) return;
  const missing = missingModels.filter(({ section }) => config[section] !== undefined);
  if (missing.length === 0) return;
  throw new UsageError(
    missing.map(({ warning }) => warning).join("\n"),
    "An earlier stage makes such a folder: train that first, or name one that is there.",
  );
}
