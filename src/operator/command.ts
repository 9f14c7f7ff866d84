/** An operator's commands to a run, checked as strictly as the configuration before they are written for the trainer. */
import { parse } from "yaml";
import type { Config } from "../config/index.ts";
import { applyChange, type Change, stageOfKey } from "../config/live-changes.ts";
import { parseOverride } from "../config/overrides.ts";
import { interventionsOf, isInForce, type RecordedIntervention } from "../inspect/run-interventions.ts";
import { liveSettingsOf } from "../settings/live-settings.ts";
import type { NewCommand, RunRow, Store } from "../store/index.ts";
import { type CommandKind, type CommandRecord, type Stage, stages } from "../types/records.ts";
import { BallastError, UsageError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";

export const commandKinds: readonly CommandKind[] = ["pause", "resume", "save", "stop", "set", "undo"];

/** What is known about the run when the command is given. */
export interface CommandContext {
  readonly run: Pick<RunRow, "id" | "state" | "alive" | "position">;
  /** The configuration as the run's folder records it. */
  readonly config: Config;
  /** Commands already given, oldest first. */
  readonly given: readonly CommandRecord[];
  readonly interventions: readonly RecordedIntervention[];
  /** The incident that waits for a decision; null if there is none. */
  readonly openIncident: number | null;
  readonly typed: Typed;
}

/** Command lines for hints, as the user would type them. */
export interface Typed {
  /** The command that continues the run. */
  readonly resume: string;
  /** The command that shows an incident of its workspace. */
  readonly show: (incident: number) => string;
}

export interface CommandRequest {
  readonly kind: string;
  /** {key, value} for set; {intervention} for undo. */
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
}

export function commandContext(
  store: Store,
  options: { readonly run: RunRow; readonly config: Config; readonly typed: Typed },
): CommandContext {
  const { run, config, typed } = options;
  return {
    run,
    config,
    typed,
    given: store.commands(run.id),
    interventions: interventionsOf(store, run.id),
    openIncident: store.incidents({ run: run.id, open: true })[0]?.id ?? null,
  };
}

/**
 * Checks a command.
 * @throws UsageError, with what to type instead, if the trainer could not carry it out.
 */
export function checkedCommand(
  { kind: word, payload = {}, reason = "" }: CommandRequest,
  context: CommandContext,
): NewCommand {
  const { run, openIncident, typed } = context;
  const kind = commandKinds.find((known) => known === word);
  if (kind === undefined) {
    const near = nearest(word, commandKinds);
    const asks = /^(status|state|progress|info|show|list|ps|log)$/i.test(word);
    throw new UsageError(
      `unknown command "${word}"`,
      asks
        ? `To see where runs stand: ballast runs. A trainer is told ${commandKinds.join(", ")}.`
        : near === undefined
          ? `The commands are: ${commandKinds.join(", ")}.`
          : `Did you mean ${near}?`,
    );
  }
  if (run.state === "done")
    throw new UsageError(`run ${run.id} is done: it takes no more commands`, "Start a new run with other settings.");
  const checked = { kind, reason: reason.trim() };
  if (kind === "set")
    return { ...checked, payload: { ...checkedChange(fieldsOf(payload, kind, ["key", "value"]), context) } };
  if (kind === "undo")
    return { ...checked, payload: { intervention: checkedUndo(fieldsOf(payload, kind, ["intervention"]), context) } };
  fieldsOf(payload, kind, []);
  if (kind === "resume") {
    if (openIncident !== null)
      throw new UsageError(
        `incident ${openIncident} of ${run.id} waits for a decision`,
        `How to decide: ${typed.show(openIncident)}`,
      );
    if (!isPaused(context))
      throw new UsageError(
        `run ${run.id} is not paused`,
        run.alive ? "There is nothing to resume." : `No process trains it; continue it with: ${typed.resume}`,
      );
  }
  return checked;
}

/** What will happen next, in a sentence. */
export function whatFollows(
  { kind, payload = {} }: NewCommand,
  { run, openIncident, typed }: Pick<CommandContext, "run" | "openIncident" | "typed">,
): string {
  const stage = kind === "set" ? stageOfKey(String(payload.key)) : null;
  if (stage !== null && run.position !== null && stages.indexOf(stage) > stages.indexOf(run.position.stage))
    return `Run ${run.id} applies it when ${stage} begins.`;
  if (!run.alive) return `No process trains ${run.id}; it is applied when you resume the run: ${typed.resume}`;
  if (openIncident !== null)
    return `Run ${run.id} waits for the decision on incident ${openIncident}, and applies it after that.`;
  if (run.state === "paused") return `Run ${run.id} is paused and applies it now.`;
  return `Run ${run.id} applies it before its next ${run.position?.stage === "ppo" ? "iteration" : "step"}.`;
}

/** Parses `key=value` from a command line or a form. */
export function changeGiven(text: string): Change {
  const { path, value } = parseOverride(text);
  let parsed: unknown;
  try {
    parsed = parse(value, { prettyErrors: false, logLevel: "error" });
  } catch {
    parsed = undefined;
  }
  if (isValue(parsed)) return { key: path.join("."), value: parsed };
  throw new UsageError(`${text}: expected a number, a word, true, false or null after the =`);
}

function checkedChange(
  { key, value }: Readonly<Record<string, unknown>>,
  { run, config, given }: CommandContext,
): Change {
  if (typeof key !== "string" || !isValue(value))
    throw new UsageError(
      "set needs a key, such as ppo.kl.coef, and a value: a number, a word, true, false or null",
      "For example: ppo.kl.coef=0.1",
    );
  const stage = stageOfKey(key);
  const section = stage === null ? undefined : config[stage];
  if (stage === null || section === undefined) throw noSuchSetting(key, { run, config });
  if (run.position !== null && stages.indexOf(stage) < stages.indexOf(run.position.stage))
    throw new UsageError(`${key}: ${stage} of ${run.id} is over`, `It is in ${run.position.stage} now.`);
  const change = { key, value };
  applyChange({ config, stage, section: sectionAfter(given, { config, stage, section }), change });
  return change;
}

function noSuchSetting(key: string, { run, config }: Pick<CommandContext, "run" | "config">): UsageError {
  const present = stages.filter((stage) => config[stage] !== undefined);
  const all = present.flatMap((stage) => liveSettingsOf(stage, config[stage]!).map((live) => `${stage}.${live}`));
  const near = nearest(key, all) ?? all.find((one) => one.endsWith(`.${key}`));
  return new UsageError(
    `run ${run.id} has no setting ${key}`,
    near === undefined ? `These can be set: ${all.join(", ")}.` : `Did you mean ${near}?`,
  );
}

/** A section as earlier commands leave it; the trainer refuses those that no longer fit, and goes on. */
function sectionAfter(
  given: readonly CommandRecord[],
  { config, stage, section: first }: { readonly config: Config; readonly stage: Stage; readonly section: object },
): object {
  let section = first;
  for (const { kind, payload } of given) {
    if (kind !== "set" || stageOfKey(String(payload.key)) !== stage || !isValue(payload.value)) continue;
    try {
      section = applyChange({ config, stage, section, change: { key: String(payload.key), value: payload.value } });
    } catch (error) {
      if (!(error instanceof BallastError)) throw error;
    }
  }
  return section;
}

function checkedUndo(
  { intervention: id }: Readonly<Record<string, unknown>>,
  { run, given, interventions }: CommandContext,
): number {
  const active = interventions.filter((one) => isInForce(one, run));
  const choice =
    active.length === 0
      ? "None is in force now."
      : `In force: ${active.map(({ id, reason }) => `${id} (${reason})`).join("; ")}.`;
  if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 1)
    throw new UsageError(`undo needs the number of an intervention, not ${shown(id)}`, choice);
  const one = interventions.find((known) => known.id === id);
  if (one === undefined) throw new UsageError(`run ${run.id} has no intervention ${id}`, choice);
  if (one.until === null)
    throw new UsageError(
      `intervention ${id} (${one.action}) was a one-time action and cannot be undone`,
      "If an incident is open, its decision can roll back to a checkpoint: ballast incidents resolve.",
    );
  if (one.outcome !== null) throw new UsageError(`intervention ${id} has ended: ${one.outcome.message}`, choice);
  if (!active.includes(one)) throw new UsageError(`intervention ${id} ended before iteration ${one.until}`, choice);
  const asked = given.some(
    ({ kind, payload, appliedIteration }) =>
      kind === "undo" && payload.intervention === id && appliedIteration === null,
  );
  if (asked) throw new UsageError(`intervention ${id} is being undone already`, "It ends before the next iteration.");
  return id;
}

/** A value as text; lists and objects can be too deep to write. */
function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? "a list or an object" : JSON.stringify(value);
}

/** Whether the run is paused now, or will be by the commands that it has yet to read. */
function isPaused({ run, given }: CommandContext): boolean {
  const waiting = given.filter(({ kind, appliedIteration }) => {
    return appliedIteration === null && (kind === "pause" || kind === "resume");
  });
  const last = waiting.at(-1);
  return last === undefined ? run.alive && run.state === "paused" : last.kind === "pause";
}

function fieldsOf(
  payload: Readonly<Record<string, unknown>>,
  kind: CommandKind,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  const odd = Object.keys(payload).find((name) => !names.includes(name));
  if (odd !== undefined)
    throw new UsageError(
      `${kind} has no ${odd}`,
      names.length === 0 ? `${kind} takes only a reason.` : `It takes: ${names.join(", ")}.`,
    );
  return payload;
}

function isValue(value: unknown): value is Change["value"] {
  return value === null || ["number", "string", "boolean"].includes(typeof value);
}
