/** What is recorded reaches both the record and the caller. */
import { expect, it } from "vitest";
import type { EventRecord } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";
import { watchedRecorder } from "./watched-recorder.ts";

it("passes everything on to the recorder, and tells events and states", () => {
  const calls: string[] = [];
  const told: EventRecord[] = [];
  const states: unknown[] = [];
  const methods = [
    "metrics",
    "event",
    "setting",
    "samples",
    "commit",
    "pendingCommands",
    "commandsAppliedAt",
    "markApplied",
    "state",
    "consultation",
    "incident",
    "incidents",
    "recent",
  ] as const;
  const recorder = Object.fromEntries(
    methods.map((name) => [name, () => void calls.push(name)]),
  ) as unknown as Recorder;
  const wrapped = watchedRecorder(
    { ...recorder, runId: "r", attempt: 3 },
    { onEvent: (event) => told.push(event), onState: (state) => states.push(state) },
  );
  for (const name of methods) (wrapped[name] as (...args: unknown[]) => unknown)({ kind: "note" });
  expect(calls).toEqual(methods);
  expect(told).toEqual([{ kind: "note" }]);
  expect(states).toEqual([{ kind: "note" }]);
  expect([wrapped.runId, wrapped.attempt]).toEqual(["r", 3]);
});
