/** Shows the events that a stage records, as they come, to whoever watches the terminal. */
import type { EventRecord, Recorder } from "../types/records.ts";
import { printableLine } from "./sanitize.ts";
import type { Terminal } from "./terminal.ts";

/** The recorder, with every event told to `onEvent` as well. */
export function withEvents(recorder: Recorder, onEvent: (event: EventRecord) => void): Recorder {
  return {
    runId: recorder.runId,
    attempt: recorder.attempt,
    metrics: (...args) => recorder.metrics(...args),
    event: (event) => {
      recorder.event(event);
      onEvent(event);
    },
    setting: (setting) => recorder.setting(setting),
    samples: (...args) => recorder.samples(...args),
    commit: () => recorder.commit(),
    pendingCommands: () => recorder.pendingCommands(),
    commandsAppliedAt: (...args) => recorder.commandsAppliedAt(...args),
    markApplied: (...args) => recorder.markApplied(...args),
    state: (state) => recorder.state(state),
  };
}

/** The line for an event; null for those that only the record needs. */
export function eventLine({ kind, message }: EventRecord, c: Terminal["noteColours"]): string | null {
  const text = printableLine(message);
  switch (kind) {
    case "stage_started":
      return c.bold(text);
    case "stage_finished":
    case "evaluation":
      return text;
    case "warning":
    case "invariant":
      return `${c.yellow("warning:")} ${text}`;
    case "error":
      return `${c.red("error:")} ${text}`;
    case "resumed":
    case "command":
    case "note":
      return c.dim(text);
    default:
      return null;
  }
}
