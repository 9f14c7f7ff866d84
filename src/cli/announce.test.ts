/** Events reach both the record and the terminal, and what they quote does not act on it. */
import pc from "picocolors";
import { expect, it } from "vitest";
import type { EventKind, EventRecord, Recorder } from "../types/records.ts";
import { createAnnouncer, withEvents } from "./announce.ts";

function announcer() {
  const lines: string[] = [];
  const clock = { now: 0 };
  const made = createAnnouncer({
    note: (line) => lines.push(line),
    colours: pc.createColors(false),
    now: () => clock.now,
  });
  const event = (kind: EventKind, message: string) => made.event({ kind, stage: "sft", iteration: 1, message });
  return { lines, clock, event, progress: made.progress };
}

it("ends a stage with its time and its figures", () => {
  const { lines, clock, event, progress } = announcer();
  event("stage_started", "sft: 10 steps");
  clock.now = 65_000;
  progress({ values: { "sft/loss": 0.5, "time/total_s": 1 } });
  event("stage_finished", "sft is done");
  expect(lines).toEqual(["sft: 10 steps", "✓ sft done in 1:05, loss 0.500"]);
});

it("says warnings and errors as such, cleaned, and keeps to itself what only the record needs", () => {
  const { lines, event } = announcer();
  event("warning", `bad row "\x1b[2J" in ${process.cwd()}/data.jsonl`);
  event("error", "stopped");
  event("checkpoint", "saved");
  event("setting", "rate");
  expect(lines).toEqual(['warning: bad row "" in data.jsonl', "error: stopped"]);
});

it("passes everything on to the recorder", () => {
  const calls: string[] = [];
  const told: EventRecord[] = [];
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
    "openIncidents",
    "incidentById",
  ] as const;
  const recorder = Object.fromEntries(
    methods.map((name) => [name, () => void calls.push(name)]),
  ) as unknown as Recorder;
  const wrapped = withEvents({ ...recorder, runId: "r", attempt: 3 }, (event) => told.push(event));
  for (const name of methods) (wrapped[name] as (...args: unknown[]) => unknown)({ kind: "note" });
  expect(calls).toEqual(methods);
  expect(told).toEqual([{ kind: "note" }]);
  expect([wrapped.runId, wrapped.attempt]).toEqual(["r", 3]);
});
