/** `ballast resume`: goes on with a run from its newest checkpoint. */
import { type Config, parseResolvedConfig } from "../../config/index.ts";
import { checkRunFiles } from "../../config/run-manifest.ts";
import { findRun } from "../../record/places.ts";
import { checkDatabase } from "../database-check.ts";
import { injectInto } from "../inject.ts";
import { printResult } from "../result.ts";
import { trainRun } from "../session.ts";
import type { Terminal } from "../terminal.ts";

export interface ResumeOptions {
  /** A run's id or folder. */
  readonly run: string;
  readonly workspace: string;
  readonly allowChangedReward?: boolean;
  readonly allowChangedData?: boolean;
  /** Faults to inject from here on, beside those that the run has. */
  readonly inject?: readonly string[];
  readonly wait?: boolean;
  readonly dashboard?: boolean;
  readonly json?: boolean;
  readonly terminal: Terminal;
}

export async function resume(options: ResumeOptions): Promise<number> {
  const {
    run,
    workspace,
    allowChangedReward = false,
    allowChangedData = false,
    inject = [],
    wait = false,
    dashboard = false,
    json = false,
    terminal,
  } = options;
  const place = findRun(run, workspace);
  await checkRunFiles(place.folder);
  checkDatabase(place);
  const recorded = await injectInto(place.folder, inject);
  const config = changed(parseResolvedConfig(recorded, place.folder), { allowChangedReward });
  const session = await trainRun({
    config,
    recorded,
    place,
    resume: true,
    allowChangedData,
    wait,
    dashboard,
    terminal,
  });
  printResult({ ...session, config, place }, { terminal, json });
  return 0;
}

function changed(config: Config, { allowChangedReward }: { allowChangedReward: boolean }): Config {
  return allowChangedReward && config.ppo ? { ...config, ppo: { ...config.ppo, allowChangedReward } } : config;
}
