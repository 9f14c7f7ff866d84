/** Finds the run that a program continues: its own newest one, if that is not done. */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkedConfig, differences } from "../config/index.ts";
import { completed } from "../run/completed-config.ts";
import { knownRun } from "../run/known-run.ts";
import { recordRun } from "../run/new-run.ts";
import type { RunFacts } from "../run/open-run.ts";
import type { ConfigInput } from "../settings/config-schema.ts";
import { UsageError } from "../util/errors.ts";

/**
 * The unfinished run of a named configuration, or a new one.
 * @throws UsageError if the unfinished run began with different settings
 */
export async function unfinishedOrNewRun(input: ConfigInput & { readonly name: string }): Promise<RunFacts> {
  const config = completed(checkedConfig(input, { command: "ppo" }).config);
  const { name } = input;
  const workspace = resolve(config.workspace);
  const id = newestRun(workspace, name);
  const folder = id === null ? null : join(workspace, id);
  if (id === null || folder === null || existsSync(join(folder, "ppo", "final"))) return recordRun({ config, name });
  const known = await knownRun({ id, folder, workspace });
  const changed = differences(known.config, config).filter(({ key }) => key !== "workspace");
  if (changed.length === 0) return known;
  const words = changed.map(
    ({ key, before, after }) => `${key} ${JSON.stringify(before)}, now ${JSON.stringify(after)}`,
  );
  throw new UsageError(
    `the run ${id} is not done, and began with other settings: ${words.join("; ")}`,
    `Put them back, or begin a new run with a different exp_name. To let the unfinished one go: ballast delete ${id}.`,
  );
}

function newestRun(workspace: string, name: string): string | null {
  if (!existsSync(workspace)) return null;
  const numbers = readdirSync(workspace)
    .filter((id) => id.startsWith(`${name}-`) && existsSync(join(workspace, id, "config.json")))
    .map((id) => id.slice(name.length + 1))
    .filter((rest) => /^\d+$/.test(rest))
    .map(Number);
  return numbers.length === 0 ? null : `${name}-${Math.max(...numbers)}`;
}
