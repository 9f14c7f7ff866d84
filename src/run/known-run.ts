/** An existing run, before it is opened to continue. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { requirePulled } from "../config/config-paths.ts";
import { parseResolvedConfig } from "../config/index.ts";
import { checkRunFiles } from "../config/run-manifest.ts";
import type { RunPlace } from "../inspect/places.ts";
import { checkDatabase } from "./database-check.ts";
import type { RunFacts } from "./open-run.ts";

/** Throws unless the run's files and its database are as Ballast left them. */
export async function checkRun(place: RunPlace): Promise<void> {
  await checkRunFiles(place.folder);
  checkDatabase(place);
}

/** The run in a folder, to be continued as it is. */
export async function knownRun(place: RunPlace): Promise<RunFacts> {
  await checkRun(place);
  const recorded = readFileSync(join(place.folder, "config.json"), "utf8");
  const config = parseResolvedConfig(recorded, place.folder);
  requirePulled(config);
  return { config, recorded, place, resume: true };
}
