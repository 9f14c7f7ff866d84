/** `ballast resume --inject`: gives the run faults from now on, and records them in its folder. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkpointSteps } from "../../../config/checkpoint-names.ts";
import { parseResolvedConfig, recordedConfig, withFaults } from "../../../config/index.ts";
import { replaceRunFile } from "../../../config/run-manifest.ts";
import { lockRun } from "../../../run/lock.ts";
import { UsageError } from "../../../util/errors.ts";

/**
 * Returns the recorded configuration with the faults added. A repetition of the run must have them where this run had them: a fault without an
 * iteration begins where the run continues, and an earlier one is refused with UsageError.
 */
export async function injectInto(folder: string, texts: readonly string[]): Promise<string> {
  const path = join(folder, "config.json");
  const before = readFileSync(path, "utf8");
  if (texts.length === 0) return before;
  const now = checkpointSteps(join(folder, "ppo")).at(-1) ?? 0;
  const config = withFaults(
    parseResolvedConfig(before, folder),
    texts.map((text) => (text.includes("@") ? text : `${text}@${now}`)),
  );
  const past = texts.find((text) => Number(text.split("@")[1] ?? now) < now);
  if (past !== undefined)
    throw new UsageError(
      `${past} would begin in the run's past: the run resumes at iteration ${now}`,
      `Try ${past.split("@")[0]}@${now}.`,
    );
  const recorded = recordedConfig(config, folder);
  // Not while a process trains in the folder.
  const lock = lockRun(folder);
  try {
    await replaceRunFile(folder, "config.json", recorded);
  } finally {
    lock.release();
  }
  return recorded;
}
