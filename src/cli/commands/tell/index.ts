/** `ballast tell`: an operator's commands to a run's trainer, which reads them between two iterations. */
import { configOf, findRun } from "../../../inspect/places.ts";
import { changeGiven, checkedCommand, commandContext, commandKinds, whatFollows } from "../../../operator/command.ts";
import { operatorName } from "../../../operator/operator-name.ts";
import { databaseOf, type NewCommand, openStore } from "../../../store/index.ts";
import { UsageError } from "../../../util/errors.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { naming, resumeCommand, showCommand } from "../../find-run.ts";
import { jsonLine } from "../../json-line.ts";
import { settingText } from "../../settings-text.ts";
import type { Terminal } from "../../terminal.ts";

export interface TellOptions {
  /** A run's id or folder. */
  readonly run: string;
  /** One of pause, resume, save, stop, set, undo. */
  readonly what: string;
  /** For set: texts `key=value`; for undo: the number of an intervention. */
  readonly details: readonly string[];
  readonly reason?: string;
  readonly workspace: string;
  readonly json?: boolean;
  /** Who tells it; default: the login name. */
  readonly as?: string;
  readonly terminal: Terminal;
}

/** Writes all commands or, if any of them could not be carried out, none. */
export async function tell(options: TellOptions): Promise<number> {
  const { run: name, what, details, reason = "", workspace, json = false, terminal } = options;
  const operator = operatorName(options.as);
  const place = findRun(name, workspace);
  const typed = {
    resume: resumeCommand(place),
    show: (incident: number) => showCommand(incident, place.workspace),
  };
  const store = openStore(databaseOf(place.workspace));
  try {
    const config = configOf(place);
    const contextNow = () => {
      const run = store.run(place.id);
      if (run !== undefined) return commandContext(store, { run, config, typed });
      throw new UsageError(
        `run ${place.id} has not begun: no trainer takes commands yet`,
        "Wait until it has loaded its models.",
      );
    };
    const told = store.together(() =>
      payloadsOf(what, details).map((payload) => {
        const command = checkedCommand({ kind: what, reason, ...(payload && { payload }) }, contextNow());
        return { id: store.addCommand(place.id, { ...command, operator }), ...command, operator };
      }),
    );
    const next = whatFollows(told.at(-1)!, contextNow());
    if (json) terminal.out(jsonLine({ run: place.id, commands: told, next }));
    else {
      for (const { id, ...command } of told) terminal.out(`command ${id}: ${printableLine(wordsOf(command))}`);
      terminal.out(next);
    }
  } catch (error) {
    throw naming(error, place);
  } finally {
    store.close();
  }
  return 0;
}

/** One payload per command; undefined for commands that take none. */
function payloadsOf(what: string, details: readonly string[]): (Record<string, unknown> | undefined)[] {
  if (what === "set") {
    if (details.length === 0)
      throw new UsageError("set needs KEY=VALUE", "For example: ballast tell RUN set ppo.kl.coef=0.1");
    return details.map((text) => ({ ...changeGiven(text) }));
  }
  if (what === "undo") {
    if (details.length !== 1)
      throw new UsageError(
        details.length === 0
          ? "undo needs an intervention's number"
          : `one intervention at a time, not ${details.join(" ")}`,
        "For example: ballast tell RUN undo 3. `ballast history RUN` shows their numbers.",
      );
    const [text] = details as [string];
    return [{ intervention: /^\d{1,15}$/.test(text) ? Number(text) : text }];
  }
  if (details.length > 0 && commandKinds.some((kind) => kind === what))
    throw new UsageError(
      `${what} takes no arguments, not ${details.join(" ")}`,
      details.some((text) => text.includes("="))
        ? `Did you mean: set ${details.join(" ")}?`
        : "Say why with --reason TEXT.",
    );
  return [undefined];
}

function wordsOf({ kind, payload = {} }: NewCommand): string {
  if (kind === "set") return `set ${payload.key} to ${settingText(payload.value as string | number | boolean | null)}`;
  return kind === "undo" ? `undo intervention ${payload.intervention}` : kind;
}
