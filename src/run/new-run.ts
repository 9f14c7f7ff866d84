/** A new run before it is opened: its rows, its folder and its recorded configuration. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Config, recordedConfig } from "../config/index.ts";
import { hooksOf } from "../notify/index.ts";
import { databaseOf, withStore } from "../store/index.ts";
import { type OnEncoding, prepareRows } from "../trainer/encoded-rows.ts";
import { writeDurably } from "../util/durable.ts";
import { completed } from "./completed-config.ts";
import { refuseTooLarge, rowFacts } from "./memory-plan.ts";
import type { RunFacts } from "./open-run.ts";
import { createRunFolder } from "./run-folder.ts";
import { withTokenBudget } from "./token-budget.ts";

export interface NewRunOptions {
  readonly config: Config;
  /** The run is called `<name>-<n>`. */
  readonly name: string;
  readonly onEncoding?: OnEncoding | undefined;
}

/** Reads the rows and makes the folder. Bad rows, or a webhook whose address the environment lacks, leave no run behind. */
export function newRun({ config, name, onEncoding }: NewRunOptions): RunFacts {
  const given = completed(config);
  const prepared = prepareRows(given, onEncoding);
  const complete = withTokenBudget(given, prepared.encoded.lengths().ppo ?? []);
  if (complete.engine.kind === "embedded") refuseTooLarge(complete, rowFacts(prepared));
  hooksOf(complete.control.notify, process.env);
  return { ...recordRun({ config: complete, name }), prepared };
}

/** Makes the folder of a run whose rows come from elsewhere. */
export function recordRun({ config: given, name }: NewRunOptions): RunFacts {
  const config = completed(given);
  const place = createRunFolder({ workspace: config.workspace, name, taken: recordedIds(config.workspace) });
  const recorded = recordedConfig(config, place.folder);
  try {
    writeDurably(join(place.folder, "config.json"), recorded);
  } catch (error) {
    rmSync(place.folder, { recursive: true, force: true });
    throw error;
  }
  return { config, recorded, place, resume: false };
}

/** Ids in the database: a run whose folder was deleted is still there. */
function recordedIds(workspace: string): string[] {
  if (!existsSync(databaseOf(workspace))) return [];
  return withStore(workspace, (store) => store.runs().map(({ id }) => id));
}
