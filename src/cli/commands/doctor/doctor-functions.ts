/** The doctor's finding on the user's functions: what would stop a run before its first step. */
import type { Config } from "../../../config/index.ts";
import type { Finding } from "../../../control/doctor/index.ts";
import { RowsError } from "../../../data/index.ts";
import { checkFunctions } from "../../../trainer/check-functions.ts";
import { openRows, type RunRows } from "../../../trainer/run-rows.ts";
import { RewardError } from "../../../util/errors.ts";
import { withoutCurrentDirectory } from "../../short-path.ts";

/** Loads the functions and calls them for a few rows; a finding on the first that cannot be used. */
export async function unusableFunctions(config: Config): Promise<Finding[]> {
  try {
    await checkFunctions(config, readableRows(config));
    return [];
  } catch (error) {
    if (!(error instanceof RewardError)) throw error;
    return [
      {
        id: "reward/unusable",
        severity: "error",
        what: withoutCurrentDirectory(error.message),
        why: "the run would stop, at the latest when it first scores an answer",
        remedy: error.hint?.replace(/, then continue with: .*$/, "") ?? "correct the file",
        source: "docs/config.md, ppo.rewards",
      },
    ];
  }
}

/** The run's rows; none if they cannot be read, which has findings of its own: the functions are then only loaded. */
function readableRows(config: Config): Pick<RunRows, "prompts" | "sft"> {
  const rows = openRows(config);
  try {
    rows.prompts();
    if (config.sft) rows.sft();
    return rows;
  } catch (error) {
    if (!(error instanceof RowsError)) throw error;
    return { prompts: () => [], sft: () => ({ train: [], heldOut: [] }) };
  }
}
