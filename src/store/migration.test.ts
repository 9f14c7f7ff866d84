import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { describe, expect, it } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import {
  answerRecord,
  closedAfterwards,
  runRecord,
  sampleRecord,
  temporaryFolder,
  temporaryStore,
  turnIntoVersion3,
} from "../../test/support/store.ts";
import { recordedDecision } from "../control/decisions.ts";
import { replay } from "../control/replay-rules.ts";
import { parseRules } from "../control/rules/load-rules.ts";
import type { Shown, Told } from "../types/alerts.ts";
import { schemaVersion } from "./database-schema.ts";
import { openStore } from "./index.ts";

/** Rows as version 1 wrote them: a run of 20 iterations, resumed at 16, with a NaN and a NUL. */
const version1 = () => databaseOf(1);

/** A database of this version of the schema. */
function databaseOf(version: 1 | 4): string {
  const path = join(temporaryFolder(), "ballast.db");
  const raw = new Database(path);
  raw.exec(readFileSync(`test/fixtures/store-version-${version}.sql`, "utf8"));
  raw.exec("PRAGMA journal_mode = WAL");
  raw.close();
  return path;
}

function shape(path: string): unknown {
  const raw = new Database(path);
  const rows = raw.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name").all();
  const columns = raw.prepare("SELECT name, type FROM pragma_table_info('setting_rows')").all();
  raw.close();
  const squeezed = (rows as { name: string; sql: string }[]).map(({ name, sql }) => [name, sql.replace(/\s+/g, " ")]);
  return { tables: squeezed, columns };
}

describe("a database of version 1", () => {
  it("keeps its rows and becomes what a new one is", () => {
    const path = version1();
    const store = closedAfterwards(openStore(path));
    expect(store.run("old-1")).toMatchObject({ seed: 7, attempt: 2, position: { stage: "ppo", iteration: 23 } });
    const score = store.series("old-1", "ppo", "reward/score_mean").points.map((point) => point.last);
    expect(score).toEqual(Array.from({ length: 24 }, (_, i) => i / 8));
    expect(store.values("old-1", "ppo", 18)["kl/ref_k3_token"]).toBeNaN();
    expect(store.events("old-1").rows.map(({ message, superseded }) => [message, superseded])).toEqual([
      ["half\0way", true],
      ["half\0way", false],
    ]);
    const settings = store.settings("old-1", { current: true }).rows;
    expect(settings.map(({ iteration }) => iteration)).toEqual([0, 4, 8, 12, 16, 20]);
    expect(settings[0]).not.toHaveProperty("intervention");
    expect(store.incidents()).toEqual([]);
    expect(store.consultations("old-1").rows).toEqual([]);
    expect(store.marks()).toEqual([]);
    expect(store.answerIterations("old-1")).toEqual([]);
    expect(shape(path)).toEqual(shape(temporaryStore().path));
  });

  it("takes what version 4 added, and finds its old samples", () => {
    const path = version1();
    const store = closedAfterwards(openStore(path));
    store.addMark("old-1", { kind: "tag", value: "kept", present: true });
    const recorder = store.recorder("old-1", store.startAttempt("old-1"));
    recorder.answers("ppo", 24, "policy", [answerRecord()]);
    recorder.commit();
    const lowest = store.findSamples("old-1", { stage: "ppo", order: "lowest", limit: 1 }).samples;
    store.close();
    const again = closedAfterwards(openStore(path));
    expect(again.marks("old-1")).toMatchObject([{ kind: "tag", value: "kept" }]);
    expect(again.answers("old-1", 24)).toMatchObject([answerRecord()]);
    expect(lowest).toEqual(again.sampleFeed("old-1", { current: true }).rows.slice(0, 1));
  });

  it("takes what version 2 added", () => {
    const path = version1();
    const store = closedAfterwards(openStore(path));
    const recorder = store.recorder("old-1", store.startAttempt("old-1"));
    expect(recorder.incident(incidentRecord())).toBe(1);
    store.close();
    expect(closedAfterwards(openStore(path)).incidents()).toMatchObject([{ runId: "old-1", attempt: 3 }]);
  });

  it("may be opened by readers alone, and by several at once", () => {
    const path = version1();
    const stores = [1, 2].map(() => closedAfterwards(openStore(path, { readonly: true })));
    for (const store of stores) {
      expect(store.incidents()).toEqual([]);
      expect(() => store.createRun(runRecord("b"))).toThrow("opened read-only");
    }
    const raw = new Database(path);
    expect(raw.pragma("user_version")).toEqual([{ user_version: schemaVersion }]);
    raw.close();
  });

  it("that an older process has open goes on taking its rows", () => {
    const path = version1();
    const old = new Database(path);
    const insert = old.prepare(
      `INSERT INTO settings (run_id, attempt, stage, iteration, key, before, value, cause, at)
       VALUES ('old-1', 2, 'ppo', 23, 'ppo.clipLow', '0.2', '0.1', 'person', 0)`,
    );
    const store = closedAfterwards(openStore(path));
    insert.run();
    old.close();
    expect(store.settings("old-1", { key: "ppo.clipLow" }).rows).toMatchObject([
      { before: 0.2, value: 0.1, cause: "operator" },
    ]);
  });
});

