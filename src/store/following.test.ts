/** Queries of pages and followers: newest values, the pace, which rows are new, and whether a newer attempt superseded some. */
import { describe, expect, it } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import { runRecord, temporaryStore } from "../../test/support/store.ts";
import type { EventRow, MetricRow } from "./stored-rows.ts";

function recorded() {
  const clock = { now: 1_000 };
  const store = temporaryStore({ now: () => clock.now });
  for (const id of ["a-1", "b-1"]) store.createRun(runRecord(id));
  const recorder = store.recorder("a-1", store.startAttempt("a-1"));
  for (let i = 0; i < 40; i++) {
    clock.now += 100;
    recorder.metrics("ppo", i, { kl: i / 10, ...(i % 10 === 0 && { rare: i }) });
    recorder.event({
      kind: "alert",
      stage: "ppo",
      iteration: i,
      message: `said ${i}`,
      data: { alert: { rule: i < 30 ? "soft" : "hard" } },
    });
    recorder.commit();
  }
  return { store, recorder, clock };
}

describe("a run as a page shows it", () => {
  it("has the newest value of each metric asked for, however old", () => {
    const { store } = recorded();
    expect(store.latest("a-1", "ppo", ["kl", "rare", "none"])).toEqual([
      { key: "kl", iteration: 39, value: 3.9 },
      { key: "rare", iteration: 30, value: 30 },
    ]);
    expect(store.newestIteration("a-1", "ppo")).toBe(39);
    expect(store.newestIteration("a-1", "sft")).toBeNull();
    expect(store.recorded("a-1", { attempt: 1, stage: "ppo", limit: 2 })).toEqual([
      { iteration: 39, at: 5_000 },
      { iteration: 38, at: 4_900 },
    ]);
  });

  it("counts what rules said in iterations that are current", () => {
    const { store } = recorded();
    const counts = () =>
      Object.fromEntries(store.ruleCounts("a-1").map((one) => [one.rule, [one.spoke, one.lastSpoke]]));
    expect(counts()).toEqual({ soft: [30, 29], hard: [10, 39] });
    store.startAttempt("a-1", { begins: { stage: "ppo", iteration: 20 } });
    expect(counts()).toEqual({ soft: [20, 19] });
    expect(store.newestIteration("a-1", "ppo")).toBe(19);
    store.startAttempt("a-1", { begins: { stage: "sft", iteration: 5 } });
    expect(store.newestIteration("a-1", "ppo")).toBeNull();
  });

  it("pages events backwards", () => {
    const { store } = recorded();
    const messages = (before: number) => store.eventsBefore("a-1", { before, limit: 3 }).map(({ message }) => message);
    expect(messages(Number.MAX_SAFE_INTEGER)).toEqual(["said 37", "said 38", "said 39"]);
    const [{ seq }] = store.eventsBefore("a-1", { before: Number.MAX_SAFE_INTEGER, limit: 3 }) as [EventRow];
    expect(messages(seq)).toEqual(["said 34", "said 35", "said 36"]);
  });

  it("counts incidents that wait", () => {
    const { store, recorder } = recorded();
    const id = recorder.incident(incidentRecord())!;
    recorder.incident(incidentRecord());
    expect([...store.openIncidents()]).toEqual([["a-1", 2]]);
    store.decide(id, { action: "resume", to: null, changes: [], reason: "fine" });
    expect([...store.openIncidents()]).toEqual([["a-1", 1]]);
  });
});

describe("what is new", () => {
  it("is told of the runs asked for, between two cursors", () => {
    const { store } = recorded();
    const other = store.recorder("b-1", store.startAttempt("b-1"));
    const before = store.ends();
    other.metrics("sft", 0, { loss: Number.NaN });
    other.event({ kind: "note", stage: "sft", iteration: 0, message: "b" });
    other.commit();
    const upTo = store.ends();
    const rows: [string, MetricRow][] = [];
    const asked = { runs: ["a-1", "b-1"], after: before.metrics, upTo: upTo.metrics };
    store.newMetrics({ ...asked, visit: (run, row) => rows.push([run, row]) });
    expect(rows.map(([run, { key, value }]) => [run, key, value])).toEqual([["b-1", "loss", Number.NaN]]);
    const events: string[] = [];
    const visit = (_: string, { message }: EventRow) => events.push(message);
    store.newEvents({ runs: ["b-1"], after: before.events, upTo: upTo.events, visit });
    store.newEvents({ runs: ["a-1"], after: before.events, upTo: upTo.events, visit });
    expect(events).toEqual(["b"]);
  });

  it("knows when a newer attempt goes over old ground, from its first word on", () => {
    const { store } = recorded();
    const seen = store.ends().metrics;
    expect(store.takenOver("a-1", seen)).toBe(false);
    const again = store.recorder("a-1", store.startAttempt("a-1"));
    expect(store.takenOver("a-1", seen)).toBe(false);
    again.event({ kind: "resumed", stage: "ppo", iteration: 20, message: "resumed" });
    expect(store.takenOver("a-1", seen)).toBe(true);
    again.metrics("ppo", 20, { kl: 1 });
    again.commit();
    expect(store.takenOver("a-1", seen)).toBe(true);
    expect(store.takenOver("a-1", store.ends().metrics)).toBe(false);
  });
});
