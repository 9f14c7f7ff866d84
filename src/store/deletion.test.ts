/** Deleting a run leaves none of its rows, and the other runs as they were. */
import Database from "libsql";
import { expect, it } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import { answerRecord, runRecord, sampleRecord, temporaryStore } from "../../test/support/store.ts";
import type { Store } from "./store.ts";

function train(store: Store, id: string): void {
  store.createRun(runRecord(id));
  const recorder = store.recorder(id, store.startAttempt(id));
  for (let iteration = 0; iteration < 70; iteration++)
    recorder.metrics("ppo", iteration, { kl: iteration, nan: Number.NaN });
  recorder.event({ kind: "note", stage: "ppo", iteration: 1, message: "hello" });
  recorder.setting({ stage: "ppo", iteration: 1, key: "ppo.kl.coef", before: 1, value: 2, cause: "operator" });
  recorder.samples("ppo", 1, [sampleRecord()]);
  recorder.answers("ppo", 1, "policy", [answerRecord()]);
  recorder.consultation({ stage: "ppo", iteration: 1, point: "scored", step: null, signals: {} });
  const incident = recorder.incident(incidentRecord())!;
  store.decide(incident, { action: "resume", to: null, changes: [], reason: "" });
  recorder.markApplied(store.addCommand(id, { kind: "save" }), "ppo", 1);
  recorder.commit();
  store.addMark(id, { kind: "tag", value: "x", present: true });
  store.addRating(id, { kind: "rating", rater: "ann", prompt: "a", response: "b", score: 1 });
  recorder.close();
}

/** Rows by table. */
function rows(path: string, runId: string): Record<string, number> {
  const raw = new Database(path);
  const tables = raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[];
  const counts = tables.map(({ name }) => {
    const columns = (raw.pragma(`table_info(${name})`) as { name: string }[]).map((column) => column.name);
    const where = columns.includes("run_id")
      ? `run_id = '${runId}'`
      : columns.includes("series")
        ? `series IN (SELECT id FROM series WHERE run_id = '${runId}')`
        : name === "runs"
          ? `id = '${runId}'`
          : name === "decisions"
            ? `incident_id IN (SELECT id FROM incidents WHERE run_id = '${runId}')`
            : "0";
    return [name, (raw.prepare(`SELECT count(*) AS n FROM ${name} WHERE ${where}`).get() as { n: number }).n] as const;
  });
  raw.close();
  return Object.fromEntries(counts);
}

it("deletes every row of the run, in every table, and none of another's", () => {
  const store = temporaryStore();
  train(store, "a-1");
  train(store, "b-1");
  const before = rows(store.path, "b-1");
  const filled = Object.entries(before).filter(([, n]) => n > 0);
  expect(filled.length).toBeGreaterThan(16);
  expect(store.hasTrained("a-1")).toBe(true);
  store.deleteRun("a-1");
  expect(Object.values(rows(store.path, "a-1")).every((n) => n === 0)).toBe(true);
  expect(rows(store.path, "b-1")).toEqual(before);
  const raw = new Database(store.path);
  expect(raw.pragma("foreign_key_check")).toEqual([]);
  const count = (table: string) => (raw.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
  // Rows without a run's name are gone too.
  for (const table of ["metrics", "blocks", "rollups", "decisions"]) expect(count(table)).toBe(before[table]);
  raw.close();
  expect(store.run("a-1")).toBeUndefined();
  expect(() => store.deleteRun("a-1")).toThrow("has no run a-1");
  store.createRun(runRecord("a-1"));
  expect(store.hasTrained("a-1")).toBe(false);
});
