/** The run that a request names: its row, its configuration, and its folder, which lies in the workspace or is taken for absent. */
import { existsSync, realpathSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import type { Config } from "../config/index.ts";
import { runOrigin } from "../config/run-manifest.ts";
import type { RunPlace } from "../inspect/places.ts";
import type { RunRow, Store } from "../store/index.ts";
import { Refusal } from "./problem.ts";

/** As runs are named (src/settings/config-schema.ts): a name that is no path. */
const runId = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

/** Files of a run that answers read. */
const files = ["manifest.json", "config.json", "rules.json", "evaluation.json", "doctor.json"];

/** @throws Refusal 404 where the workspace has no run of this id. */
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

/** The same for as long as what is recorded of an iteration stays as it is: a new attempt may take it over from where it begins. */
export function attemptKey({ attempt, begins }: Pick<RunRow, "attempt" | "begins">): string {
  return `${attempt} ${begins?.stage} ${begins?.iteration}`;
}

/** Where the run's folder lies in the workspace; null where it is gone, or it holds another run, or any of it leads out of the workspace. */
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

/** As `placeOf`. @throws Refusal 409 where there is none. */
export function neededPlace(context: { readonly workspace: string }, id: string): RunPlace {
  const place = placeOf(context, id);
  if (place !== null) return place;
  throw new Refusal(
    409,
    `the folder of run ${id} is not in this workspace`,
    "Its record is; what lies in the folder is gone.",
  );
}

/** The configuration as the record has it. Not checked: an older version may have written it. */
export function recordedConfigOf({ config }: RunRow): Partial<Config> {
  try {
    const parsed: unknown = JSON.parse(config);
    return typeof parsed === "object" && parsed !== null ? (parsed as Partial<Config>) : {};
  } catch {
    return {};
  }
}
