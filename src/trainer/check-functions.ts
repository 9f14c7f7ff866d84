/** Loads the user's functions of a run before anything trains: a file that cannot be used must not cost the stages before PPO. */
import { checkFunction } from "../reward/index.ts";
import type { Config } from "../settings/config-schema.ts";

/** Loads every function of rewards and gold check once. Errors: RewardError for a file that cannot be loaded or exports no function. */
export async function checkFunctions({ ppo }: Pick<Config, "ppo">): Promise<void> {
  const checks = ppo ? [...ppo.rewards, ...(ppo.gold ? [ppo.gold] : [])] : [];
  for (const check of checks) if (check.kind === "function") await checkFunction(check.path);
}
