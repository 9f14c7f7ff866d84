/** `ballast delete`: permanently removes a run, both its folder and its records in the database. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { createInterface } from "node:readline/promises";
import { runOrigin } from "../../../config/run-manifest.ts";
import { findRun, type RunPlace } from "../../../inspect/places.ts";
import { lockRun } from "../../../run/lock.ts";
import { removeRun } from "../../../run/remove-run.ts";
import { databaseOf, type RunRow, withStore } from "../../../store/index.ts";
import { BallastError, UsageError } from "../../../util/errors.ts";
import { shortPath } from "../../short-path.ts";
import type { Terminal } from "../../terminal.ts";

export interface DeleteOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** Do not ask for confirmation. */
  readonly yes?: boolean;
  readonly workspace: string;
  readonly terminal: Terminal;
  /** Asks a question on the terminal; null if nobody is there to answer. */
  readonly ask?: ((question: string) => Promise<string>) | null;
}

export async function deleteRun({
  run,
  yes = false,
  workspace,
  terminal,
  ask = process.stdin.isTTY === true ? askOnTerminal : null,
}: DeleteOptions): Promise<number> {
  const place = runToDelete(run, workspace);
  const lock = existsSync(place.folder) ? lockRun(place.folder) : null;
  try {
    const users = runsBuiltOn(place);
    const c = terminal.noteColours;
    for (const { id, keys } of users)
      terminal.note(
        `${c.yellow("warning:")} ${id} builds on it (${keys.join(", ")}) and cannot be resumed or run again afterwards`,
      );
    if (!yes) {
      if (ask === null)
        throw new UsageError(
          `${place.id} was not deleted: it needs your yes, and there is no terminal to ask on`,
          "Add --yes.",
        );
      const answer = await ask(
        `Delete ${place.id}, its folder ${shortPath(place.folder)} and its whole record? (y/N) `,
      );
      if (!/^\s*y(es)?\s*$/i.test(answer)) {
        terminal.note("Nothing was deleted.");
        return 1;
      }
    }
    const left = removeRun(place, lock);
    terminal.note(`${place.id} is deleted`);
    if (left !== null)
      terminal.note(`${c.yellow("warning:")} ${shortPath(left)} could not be removed: delete it yourself`);
    return 0;
  } finally {
    lock?.release();
  }
}

/** The run that is meant, only if it is certainly one: other programs write a config.json into their folders too. */
function runToDelete(run: string, workspace: string): RunPlace {
  const row = rowOf(run, workspace);
  const isFolder = existsSync(join(workspace, run, "config.json")) || existsSync(join(run, "config.json"));
  if (row !== undefined && !isFolder && !/[\\/]/.test(run)) {
    if (row.alive)
      throw new BallastError(`run ${run} is in use by a live process`, "Stop it first, with Ctrl-C where it runs.");
    return { id: run, folder: resolve(workspace, run), workspace: resolve(workspace) };
  }
  const place = findRun(run, workspace);
  if (rowOf(place.id, place.workspace) === undefined && runOrigin(place.folder)?.run !== place.id)
    throw new UsageError(
      `${shortPath(place.folder)} is not a run of this workspace`,
      "Nothing was deleted. Remove the folder yourself if you are sure of it.",
    );
  return place;
}

function rowOf(id: string, workspace: string): RunRow | undefined {
  return existsSync(databaseOf(workspace)) ? withStore(workspace, (store) => store.run(id)) : undefined;
}

/** Runs in the workspace whose configuration names a file in this run's folder, or the run itself, with the settings that do. */
function runsBuiltOn({ id, folder, workspace }: RunPlace): { readonly id: string; readonly keys: string[] }[] {
  return readdirSync(workspace)
    .filter((other) => other !== id && existsSync(join(workspace, other, "config.json")))
    .map((other) => {
      const from = join(workspace, other);
      const builds = (value: string) => value === id || `${resolve(from, value)}${sep}`.startsWith(`${folder}${sep}`);
      return {
        id: other,
        keys: textsIn(jsonAt(join(from, "config.json")))
          .filter(([, text]) => builds(text))
          .map(([key]) => key),
      };
    })
    .filter(({ keys }) => keys.length > 0);
}

function jsonAt(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/** All texts in a value, by dotted key. */
function textsIn(value: unknown, key = ""): [string, string][] {
  if (typeof value === "string") return [[key, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) => textsIn(child, key === "" ? name : `${key}.${name}`));
}

async function askOnTerminal(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
