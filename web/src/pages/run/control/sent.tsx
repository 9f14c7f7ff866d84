/** What became of a press: what happens now, what was wrong, or what had changed meanwhile. */
import { useEffect, useRef } from "preact/hooks";
import type { Sender } from "./use-control.ts";

/** Takes the focus once there is an answer: the button that was pressed may be gone. */
export function Sent({ sender: { error, conflict, done } }: { readonly sender: Sender }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (done !== null) element.current?.focus();
  }, [done]);
  return (
    <div class="sent" ref={element} tabIndex={-1} aria-live="polite">
      {done !== null && (
        <p class="done">
          <span aria-hidden="true">✓</span> {done.message}
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
          {conflict !== null && <p>All of this page is as it is now, and what you typed is kept.</p>}
        </div>
      )}
    </div>
  );
}
