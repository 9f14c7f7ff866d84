/** A recorder that also reports to the caller what is recorded. */
import type { EventRecord, RunState } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";

export interface Watching {
  readonly onEvent: (event: EventRecord) => void;
  readonly onState?: (state: RunState) => void;
}

/** The same recorder, with every event and state reported to the caller after it was recorded. */
export function watchedRecorder(recorder: Recorder, { onEvent, onState = () => {} }: Watching): Recorder {
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
    answers: (...args) => recorder.answers(...args),
    commit: (options) => recorder.commit(options),
    pendingCommands: () => recorder.pendingCommands(),
    commandsAppliedAt: (...args) => recorder.commandsAppliedAt(...args),
    markApplied: (...args) => recorder.markApplied(...args),
    state: (state) => {
      recorder.state(state);
      onState(state);
    },
    consultation: (consultation) => recorder.consultation(consultation),
    incident: (incident) => recorder.incident(incident),
    incidents: () => recorder.incidents(),
    head: () => recorder.head(),
    recent: (...args) => recorder.recent(...args),
  };
}
