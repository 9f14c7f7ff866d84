/** The operator's commands, and what became of each. */

import { isFile } from "../../../api.ts";
import { Card, Empty } from "../../../components/parts.tsx";
import { ago, plural, visible } from "../../../format.ts";
import { now } from "../../../state/clock.ts";
import { fateOf, givenWords } from "./tell.ts";
import type { Steered } from "./use-control.ts";

/** Number of commands shown before the rest is unfolded. */
const few = 6;

export function CommandsGiven({ control, run }: Steered) {
  const newest = [...control.commands].reverse();
  const waiting = newest.filter(({ appliedIteration }) => appliedIteration === null).length;
  const row = (command: (typeof newest)[number]) => {
    const { shape, word, isWaiting } = fateOf(command, { isAlive: run.alive });
    return (
      <li key={command.id}>
        <span class={`state ${isWaiting ? "warn" : "quiet"}`}>
          <span aria-hidden="true">{shape}</span>
        </span>
        <span>
          <b>{givenWords(command)}</b>
          {command.reason !== "" && `: ${visible(command.reason)}`}{" "}
          <span class="quiet">
            {word}, {isFile ? new Date(command.createdAt).toLocaleString() : ago(now.value - command.createdAt)}
          </span>
        </span>
      </li>
    );
  };
  return (
    <Card
      title="Commands given"
      aside={newest.length > 0 && <span class="quiet">{waiting === 0 ? "none is waiting" : `${waiting} waiting`}</span>}
    >
      {newest.length === 0 ? (
        <Empty>No commands yet. Commands from this page and from a terminal appear here.</Empty>
      ) : (
        <ul class="given">{newest.slice(0, few).map(row)}</ul>
      )}
      {newest.length > few && (
        <details>
          <summary>{plural(newest.length - few, "older command")}</summary>
          <ul class="given">{newest.slice(few).map(row)}</ul>
        </details>
      )}
    </Card>
  );
}
