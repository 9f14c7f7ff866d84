/** The doctor's finding on a configuration's rows: what would stop `ballast run` before its first step. */
import { existsSync } from "node:fs";
import type { Config } from "../../../config/index.ts";
import type { Finding } from "../../../control/doctor/index.ts";
import { prepareRows } from "../../../trainer/encoded-rows.ts";
import { checkRows } from "../../../trainer/run-rows.ts";
import { BallastError } from "../../../util/errors.ts";
import { withoutCurrentDirectory } from "../../short-path.ts";

/** One finding for all rows; none if all rows are the built-in task's. */
export function rowFindings(config: Config): Finding[] {
  const { sft, reward, ppo, evaluation, control, tokenizer } = config;
  const own = [sft?.data, sft?.evaluation, reward?.data, reward?.evaluation, ppo?.prompts, evaluation.prompts];
  if ([...own, control.monitor.prompts, control.probes.ratings].every((source) => source === undefined)) return [];
  try {
    // An earlier run may be about to make the folder.
    if (tokenizer.path !== undefined && !existsSync(tokenizer.path)) checkRows(config);
    else prepareRows(config);
    return [];
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
    return [
      {
        id: "rows/unusable",
        severity: "error",
        what: withoutCurrentDirectory(error.message),
        why: "the run would stop before its first step",
        remedy: error.hint ?? "correct the rows, or leave them out",
        source: "docs/data-formats.md",
      },
    ];
  }
}
