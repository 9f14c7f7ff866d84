import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { evidence, incidentRecord } from "../../test/support/incident.ts";
import { closedAfterwards, runRecord, temporaryFolder, temporaryStore } from "../../test/support/store.ts";
import { openConnection } from "./connection.ts";
import { createStore, openStore } from "./index.ts";

function start(runs = ["a"]) {
  const store = temporaryStore({ now: () => 1_700_000_000_000 });
  for (const id of runs) store.createRun(runRecord(id));
  return { store, recorders: runs.map((id) => store.recorder(id, store.startAttempt(id))) };
}

describe("an incident", () => {
  it("is durable at once, with its evidence to the bit and what was recorded before", () => {
    const { store, recorders } = start();
    recorders[0]!.metrics("ppo", 77, { x: 1 });
    expect(recorders[0]!.incident(incidentRecord())).toBe(1);
    const other = closedAfterwards(openStore(store.path, { readonly: true }));
    expect(other.incidents()).toEqual([
      { ...incidentRecord(), id: 1, runId: "a", attempt: 1, openedAt: 1_700_000_000_000, decision: null },
    ]);
    expect(other.incident(1)!.evidence).toEqual(evidence);
    expect(other.values("a", "ppo", 77)).toEqual({ x: 1 });
  });

  it("of a version that called the operator a person names the operator", () => {
    const { store, recorders } = start();
    recorders[0]!.incident(incidentRecord());
    const raw = openConnection(store.path);
    raw.run(`UPDATE incidents SET evidence = replace(evidence, '"operator"', '"person"')`);
    expect(raw.get<{ evidence: string }>("SELECT evidence FROM incidents")!.evidence).toContain('"person"');
    raw.close();
    expect(store.incident(1)!.evidence).toEqual(evidence);
  });

  it("has a number of the workspace, and belongs to its run", () => {
    const { store, recorders } = start(["a", "b"]);
    const ids = [0, 1, 0].map((i) => recorders[i]!.incident(incidentRecord()));
    expect(ids).toEqual([1, 2, 3]);
    expect(
      recorders[0]!
        .incidents()
        .filter(({ decision }) => decision === null)
        .map(({ id }) => id),
    ).toEqual([1, 3]);
    expect(recorders[0]!.incidents().map(({ id }) => id)).toEqual([1, 3]);
    expect(recorders[1]!.incidents()).toMatchObject([{ id: 2, runId: "b" }]);
    expect(store.incidents({ run: "b" }).map(({ id }) => id)).toEqual([2]);
  });

  it("is decided once, and stays decided for later attempts", () => {
    const { store, recorders } = start();
    recorders[0]!.incident(incidentRecord());
    const changes = [{ key: "ppo.learningRate", value: Number.POSITIVE_INFINITY }];
    const decision = { action: "rollback", to: 50, changes, reason: "the rate \0 was wrong" } as const;
    store.decide(1, decision);
    expect(() => store.decide(1, { ...decision, action: "stop" })).toThrow(
      /^incident 1 was decided 2023-11-14T22:13:20.000Z: rollback to 50, "the rate/,
    );
    expect(() => store.decide(2, decision)).toThrow("has no incident 2");
    expect(recorders[0]!.incidents()[0]!.decision).toMatchObject({ action: "rollback" });
    const later = store.recorder("a", store.startAttempt("a"));
    expect(later.incidents()[0]!.decision).toEqual({
      ...decision,
      decidedAt: 1_700_000_000_000,
      operator: null,
    });
    expect(store.incidents({ open: true })).toEqual([]);
    expect(store.incidents({ open: false })).toHaveLength(1);
  });

  it("waits for a full disk, with a warning, and gets its number when there is room", () => {
    const connection = openConnection(join(temporaryFolder(), "ballast.db"));
    const store = closedAfterwards(createStore(connection));
    store.createRun(runRecord("a"));
    const warnings: string[] = [];
    const recorder = store.recorder("a", store.startAttempt("a"), { onWarning: (text) => warnings.push(text) });
    const { page_count } = connection.get<{ page_count: number }>("PRAGMA page_count")!;
    connection.exec(`PRAGMA max_page_count = ${page_count}`);
    const large = { ...evidence, worstSamples: [{ prompt: "p", response: "r".repeat(50_000), score: Number.NaN }] };
    recorder.consultation({ stage: "ppo", iteration: 77, point: "scored", step: null, signals: { x: 1 } });
    expect(recorder.incident(incidentRecord({ evidence: large }))).toBeNull();
    expect(warnings).toEqual([expect.stringMatching(/full.*nothing is lost/i)]);
    expect(recorder.incidents()).toEqual([]);

    connection.exec("PRAGMA max_page_count = 1073741823");
    recorder.commit();
    expect(warnings[1]).toMatch(/none is lost/);
    expect(recorder.incidents()).toMatchObject([{ id: 1, evidence: large }]);
    expect(store.consultations("a").rows).toHaveLength(1);
  });
});

describe("consultations", () => {
  it("keep every number, and the newest attempt's are current", () => {
    const { store, recorders } = start();
    const signals = { a: Number.NaN, b: Number.NEGATIVE_INFINITY, c: 0.1 + 0.2 };
    const record = (recorder: (typeof recorders)[0], from: number, to: number) => {
      for (let iteration = from; iteration < to; iteration++) {
        recorder.metrics("ppo", iteration, { x: iteration });
        recorder.consultation({ stage: "ppo", iteration, point: "scored", step: null, signals });
        recorder.consultation({ stage: "ppo", iteration, point: "step", step: 0, signals: {} });
        recorder.commit();
      }
    };
    record(recorders[0]!, 0, 4);
    record(store.recorder("a", store.startAttempt("a")), 2, 5);
    const { rows } = store.consultations("a");
    expect(rows.map(({ iteration, attempt }) => [iteration, attempt])).toEqual(
      [0, 0, 1, 1].map((i) => [i, 1]).concat([2, 2, 3, 3, 4, 4].map((i) => [i, 2])),
    );
    expect(rows[0]).toMatchObject({ point: "scored", step: null, signals });
    expect(rows[1]).toMatchObject({ point: "step", step: 0, signals: {} });
    expect(store.consultations("a", { current: false }).rows).toHaveLength(14);
    const first = store.consultations("a", { limit: 3 });
    expect([...first.rows, ...store.consultations("a", { after: first.cursor }).rows]).toEqual(rows);
  });
});

it("the history of one setting spans attempts, with its causes", () => {
  const { store, recorders } = start();
  const change = (key: string, iteration: number, value: number) =>
    ({ stage: "ppo", iteration, key, before: 0.1, value, cause: "schedule" }) as const;
  recorders[0]!.setting(change("ppo.learningRate", 0, 0.2));
  recorders[0]!.setting(change("ppo.kl.coef", 0, 0.3));
  recorders[0]!.setting({ ...change("ppo.learningRate", 5, 0.4), cause: "intervention", intervention: 7 });
  recorders[0]!.commit();
  const later = store.recorder("a", store.startAttempt("a", { begins: { stage: "ppo", iteration: 3 } }));
  later.setting({ ...change("ppo.learningRate", 3, 0.5), cause: "operator" });
  later.commit();
  const { rows } = store.settings("a", { key: "ppo.learningRate" });
  expect(rows.map(({ value, cause, superseded, intervention }) => [value, cause, superseded, intervention])).toEqual([
    [0.2, "schedule", false, undefined],
    [0.4, "intervention", true, 7],
    [0.5, "operator", false, undefined],
  ]);
});