it("a database of version 3 keeps its samples, and finds them by score", () => {
  const path = join(temporaryFolder(), "ballast.db");
  const made = openStore(path);
  made.createRun(runRecord("a"));
  const recorder = made.recorder("a", made.startAttempt("a"));
  recorder.samples("ppo", 0, [sampleRecord({ index: 0, score: 2 }), sampleRecord({ index: 1, score: 1 })]);
  made.close();
  turnIntoVersion3(path);
  const store = closedAfterwards(openStore(path, { readonly: true }));
  const { samples } = store.findSamples("a", { stage: "ppo", order: "lowest", limit: 9 });
  expect(samples.map(({ score }) => score)).toEqual([1, 2]);
  expect([store.marks(), store.answerIterations("a")]).toEqual([[], []]);
  expect(shape(path)).toEqual(shape(temporaryStore().path));
});

describe("a database of version 4", () => {
  /** The rules that its run had. */
  const rules = parseRules(
    `rules:
  - {id: rate, tier: 2, when: {signal: kl/old_new_k3_token, above: 0.05}, action: {learningRate: 0.7}, duration: 6, cooldown: 2, source: a test}
  - {id: coefficient, tier: 2, when: {signal: response/length_mean, above: 5}, action: {klCoef: 4}, duration: 3, cooldown: 1, source: a test}
  - {id: step, tier: 2, when: {signal: step/approx_kl, above: 0.01}, action: {clip: 0.1}, duration: 2, cooldown: 3, source: a test}
  - {id: hard, tier: 1, when: {signal: kl/old_new_k3_token, above: 0.15}, source: a test}`,
    "rules.yaml",
  );
  const klCoef = { min: 0.001, max: 1 };
  const replayed = (consultations: readonly (Shown | Told)[]) =>
    replay({ rules, consultations, profile: "adaptive", interventions: "on", klCoef });

  it("has an operator's words and base values apart from signals, and replays to the recorded decisions", () => {
    const path = databaseOf(4);
    const store = closedAfterwards(openStore(path));
    const { rows } = store.consultations("old-4");
    expect(rows.flatMap((row) => (row.point === "operator" ? [[row.iteration, row.word]] : []))).toEqual([
      [3, { kind: "set", lever: "learningRate" }],
      [4, { kind: "acknowledged", rule: "hard", iteration: 3 }],
      [5, { kind: "undone", rule: "coefficient", intervention: 3 }],
    ]);
    expect(rows[6]).toMatchObject({
      point: "scored",
      signals: { "response/length_mean": 6, "entropy/mean": Number.NEGATIVE_INFINITY },
      base: { learningRate: 1e-3 / 3, clip: 0.3, valueUpdates: 1, klCoef: 0.3 },
    });
    const keys = rows.flatMap((row) => (row.point === "operator" ? [] : Object.keys(row.signals)));
    expect(keys.filter((key) => key.startsWith("base/"))).toEqual([]);
    const decided = store.events("old-4").rows.map(recordedDecision);
    expect(decided.map(({ kind }) => kind)).toContain("outcome");
    expect(replayed(rows)).toEqual(decided);
    expect(shape(path)).toEqual(shape(temporaryStore().path));
  });

  it("takes the rows of an older process that still has it open, and those of a newer one", () => {
    const path = databaseOf(4);
    const old = new Database(path);
    const insert = old.prepare(
      `INSERT INTO consultations (run_id, attempt, stage, iteration, point, step, signals)
       VALUES ('old-4', 1, 'ppo', 7, 'person', NULL, '{"set/clip":1}')`,
    );
    const store = closedAfterwards(openStore(path));
    insert.run();
    old.close();
    const recorder = store.recorder("old-4", store.startAttempt("old-4"));
    const shown = {
      stage: "ppo",
      iteration: 8,
      point: "scored",
      step: null,
      signals: { "entropy/mean": Number.NaN },
      base: { learningRate: 1e-3, clip: 0.3, valueUpdates: 1, klCoef: Number.POSITIVE_INFINITY },
    } as const;
    const said = {
      stage: "ppo",
      iteration: 9,
      point: "operator",
      word: { kind: "undone", rule: "a/b", intervention: 2 },
    } as const;
    recorder.consultation(shown);
    recorder.consultation(said);
    recorder.commit();
    const { rows } = store.consultations("old-4");
    expect(rows.slice(-3)).toMatchObject([{ point: "operator", word: { kind: "set", lever: "clip" } }, shown, said]);
  });
});
