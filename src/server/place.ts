/** The run that a request names: its row, its configuration, and its folder, which counts as absent unless it is in the workspace. */
import { existsSync, realpathSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import type { Config } from "../config/index.ts";
import { runOrigin } from "../config/run-manifest.ts";
import type { RunPlace } from "../inspect/places.ts";
import type { RunRow, Store } from "../store/index.ts";
import { Refusal } from "./problem.ts";

/** A run's name as in src/settings/config-schema.ts: a name that is not a path. */
const runId = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

/** Files in a run's folder that answers read. */
const files = ["manifest.json", "config.json", "rules.json", "evaluation.json", "doctor.json"];

/**
 * The run's row.
 * @throws Refusal 404 if the workspace has no run with this id.
 */
export function runOf({ store }: { readonly store: Store }, id: string): RunRow {
  const run = runId.test(id) ? store.run(id) : undefined;
  if (run !== undefined) return run;
  const known = store.runs().map((one) => one.id);
  throw new Refusal(
    404,
    `there is no run ${id.slice(0, 100)} in this workspace`,
    known.length > 0 ? `There are ${known.slice(0, 8).join(", ")}.` : "It has no runs yet.",
  );
}

/** A key that stays the same as long as the records of an iteration do: a new attempt may supersede them from where it begins. */
export function attemptKey({ attempt, begins }: Pick<RunRow, "attempt" | "begins">): string {
  return `${attempt} ${begins?.stage} ${begins?.iteration}`;
}

/** The run's folder in the workspace; null if it is gone, holds a different run, or any part of it leads out of the workspace. */
export function placeOf({ workspace }: { readonly workspace: string }, id: string): RunPlace | null {
  if (!runId.test(id)) return null;
  const folder = join(resolve(workspace), id);
  if (!existsSync(join(folder, "config.json"))) return null;
  const own = `${realpathSync(workspace)}${sep}`;
  const leaves = ["", ...files]
    .map((name) => join(folder, name))
    .some((path) => existsSync(path) && !realpathSync(path).startsWith(own));
  return leaves || holdsAnother(folder, id) ? null : { id, folder, workspace: resolve(workspace) };
}

function holdsAnother(folder: string, id: string): boolean {
  try {
    return (runOrigin(folder)?.run ?? id) !== id;
  } catch {
    return false;
  }
}

/**
 * Like `placeOf`, but required.
 * @throws Refusal 409 if there is none.
 */
export function neededPlace(context: { readonly workspace: string }, id: string): RunPlace {
  const place = placeOf(context, id);
  if (place !== null) return place;
  throw new Refusal(
    409,
    `the folder of run ${id} is not in this workspace`,
    "Its record is here, but the folder is gone.",
  );
}

/** The configuration as recorded. It is not checked, because an older version may have written it. */
export function recordedConfigOf({ config }: RunRow): Partial<Config> {
  try {
    const parsed: unknown = JSON.parse(config);
    return typeof parsed === "object" && parsed !== null ? (parsed as Partial<Config>) : {};
  } catch {
    return {};
  }
}
