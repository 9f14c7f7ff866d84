/** The chain over a run's record: every kind of row is covered, and each change, removal and addition is found and named. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
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
  turnIntoVersion5,
} from "../../test/support/store.ts";
import { openStore, type Store } from "./index.ts";
import { sealedTables } from "./sealing.ts";

/** One of the many bit patterns of NaN, as arithmetic makes them; a column keeps only that it is one. */
const otherNaN = new Float64Array(new BigUint64Array([0xfff8_0000_0000_0001n]).buffer)[0]!;

let written: Buffer | null = null;

/** A copy of what `record` made. */
function recorded(): Store {
  written ??= record();
  const path = join(temporaryFolder(), "ballast.db");
  writeFileSync(path, written);
  return closedAfterwards(openStore(path));
}

/** A run with at least one row in each sealed table, written in turn with a different run, by two attempts. */
function record(): Buffer {
  let clock = 1_700_000_000_000;
  const store = temporaryStore({ now: () => clock++ });
  for (const id of ["a", "other"]) store.createRun(runRecord(id));
  const attempt = () => store.recorder("a", store.startAttempt("a", { operator: "ann", machine: "{}" }));
  const other = store.recorder("other", store.startAttempt("other"));
  const first = attempt();
  for (const [recorder, from, to] of [
    [first, 0, 40],
    [attempt(), 30, 50],
  ] as const)
    for (let iteration = from; iteration < to; iteration++) {
      const place = { stage: "ppo", iteration } as const;
      recorder.metrics("ppo", iteration, { x: iteration / 7, odd: iteration % 3 === 0 ? otherNaN : -0 });
      other.metrics("ppo", iteration + (to - 40), { x: 1 });
      recorder.event({ ...place, kind: "note", message: `half\0way ${iteration}`, data: { iteration } });
      recorder.setting({ ...place, key: "ppo.learningRate", before: null, value: iteration, cause: "schedule" });
      if (iteration % 10 === 0) {
        recorder.samples("ppo", iteration, [sampleRecord({ response: "\ud800", score: Number.NaN })]);
        recorder.answers("ppo", iteration, "policy", [answerRecord({ score: null, kind: null })]);
        recorder.consultation({ ...place, point: "scored", step: null, signals: { "kl/x": -0 } });
        recorder.consultation({ ...place, point: "operator", word: { kind: "set", lever: "clip" } });
      }
      recorder.commit();
      other.commit();
    }
  first.incident(incidentRecord());
  first.markApplied(store.addCommand("a", { kind: "save", operator: "ann" }), "ppo", 50);
  first.state("stopped");
  store.decide(1, { action: "resume", to: null, changes: [{ key: "ppo.kl.coef", value: 0.1 }], reason: "r" });
  store.addMark("a", { kind: "tag", value: "kept", present: true }, { operator: "bob" });
  store.addRating("a", { kind: "rating", prompt: "p", response: "r", rater: "bob", score: 5 });
  first.commit();
  store.close();
  tamper(store, "PRAGMA wal_checkpoint(TRUNCATE)");
  return readFileSync(store.path);
}

/** Changes the file behind the store's back. */
function tamper(store: Store, sql: string): void {
  const raw = new Database(store.path);
  raw.exec("PRAGMA foreign_keys = OFF");
  raw.exec(sql);
  raw.close();
}

it("covers every kind of row, and finds nothing in an untouched record", () => {
  const store = recorded();
  const check = store.checkChain("a");
  expect(check).toMatchObject({ faults: [], faultCount: 0, before: {}, head: store.chainHead("a") });
  expect(Object.keys(check.rows).sort()).toEqual(Object.keys(sealedTables).sort());
  expect(check.rows).toMatchObject({ metrics: 120, spans: 60, events: 60, attempts: 2, incidents: 1, decisions: 1 });
  expect(store.checkChain("other")).toMatchObject({ faults: [], rows: { metrics: 60 } });
  expect(store.sealedAt("a", check.head!)).toBe(check.to);
  expect(store.sealedAt("other", check.head!)).toBeNull();
});

it("is what its definition says, from the rows as SQLite shows them", () => {
  const store = recorded();
  const raw = new Database(store.path);
  const all = (sql: string) => raw.prepare(sql).all() as Record<string, unknown>[];
  let before = "";
  for (const { contents, head, at } of all("SELECT * FROM seals WHERE run_id = 'a' ORDER BY seq")) {
    before = createHash("sha256")
      .update(JSON.stringify([before, "a", at, contents]))
      .digest("hex");
    expect(head).toBe(before);
    const { settings } = JSON.parse(String(contents)).rows as { settings?: [number, number, number, string] };
    if (settings === undefined) continue;
    const text = all(`SELECT * FROM settings WHERE seq BETWEEN ${settings[0]} AND ${settings[1]} AND run_id = 'a'`)
      .map((row) =>
        Object.keys(row)
          .sort()
          .flatMap((name) => (row[name] === null ? [] : [[name, row[name]]])),
      )
      .map((columns) => `${JSON.stringify(columns)}\n`);
    expect(settings[3]).toBe(createHash("sha256").update(text.join("")).digest("base64url"));
  }
  raw.close();
  expect(before).toBe(store.chainHead("a"));
});

