import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { describe, expect, it } from "vitest";
import {
  closedAfterwards,
  runRecord,
  sampleRecord,
  temporaryFolder,
  temporaryStore,
} from "../../test/support/store.ts";
import { schemaVersion } from "./database-schema.ts";
import { openStore, type Store } from "./index.ts";

/** A store with a run "a", its clock at `clock.now`. */
function storeWithRun(): { store: Store; clock: { now: number } } {
  const clock = { now: 1_000_000 };
  const store = temporaryStore({ now: () => clock.now });
  store.createRun(runRecord("a"));
  return { store, clock };
}

describe("opening", () => {
  it("makes a database with its version and keeps what it holds", () => {
    const path = join(temporaryFolder(), "ballast.db");
    const first = openStore(path);
    first.createRun(runRecord("a"));
    first.close();
    const again = closedAfterwards(openStore(path));
    expect(again.run("a")).toMatchObject(runRecord("a"));
    const raw = new Database(path);
    expect(raw.pragma("user_version")).toEqual([{ user_version: schemaVersion }]);
    expect(raw.pragma("journal_mode")).toEqual([{ journal_mode: "wal" }]);
    raw.close();
  });

  it("refuses a database of a newer version, and says so", () => {
    const path = join(temporaryFolder(), "ballast.db");
    openStore(path).close();
    const raw = new Database(path);
    raw.exec("PRAGMA user_version = 99");
    raw.close();
    expect(() => openStore(path)).toThrow(`schema version 99; this Ballast reads up to ${schemaVersion}`);
    expect(() => openStore(path, { readonly: true })).toThrow("schema version 99");
  });

  it("refuses a file that is not its own, and leaves it alone", () => {
    const folder = temporaryFolder();
    const text = join(folder, "text.db");
    writeFileSync(text, "a diary, by no means a database".repeat(100));
    expect(() => openStore(text)).toThrow(/not a database/);
    const other = join(folder, "other.db");
    const raw = new Database(other);
    raw.exec("CREATE TABLE recipes (name TEXT)");
    raw.close();
    copyFileSync(other, join(folder, "copy.db"));
    expect(() => openStore(other)).toThrow("is not a Ballast database");
    expect(new Database(other).pragma("journal_mode")).toEqual([{ journal_mode: "delete" }]);
  });

  it("read only needs a database and changes nothing", () => {
    const path = join(temporaryFolder(), "ballast.db");
    expect(() => openStore(path, { readonly: true })).toThrow(`no database at ${path}`);
    expect(existsSync(path)).toBe(false);
    const writer = closedAfterwards(openStore(path));
    writer.createRun(runRecord("a"));
    const reader = closedAfterwards(openStore(path, { readonly: true }));
    expect(() => reader.addCommand("a", { kind: "stop" })).toThrow("opened read-only");
    expect(() => reader.startAttempt("a")).toThrow("opened read-only");
    expect(reader.runs()).toHaveLength(1);
  });

  it("names a folder that is missing or cannot be a database", () => {
    const folder = temporaryFolder();
    expect(() => openStore(join(folder, "no", "ballast.db"))).toThrow(`no folder ${join(folder, "no")}`);
    mkdirSync(join(folder, "ballast.db"));
    expect(() => openStore(join(folder, "ballast.db"))).toThrow(join(folder, "ballast.db"));
  });

  it("answers a clear error after close, twice if need be", () => {
    const store = temporaryStore();
    store.close();
    store.close();
    expect(() => store.runs()).toThrow("is closed");
  });
});

