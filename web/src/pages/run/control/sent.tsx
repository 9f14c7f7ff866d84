/** The result of a request: what happens next, what was wrong, or what had changed meanwhile. */
import { useEffect, useRef } from "preact/hooks";
import type { CommandRecord } from "../../../../../src/types/records.ts";
import { commandWords } from "./tell.ts";
import type { Sender } from "./use-control.ts";

interface SentProps {
  readonly sender: Sender;
  /** The commands given, if one was sent: the announced action is replaced by the completed one. */
  readonly commands?: readonly CommandRecord[];
}

/** The result. It takes the focus, because the button that was pressed may be gone. */
export function Sent({ sender: { error, conflict, done }, commands = [] }: SentProps) {
  const element = useRef<HTMLDivElement>(null);
  const command = done === null ? undefined : commands.find(({ id }) => id === done.id);
  useEffect(() => {
    if (done !== null) element.current?.focus();
  }, [done]);
  return (
    <div class="sent" ref={element} tabIndex={-1} aria-live="polite">
      {done !== null && (
        <p class="done">
          <span aria-hidden="true">✓</span> {command?.appliedIteration == null ? done.message : commandWords(command)}
        </p>
      )}
      {error !== null && (
        <div class="problem">
          <p>
            <b>✗ {error.message}</b> {error.hint}
          </p>
          {conflict !== null && conflict.length > 0 && (
            <ul>
              {conflict.map((change) => (
                <li key={change}>{change}</li>
              ))}
            </ul>
          )}
          {conflict !== null && <p>This page shows the present state, and what you typed is kept.</p>}
        </div>
      )}
    </div>
  );
}