describe("finds", () => {
  it.each([
    ["a value", "UPDATE metrics SET value = 9 WHERE seq = 41", /metrics rows \d+ to \d+: changed/],
    ["an iteration", "UPDATE metrics SET iteration = 3 WHERE seq = 1", /metrics/],
    ["a metric's name", "UPDATE series SET key = 'y' WHERE id = 1", /series rows 1 to 2: changed/],
    ["a removed metric", "DELETE FROM metrics WHERE seq = 40", /metrics rows \d+ to \d+: 1 of 2 removed/],
    ["a removed span", "DELETE FROM spans WHERE run_id = 'a' AND iteration = 7", /spans row \d+: 1 of 1 removed/],
    ["a time", "UPDATE spans SET at = at + 1 WHERE run_id = 'a' AND iteration = 7", /spans row \d+: changed/],
    ["an event", "UPDATE events SET message = 'fine' WHERE iteration = 5", /events row 6: changed/],
    ["a removed event", "DELETE FROM events WHERE seq = 12", /events row 12: 1 of 1 removed/],
    ["a setting", "UPDATE settings SET cause = 'config' WHERE iteration = 8", /settings row 9: changed/],
    ["a sample", "UPDATE samples SET logprobs = x'00' WHERE seq = 1", /samples row 1: changed/],
    ["an answer", `UPDATE answers SET verdicts = '{"asks":false}' WHERE seq = 2`, /answers row 2: changed/],
    ["what the controller saw", "UPDATE consultations SET signals = '{}' WHERE seq = 1", /consultations rows 1 to 2/],
    ["an incident", "DELETE FROM incidents", /incidents row 1: 1 of 1 removed/],
    ["a decision's author", "UPDATE decisions SET operator = 'eve'", /decisions row 1: changed/],
    ["a command's author", "UPDATE commands SET operator = 'eve' WHERE id = 1", /commands row 1: changed/],
    ["a mark", "UPDATE marks SET present = 0", /marks row 1: changed/],
    ["a rating", "UPDATE ratings SET score = 1", /ratings row 1: changed/],
    ["a state", "UPDATE states SET state = 'done' WHERE state = 'stopped'", /states row \d+: changed/],
    ["an attempt's machine", "UPDATE attempts SET machine = '[]' WHERE attempt = 2", /attempts row 2: changed/],
    ["an attempt's beginning", "UPDATE attempts SET iteration = 20 WHERE attempt = 2", /attempt 2 .* ppo 20.* ppo 30/],
    ["the configuration", "UPDATE runs SET config = '{}' WHERE id = 'a'", /runs row 1: changed/],
    [
      "an added event",
      "INSERT INTO events SELECT 9999, run_id, attempt, stage, iteration, kind, message, data, at FROM events WHERE seq = 1",
      /events: 1 row that no seal covers/,
    ],
    [
      "an added mark",
      "INSERT INTO marks (run_id, kind, value, present, at) VALUES ('a', 'tag', 'x', 1, 0)",
      /marks: 1 row that/,
    ],
    [
      "a chart's block",
      `UPDATE blocks SET "values" = zeroblob(128) WHERE series = 1 AND block = 1`,
      /block 1 of series 1 is not/,
    ],
    ["a chart's block removed", "DELETE FROM blocks WHERE series = 2 AND block = 0", /block 0 of series 2 is not/],
    [
      "an added bucket",
      "INSERT INTO rollups VALUES (1, 1, 9, 1, 0, 1, 1, 1, 1, 0)",
      /rollups: 1 rows where the metrics give 0/,
    ],
    ["a removed seal", "DELETE FROM seals WHERE seq = (SELECT max(seq) - 9 FROM seals)", /does not fit the one before/],
    ["a changed seal", "UPDATE seals SET contents = '{}' WHERE seq = (SELECT max(seq) - 2 FROM seals)", /does not fit/],
    ["a seal's time", "UPDATE seals SET at = at + 1 WHERE seq = (SELECT max(seq) - 2 FROM seals)", /does not fit/],
    ["the newest seal removed", "DELETE FROM seals WHERE seq = (SELECT max(seq) FROM seals)", /no seal covers/],
  ])("%s", (_, sql, says) => {
    const store = recorded();
    const seals = store.checkChain("a").seals;
    tamper(store, sql);
    const { faults, faultCount } = store.checkChain("a");
    expect(faultCount).toBeGreaterThan(0);
    expect(
      faults.some((text) => says.test(text)),
      `${faults.join("\n")} of ${seals}`,
    ).toBe(true);
  });

  it("at most 20 faults in words, and counts the others", () => {
    const store = recorded();
    tamper(store, "UPDATE events SET message = ''");
    expect(store.checkChain("a")).toMatchObject({ faultCount: 60 });
    expect(store.checkChain("a").faults).toHaveLength(20);
  });
});

it("rewritten as a whole fits itself, and no longer has a head that was noted before", () => {
  const store = recorded();
  const noted = store.chainHead("a")!;
  tamper(store, "DELETE FROM seals WHERE run_id = 'a'; UPDATE metrics SET value = 1");
  expect(store.checkChain("a")).toMatchObject({ seals: 0, head: null });
  store.addMark("a", { kind: "note", value: "nothing happened", present: true });
  expect(store.checkChain("a")).toMatchObject({ faults: [], seals: 1, before: { metrics: 120 } });
  expect(store.sealedAt("a", noted)).toBeNull();
});

it("of a run that an earlier version began covers what is written from now on, and says so", () => {
  const old = recorded();
  old.close();
  turnIntoVersion5(old.path);
  const store = closedAfterwards(openStore(old.path));
  expect(store.checkChain("a")).toMatchObject({ seals: 0, head: null, faults: [] });
  store.addCommand("a", { kind: "save" });
  const { before, faults, rows } = store.checkChain("a");
  expect([before, faults, rows]).toMatchObject([{ metrics: 120, commands: 2, runs: 1, marks: 1 }, [], { commands: 1 }]);
  tamper(store, "UPDATE commands SET reason = 'x' WHERE id = 3; DELETE FROM marks");
  expect(store.checkChain("a").faults).toEqual([
    expect.stringContaining("commands row 3: changed"),
    "marks: 1 fewer than when the chain began, or than were sealed",
  ]);
});