describe("runs", () => {
  it("are listed newest first, each id once", () => {
    const { store } = storeWithRun();
    store.createRun(runRecord("b"));
    expect(store.runs().map(({ id }) => id)).toEqual(["b", "a"]);
    expect(() => store.createRun(runRecord("a"))).toThrow("has a run a already");
    expect(store.run("c")).toBeUndefined();
    expect(() => store.startAttempt("c")).toThrow("has no run c");
    expect(() => store.addCommand("c", { kind: "stop" })).toThrow("has no run c");
  });

  it("go from created through running to what the recorder says", () => {
    const { store } = storeWithRun();
    expect(store.run("a")).toMatchObject({ state: "created", attempt: 0, alive: false, position: null });
    const recorder = store.recorder("a", store.startAttempt("a"));
    expect(store.run("a")).toMatchObject({ state: "running", attempt: 1, alive: true, pid: process.pid });
    recorder.metrics("ppo", 4, { x: 1 });
    recorder.commit();
    expect(store.run("a")!.position).toEqual({ stage: "ppo", iteration: 4 });
    recorder.state("paused");
    expect(store.run("a")).toMatchObject({ state: "paused", alive: true });
    recorder.state("done");
    expect(store.run("a")).toMatchObject({ state: "done", alive: false });
    store.startAttempt("a");
    expect(store.run("a")).toMatchObject({ state: "running", attempt: 2, position: { stage: "ppo", iteration: 4 } });
    expect(store.states("a").map(({ attempt, state }) => `${attempt} ${state}`)).toEqual([
      "1 running",
      "1 paused",
      "1 done",
      "2 running",
    ]);
  });

  it("stand where an attempt begins, not where the one before ended", () => {
    const { store } = storeWithRun();
    const first = store.recorder("a", store.startAttempt("a"));
    first.metrics("ppo", 24, { x: 1 });
    first.close();
    const second = store.recorder("a", store.startAttempt("a"));
    expect(store.run("a")).toMatchObject({ begins: null, position: { stage: "ppo", iteration: 24 } });
    second.event({ kind: "resumed", stage: "ppo", iteration: 15, message: "resumed" });
    const begins = { stage: "ppo", iteration: 15 };
    expect(store.run("a")).toMatchObject({ begins, position: { stage: "ppo", iteration: 14 } });
    second.metrics("ppo", 15, { x: 1 });
    second.close();
    expect(store.run("a")!.position).toEqual(begins);
    store.recorder("a", store.startAttempt("a", { begins: { stage: "ppo", iteration: 0 } })).close();
    const third = store.recorder("a", store.startAttempt("a"));
    third.event({ kind: "resumed", stage: "ppo", iteration: 0, message: "resumed" });
    expect(store.run("a")!.position).toBeNull();
  });

  it("at the first iteration of a stage, stand at the end of the stage before", () => {
    const { store } = storeWithRun();
    const first = store.recorder("a", store.startAttempt("a"));
    for (let step = 0; step < 8; step++) first.metrics("sft", step, { x: 1 });
    first.metrics("ppo", 0, { x: 1 });
    first.close();
    const second = store.recorder("a", store.startAttempt("a"));
    second.event({ kind: "resumed", stage: "ppo", iteration: 0, message: "resumed" });
    expect(store.run("a")!.position).toEqual({ stage: "sft", iteration: 7 });
    second.close();
    const third = store.recorder("a", store.startAttempt("a"));
    third.event({ kind: "resumed", stage: "sft", iteration: 0, message: "resumed" });
    expect(store.run("a")!.position).toBeNull();
  });

  it("are lost after three missed beats, and found again with the next", () => {
    const { store, clock } = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"), { beatInterval: 1_000_000 });
    clock.now += 3_000_000;
    expect(store.run("a")!.state).toBe("running");
    clock.now += 1;
    expect(store.run("a")).toMatchObject({ state: "lost", alive: false });
    expect(store.runs()[0]!.state).toBe("lost");
    recorder.commit();
    expect(store.run("a")!.state).toBe("running");
    recorder.state("interrupted");
    clock.now += 9_000_000;
    expect(store.run("a")!.state).toBe("interrupted");
  });

  it("beat by themselves while they are recorded", async () => {
    const { store, clock } = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"), { beatInterval: 20 });
    clock.now += 60_000;
    expect(store.run("a")!.state).toBe("lost");
    await expect.poll(() => store.run("a")!.state).toBe("running");
    recorder.close();
    clock.now += 60_000;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(store.run("a")!.state).toBe("lost");
  });
});

