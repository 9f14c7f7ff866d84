/** The doctor's finding on the user's functions: what would stop a run before its first step. */
import type { Config } from "../../../config/index.ts";
import type { Finding } from "../../../control/doctor/index.ts";
import { checkFunctions } from "../../../trainer/check-functions.ts";
import { RewardError } from "../../../util/errors.ts";
import { withoutCurrentDirectory } from "../../short-path.ts";

/** Loads the functions; a finding on the first that cannot be used. */
export async function unusableFunctions(config: Config): Promise<Finding[]> {
  try {
    await checkFunctions(config);
    return [];
  } catch (error) {
    if (!(error instanceof RewardError)) throw error;
    return [
      {
        id: "reward/unusable",
        severity: "error",
        what: withoutCurrentDirectory(error.message),
        why: "the run would stop before its first step",
        remedy: error.hint ?? "correct the file",
        source: "docs/config.md, ppo.rewards",
      },
    ];
  }
}
