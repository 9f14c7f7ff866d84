/** Commands to a run's trainer: as command lines, and as entries of a list. */
import type { CommandKind, CommandRecord } from "../../../../../src/types/records.ts";
import { visible } from "../../../format.ts";
import { commandOf, quoted } from "../../../state/workspace.ts";

export interface Telling {
  readonly kind: CommandKind;
  /** The run's name on a command line. */
  readonly run: string;
  readonly payload?: Readonly<Record<string, unknown>>;
  readonly reason?: string;
}

/** The command line: `ballast tell demo-1 set ppo.kl.coef=0.1 --reason 'it drifts'`. */
export function tellCommand({ kind, run, payload = {}, reason = "" }: Telling): string {
  const words = ["tell", quoted(run), kind, ...argumentsOf(kind, payload).map(quoted)];
  const because = reason.trim() === "" ? [] : ["--reason", quoted(reason.trim())];
  return commandOf([...words, ...because].join(" "));
}

function argumentsOf(kind: CommandKind, payload: Readonly<Record<string, unknown>>): string[] {
  if (kind === "set") return [`${String(payload.key)}=${payload.value === "" ? "..." : String(payload.value)}`];
  return kind === "undo" ? [String(payload.intervention)] : [];
}

/** A command in words: `set ppo.kl.coef to 0.1`. */
export function givenWords({ kind, payload }: Pick<CommandRecord, "kind" | "payload">): string {
  if (kind === "set") return visible(`set ${String(payload.key)} to ${String(payload.value)}`);
  if (kind === "undo") return `undo intervention ${String(payload.intervention)}`;
  return kind;
}

/** A command and its result: `set ppo.kl.coef to 0.1: applied before ppo it 12`. */
export function commandWords(command: CommandRecord): string {
  return `${givenWords(command)}: ${fateOf(command, { isAlive: true }).word}`;
}

/** The state of a command, as a shape and a word. */
export function fateOf(
  { appliedIteration, appliedStage }: Pick<CommandRecord, "appliedIteration" | "appliedStage">,
  { isAlive }: { readonly isAlive: boolean },
): { readonly shape: string; readonly word: string; readonly isWaiting: boolean } {
  if (appliedIteration !== null) {
    return { shape: "✓", word: `applied before ${appliedStage ?? ""} it ${appliedIteration}`, isWaiting: false };
  }
  return { shape: "◌", word: isAlive ? "waiting for the trainer" : "waiting for the run to continue", isWaiting: true };
}

/** The value that a text has on a command line. */
export function typedValue(text: string): number | string | boolean | null {
  const word = text.trim();
  if (word === "null" || word === "none") return null;
  if (word === "true" || word === "false") return word === "true";
  return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
}