describe("attempts", () => {
  /** Attempt 1 records iterations 0 to 9 of everything, value 1. */
  function tenIterations(): Store {
    const { store } = storeWithRun();
    recordIterations(store, { attempt: store.startAttempt("a"), from: 0, to: 10 });
    return store;
  }

  function recordIterations(store: Store, { attempt, from, to }: { attempt: number; from: number; to: number }): void {
    const recorder = store.recorder("a", attempt);
    for (let iteration = from; iteration < to; iteration++) {
      recorder.metrics("ppo", iteration, { x: attempt });
      recorder.event({ kind: "note", stage: "ppo", iteration, message: `${attempt}` });
      recorder.setting({ stage: "ppo", iteration, key: "k", before: null, value: attempt, cause: "schedule" });
      recorder.samples("ppo", iteration, [sampleRecord({ score: attempt })]);
      recorder.commit();
    }
    recorder.close();
  }

  const currentOf = (store: Store) => ({
    series: store.series("a", "ppo", "x").points.map((point) => point.last),
    metrics: store.metrics("a", { current: true }).rows.map((row) => row.value),
    events: store.events("a", { current: true, kind: "note" }).rows.map((row) => Number(row.message)),
    settings: store.settings("a", { current: true }).rows.map((row) => row.value),
    samples: store.sampleFeed("a", { current: true }).rows.map((row) => row.score),
    sampleIterations: store.sampleIterations("a", "ppo").map((i) => store.samples("a", "ppo", i)[0]!.score),
  });

  const everywhere = (values: number[]) => ({
    series: values,
    metrics: values,
    events: values,
    settings: values,
    samples: values,
    sampleIterations: values,
  });

  it("supersede older rows from where they begin, before they rewrite them", () => {
    const store = tenIterations();
    store.startAttempt("a", { begins: { stage: "ppo", iteration: 6 } });
    expect(currentOf(store)).toEqual(everywhere([1, 1, 1, 1, 1, 1]));
    expect(store.values("a", "ppo", 5)).toEqual({ x: 1 });
    expect(store.values("a", "ppo", 6)).toEqual({});
    expect(store.latest("a", "ppo")).toEqual([{ key: "x", iteration: 5, value: 1 }]);
  });

  it("keep the superseded rows, marked", () => {
    const store = tenIterations();
    recordIterations(store, { attempt: store.startAttempt("a"), from: 6, to: 8 });
    expect(currentOf(store)).toEqual(everywhere([1, 1, 1, 1, 1, 1, 2, 2]));
    const { rows } = store.metrics("a");
    expect(rows).toHaveLength(12);
    expect(rows.map((row) => row.superseded)).toEqual([
      ...Array(6).fill(false),
      ...Array(4).fill(true),
      ...Array(2).fill(false),
    ]);
    expect(
      store
        .events("a")
        .rows.filter((row) => row.superseded)
        .map((row) => row.iteration),
    ).toEqual([6, 7, 8, 9]);
    expect(store.attempts("a").map((attempt) => attempt.begins)).toEqual([
      { stage: "ppo", iteration: 0 },
      { stage: "ppo", iteration: 6 },
    ]);
  });

  it("of a rollback may lie further back than an attempt before", () => {
    const store = tenIterations();
    recordIterations(store, { attempt: store.startAttempt("a"), from: 8, to: 9 });
    recordIterations(store, { attempt: store.startAttempt("a"), from: 3, to: 5 });
    expect(currentOf(store)).toEqual(everywhere([1, 1, 1, 3, 3]));
  });

  it("begin where the event `resumed` says, at once", () => {
    const store = tenIterations();
    const recorder = store.recorder("a", store.startAttempt("a"));
    expect(currentOf(store).metrics).toHaveLength(10);
    recorder.event({ kind: "resumed", stage: "ppo", iteration: 4, message: "resumed at 4" });
    expect(currentOf(store)).toEqual(everywhere([1, 1, 1, 1]));
  });

  it("begin with their first metrics if the event named the iteration before it", () => {
    const store = tenIterations();
    const attempt = store.startAttempt("a");
    const recorder = store.recorder("a", attempt);
    recorder.event({ kind: "resumed", stage: "ppo", iteration: 4, message: "resumed after 4" });
    recorder.metrics("ppo", 5, { x: 2 });
    recorder.commit();
    expect(store.attempts("a")[1]!.begins).toEqual({ stage: "ppo", iteration: 5 });
    expect(store.series("a", "ppo", "x").points.map((point) => point.last)).toEqual([1, 1, 1, 1, 1, 2]);
  });

  it("leave the checkpoint current from which they go on, and no later one", () => {
    const { store } = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"));
    for (let iteration = 0; iteration < 4; iteration++) {
      recorder.metrics("ppo", iteration, { x: 1 });
      recorder.event({ kind: "checkpoint", stage: "ppo", iteration: iteration + 1, message: "saved" });
    }
    recorder.event({ kind: "interrupted", stage: "ppo", iteration: 4, message: "interrupted" });
    recorder.event({ kind: "note", stage: "ppo", iteration: 4, message: "note" });
    recorder.commit();
    const currentEvents = () => store.events("a", { current: true }).rows.map((row) => `${row.kind} ${row.iteration}`);
    store.startAttempt("a", { begins: { stage: "ppo", iteration: 4 } });
    expect(currentEvents()).toEqual(["checkpoint 1", "checkpoint 2", "checkpoint 3", "checkpoint 4", "interrupted 4"]);
    store.startAttempt("a", { begins: { stage: "ppo", iteration: 2 } });
    expect(currentEvents()).toEqual(["checkpoint 1", "checkpoint 2"]);
    store.startAttempt("a", { begins: { stage: "sft", iteration: 0 } });
    expect(currentEvents()).toEqual([]);
  });

  it("are recorded once", () => {
    const store = tenIterations();
    expect(() => store.recorder("a", 1)).toThrow("attempt 1 of run a was recorded already");
    expect(() => store.recorder("a", 2)).toThrow("run a has no attempt 2");
  });

  it("may leave a metric whose last block is superseded as a whole", () => {
    const { store } = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"));
    for (let iteration = 0; iteration < 100; iteration++)
      recorder.metrics("ppo", iteration, iteration % 30 === 0 ? { x: iteration, y: 1 } : { y: 1 });
    recorder.commit();
    store.startAttempt("a", { begins: { stage: "ppo", iteration: 90 } });
    expect(store.latest("a", "ppo")).toEqual([
      { key: "x", iteration: 60, value: 60 },
      { key: "y", iteration: 89, value: 1 },
    ]);
    store.startAttempt("a", { begins: { stage: "ppo", iteration: 50 } });
    expect(store.latest("a", "ppo")[0]).toEqual({ key: "x", iteration: 30, value: 30 });
  });
});

