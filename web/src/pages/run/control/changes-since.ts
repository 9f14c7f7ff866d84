/** What has changed in a run since the user looked, for a request that was refused because of it. */
import type { ControlAnswer, RunSummary } from "../../../../../src/types/page.ts";
import { stateShapes, visible } from "../../../format.ts";
import { decidedWords } from "./decision.ts";
import { givenWords } from "./tell.ts";

export interface Seen {
  readonly control: Pick<ControlAnswer, "incidents" | "commands" | "active">;
  readonly run: Pick<RunSummary, "state" | "attempt">;
}

/** Sentences, the most important first; empty if nothing visible has changed. */
export function changesSince(before: Seen, now: Seen): string[] {
  const known = new Map(before.control.incidents.map((one) => [one.id, one]));
  const incidents = now.control.incidents.flatMap(({ id, summary, decision }) => {
    const old = known.get(id);
    if (old === undefined) return [`Incident ${id} opened: ${visible(summary)}.`];
    if (old.decision !== null || decision === null) return [];
    return [`Incident ${id} was decided: ${visible(`${decidedWords(decision)} (${decision.reason})`)}.`];
  });
  const last = before.control.commands.at(-1)?.id ?? 0;
  const commands = now.control.commands
    .filter(({ id }) => id > last)
    .map((command) => `Someone gave a command: ${givenWords(command)}${because(command.reason)}.`);
  const word = (state: RunSummary["state"]) => stateShapes[state].word;
  return [
    ...(before.run.state === now.run.state
      ? []
      : [`The run was ${word(before.run.state)} and is ${word(now.run.state)}.`]),
    ...(before.run.attempt === now.run.attempt ? [] : [`It continues as attempt ${now.run.attempt}.`]),
    ...incidents,
    ...commands,
  ];
}

function because(reason: string): string {
  return reason === "" ? "" : visible(` (${reason})`);
}
