/** `ballast demo`: the help desk, through all three stages. */
import { fileURLToPath } from "node:url";
import { injected, loadConfig } from "../../../config/index.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import { stagesFor } from "../../stage-command.ts";
import { startRun } from "../../start-run.ts";
import type { Terminal } from "../../terminal.ts";

export interface DemoOptions {
  readonly overrides: readonly string[];
  /** Workspace of the run; by default the configuration's. */
  readonly out?: string;
  readonly seed?: number;
  readonly inject?: readonly string[];
  readonly wait?: boolean;
  readonly dashboard?: boolean;
  readonly json?: boolean;
  /** Who starts it; default: the login name. */
  readonly as?: string;
  readonly terminal: Terminal;
}

/** The same file that users copy. */
const file = fileURLToPath(new URL("../../../../examples/helpdesk/pipeline.yaml", import.meta.url));

export async function demo({
  overrides,
  out,
  seed,
  inject = [],
  wait = false,
  dashboard = false,
  json = false,
  as,
  terminal,
}: DemoOptions): Promise<number> {
  const settings = [
    ...(out === undefined ? [] : [`workspace=${JSON.stringify(out)}`]),
    ...(seed === undefined ? [] : [`seed=${seed}`]),
    ...overrides,
    ...injected(inject),
  ];
  const { config, warnings } = loadConfig(file, settings, { command: "run" });
  const operator = operatorName(as);
  return startRun({
    ...{ config: stagesFor("run", config, file), warnings, name: "demo", operator },
    ...{ json, wait, dashboard, terminal },
  });
}