describe("feeds", () => {
  it("give each row once, whatever other runs write in between", () => {
    const { store } = storeWithRun();
    store.createRun(runRecord("b"));
    const a = store.recorder("a", store.startAttempt("a"));
    const b = store.recorder("b", store.startAttempt("b"));
    let cursor = 0;
    const seen: number[] = [];
    const read = (limit?: number) => {
      const feed = store.metrics("a", { after: cursor, limit });
      cursor = feed.cursor;
      seen.push(...feed.rows.map((row) => row.iteration));
      return feed.rows.length;
    };
    for (let iteration = 0; iteration < 5; iteration++) {
      for (const recorder of [a, b, a]) {
        recorder.metrics("ppo", iteration, { [`x${recorder === a ? Math.random() : ""}`]: 1 });
        recorder.commit();
      }
      if (iteration % 2 === 0) while (read(2) === 2);
    }
    read();
    expect(seen).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    b.metrics("ppo", 9, { y: 1 });
    b.commit();
    expect(store.metrics("a", { after: cursor })).toEqual({ rows: [], cursor: cursor + 1 });
  });

  it("keep events, settings and samples as they were recorded", () => {
    const { store } = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"));
    const event = { kind: "warning", stage: "ppo", iteration: 3, message: "a\0b", data: { loss: Number.NaN } } as const;
    const setting = {
      stage: "ppo",
      iteration: 3,
      key: "lr",
      before: null,
      value: Infinity,
      cause: "operator",
    } as const;
    const sample = sampleRecord({
      prompt: "nul \0 and half a pair \ud83d",
      response: "",
      score: Number.NaN,
      kl: -Infinity,
      components: { learned: Number.NaN, length: Infinity },
      tokens: ["\0", ""],
      logprobs: [Number.NaN, -Infinity],
      refLogprobs: [],
      reason: "worst",
    });
    recorder.event(event);
    recorder.event({ kind: "note", stage: "ppo", iteration: 3, message: "bare" });
    recorder.setting(setting);
    recorder.setting({ ...setting, value: "cosine", before: false });
    recorder.samples("ppo", 3, [sample]);
    recorder.commit();
    expect(store.events("a").rows[0]).toMatchObject(event);
    expect(store.events("a").rows[1]).not.toHaveProperty("data");
    expect(store.events("a", { kind: "note" }).rows).toHaveLength(1);
    expect(store.settings("a").rows[0]).toMatchObject(setting);
    expect(store.settings("a").rows[1]).toMatchObject({ value: "cosine", before: false });
    expect(store.samples("a", "ppo", 3)[0]).toMatchObject(sample);
  });

  it("thin what a schedule does to a setting, and nothing else", () => {
    const { store } = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"));
    const setting = { stage: "ppo", before: null } as const;
    for (let iteration = 0; iteration < 100; iteration++) {
      recorder.setting({ ...setting, iteration, key: "coef", value: iteration, cause: "controller" });
      if (iteration === 33) recorder.setting({ ...setting, iteration, key: "coef", value: -1, cause: "operator" });
      if (iteration % 40 === 0) recorder.setting({ ...setting, iteration, key: "rate", value: 1, cause: "schedule" });
    }
    recorder.commit();
    const rows = store.thinnedSettings("a", 10);
    const of = (key: string) => rows.filter((row) => row.key === key);
    expect(of("rate")).toMatchObject([0, 40, 80].map((iteration) => ({ iteration, of: 3 })));
    const coef = of("coef");
    expect(coef.length).toBeLessThanOrEqual(13);
    expect(coef.length).toBeGreaterThanOrEqual(10);
    expect(coef[0]).toMatchObject({ value: 0, of: 101 });
    expect(coef.at(-1)).toMatchObject({ value: 99 });
    expect(coef).toContainEqual(expect.objectContaining({ value: -1, cause: "operator" }));
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map(({ seq }) => seq).sort((a, b) => a - b));
  });

  it("keep every non-finite value of a metric, in rows, blocks and buckets", () => {
    const { store } = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"));
    const values = [Number.NaN, Infinity, -Infinity, 1.5, -0.1];
    for (let i = 0; i < 100; i++) recorder.metrics("ppo", i, { x: values[i % 5]! });
    recorder.commit();
    expect(store.metrics("a").rows.map((row) => row.value)).toEqual(
      Array.from({ length: 100 }, (_, i) => values[i % 5]),
    );
    expect(store.series("a", "ppo", "x").points.map((point) => point.last)).toEqual(
      Array.from({ length: 100 }, (_, i) => values[i % 5]),
    );
    expect(store.values("a", "ppo", 0)).toEqual({ x: Number.NaN });
    const [point] = store.series("a", "ppo", "x", { from: 0, to: 64, maxPoints: 1 }).points;
    expect(point).toMatchObject({ min: -0.1, max: 1.5, last: 1.5, count: 64, nonFinite: 39 });
  });
});
