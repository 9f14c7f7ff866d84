import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
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
import { openConnection } from "./connection.ts";
import { createStore, openStore, type Store, type StoreRecorder } from "./index.ts";

/** Records iterations [from, to) of two metrics, an event and a large sample, with a commit each. */
function recordIterations(recorder: StoreRecorder, { from, to }: { from: number; to: number }): void {
  for (let iteration = from; iteration < to; iteration++) {
    recorder.metrics("ppo", iteration, { x: iteration, y: 0 - iteration });
    recorder.event({ kind: "note", stage: "ppo", iteration, message: `iteration ${iteration}` });
    recorder.samples("ppo", iteration, [sampleRecord({ response: "r".repeat(20_000) })]);
    recorder.commit();
  }
}

function expectWhole(store: Store, iterations: number): void {
  const all = Array.from({ length: iterations }, (_, i) => i);
  const { rows } = store.metrics("a");
  expect(rows.filter((row) => row.key === "x").map((row) => row.value)).toEqual(all);
  expect(store.series("a", "ppo", "y").points.map((point) => point.last)).toEqual(all.map((i) => 0 - i));
  expect(store.events("a").rows.map((row) => row.message)).toEqual(all.map((i) => `iteration ${i}`));
  expect(store.sampleIterations("a", "ppo")).toEqual(all);
}

describe("a full disk", () => {
  it("keeps everything in memory, warns once, and catches up when there is room", () => {
    const connection = openConnection(join(temporaryFolder(), "ballast.db"));
    const store = closedAfterwards(createStore(connection));
    store.createRun(runRecord("a"));
    const warnings: string[] = [];
    const recorder = store.recorder("a", store.startAttempt("a"), { onWarning: (text) => warnings.push(text) });
    recordIterations(recorder, { from: 0, to: 10 });
    const { page_count } = connection.get<{ page_count: number }>("PRAGMA page_count")!;

    connection.exec(`PRAGMA max_page_count = ${page_count + 5}`);
    recordIterations(recorder, { from: 10, to: 100 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/full.*nothing is lost/i);
    expect(recorder.waiting).toBeGreaterThan(300);
    const durable = store.metrics("a").rows.length / 2;
    expect(Number.isInteger(durable) && durable < 12).toBe(true);

    connection.exec("PRAGMA max_page_count = 1073741823");
    recordIterations(recorder, { from: 100, to: 101 });
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/accepts writes again.*none is lost/);
    expect(recorder.waiting).toBe(0);
    expectWhole(store, 101);

    connection.exec(`PRAGMA max_page_count = ${page_count}`);
    recordIterations(recorder, { from: 101, to: 200 });
    expect(warnings).toHaveLength(3);
  });

  it("that is real behaves the same", (context) => {
    const folder = join(temporaryFolder(), "disk");
    mkdirSync(folder);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], { stdio: "ignore" });
    } catch {
      context.skip("mounting a small disk needs rights that this user lacks");
    }
    const store = openStore(join(folder, "ballast.db"));
    try {
      store.createRun(runRecord("a"));
      const warnings: string[] = [];
      const recorder = store.recorder("a", store.startAttempt("a"), { onWarning: (text) => warnings.push(text) });
      recordIterations(recorder, { from: 0, to: 3 });
      const hog = join(folder, "hog");
      writeFileSync(hog, Buffer.alloc(statfsSync(folder).bavail * statfsSync(folder).bsize));
      recordIterations(recorder, { from: 3, to: 20 });
      recorder.state("paused");
      expect(recorder.pendingCommands()).toEqual([]);
      expect(warnings).toHaveLength(1);
      expect(store.run("a")).toMatchObject({ state: "running", position: { stage: "ppo", iteration: 2 } });
      rmSync(hog);
      recorder.commit();
      expect(warnings).toHaveLength(2);
      expectWhole(store, 20);
      expect(store.run("a")!.state).toBe("paused");
    } finally {
      store.close();
      execFileSync("umount", ["-l", folder]);
    }
  });

  it("that stays full to the end is told", () => {
    const connection = openConnection(join(temporaryFolder(), "ballast.db"));
    const store = closedAfterwards(createStore(connection));
    store.createRun(runRecord("a"));
    const warnings: string[] = [];
    const recorder = store.recorder("a", store.startAttempt("a"), { onWarning: (text) => warnings.push(text) });
    const { page_count } = connection.get<{ page_count: number }>("PRAGMA page_count")!;
    connection.exec(`PRAGMA max_page_count = ${page_count}`);
    recordIterations(recorder, { from: 0, to: 3 });
    recorder.close();
    expect(warnings.at(-1)).toMatch(/closed with \d+ records that could not be written/);
  });
});

it("waits for the next commit while another process holds the lock", { timeout: 20_000 }, () => {
  const path = join(temporaryFolder(), "ballast.db");
  const store = closedAfterwards(openStore(path));
  store.createRun(runRecord("a"));
  const warnings: string[] = [];
  const recorder = store.recorder("a", store.startAttempt("a"), { onWarning: (text) => warnings.push(text) });
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  recordIterations(recorder, { from: 0, to: 1 });
  expect(warnings[0]).toMatch(/locked.*nothing is lost/i);
  other.exec("ROLLBACK");
  other.close();
  recordIterations(recorder, { from: 1, to: 2 });
  expectWhole(store, 2);
});

describe("an iteration", () => {
  const start = () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    return { store, recorder: store.recorder("a", store.startAttempt("a")) };
  };

  it("is not in the database before its commit, nor is a state that comes in its middle", () => {
    const { store, recorder } = start();
    recorder.metrics("ppo", 0, { x: 1 });
    recorder.event({ kind: "note", stage: "ppo", iteration: 0, message: "note" });
    recorder.state("paused");
    expect(store.metrics("a").rows).toEqual([]);
    expect(store.events("a").rows).toEqual([]);
    expect(store.run("a")!.state).toBe("running");
    recorder.commit();
    expect(store.metrics("a").rows).toHaveLength(1);
    expect(store.run("a")!.state).toBe("paused");
  });

  it("may come in several parts, but not go back or come twice", () => {
    const { recorder } = start();
    recorder.metrics("ppo", 5, { x: 1 });
    recorder.metrics("ppo", 5, { y: 1 });
    expect(() => recorder.metrics("ppo", 5, { x: 2 })).toThrow("x of ppo has a value for iteration 5 already");
    expect(() => recorder.metrics("ppo", 4, { z: 1 })).toThrow("metrics of ppo 4 after those of 5");
    expect(() => recorder.metrics("sft", 4, { z: 1 })).toThrow("in attempt 1, which began at ppo 5");
    expect(() => recorder.metrics("ppo", 6.5, { z: 1 })).toThrow("iteration 6.5 of ppo is not a whole number");
    expect(() => recorder.metrics("ppo", 6, { z: undefined as unknown as number })).toThrow("metric z is undefined");
  });

  it("that other values follow later does not change with the caller's objects", () => {
    const { store, recorder } = start();
    const data = { list: [1, 2] };
    recorder.event({ kind: "note", stage: "ppo", iteration: 0, message: "note", data });
    data.list.push(3);
    recorder.commit();
    expect(store.events("a").rows[0]!.data).toEqual({ list: [1, 2] });
  });
});

describe("commands", () => {
  it("wait until they are applied, and carry where", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    store.createRun(runRecord("b"));
    const recorder = store.recorder("a", store.startAttempt("a"));
    const set = store.addCommand("a", { kind: "set", payload: { key: "klCoef", value: Infinity }, reason: "KL rises" });
    const stop = store.addCommand("a", { kind: "stop" });
    store.addCommand("b", { kind: "pause" });
    expect(recorder.pendingCommands()).toMatchObject([
      { id: set, kind: "set", payload: { key: "klCoef", value: Infinity }, reason: "KL rises", appliedStage: null },
      { id: stop, kind: "stop", payload: {}, reason: "", appliedIteration: null },
    ]);
    recorder.markApplied(set, "ppo", 3);
    expect(recorder.pendingCommands().map(({ id }) => id)).toEqual([stop]);
    recorder.commit();
    expect(recorder.pendingCommands().map(({ id }) => id)).toEqual([stop]);
    expect(store.commands("a")).toMatchObject([
      { id: set, appliedStage: "ppo", appliedIteration: 3 },
      { id: stop, appliedStage: null },
    ]);
  });

  it("are handed to later attempts at the iteration at which they were applied, in that order", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    const first = store.recorder("a", store.startAttempt("a"));
    const [c1, c2, c3] = ["0.1", "0.2", "0.3"].map((value) =>
      store.addCommand("a", { kind: "set", payload: { key: "klCoef", value } }),
    ) as [number, number, number];
    first.markApplied(c2, "ppo", 4);
    first.markApplied(c1, "ppo", 4);
    first.commit();
    expect(first.commandsAppliedAt("ppo", 4)).toEqual([]);
    first.close();

    const second = store.recorder("a", store.startAttempt("a"));
    const applied = second.commandsAppliedAt("ppo", 4);
    expect(applied.map(({ id }) => id)).toEqual([c2, c1]);
    for (const { id } of applied) second.markApplied(id, "ppo", 4);
    second.markApplied(c3, "ppo", 4);
    expect(second.commandsAppliedAt("ppo", 3)).toEqual([]);
    expect(second.commandsAppliedAt("sft", 4)).toEqual([]);
    expect(second.pendingCommands()).toEqual([]);
    second.close();

    const third = store.recorder("a", store.startAttempt("a"));
    expect(third.commandsAppliedAt("ppo", 4).map(({ id }) => id)).toEqual([c2, c1, c3]);
  });

  it("that were applied but not committed before a crash wait again", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    const first = store.recorder("a", store.startAttempt("a"));
    const id = store.addCommand("a", { kind: "save" });
    first.markApplied(id, "ppo", 4);
    const second = store.recorder("a", store.startAttempt("a"));
    expect(second.commandsAppliedAt("ppo", 4)).toEqual([]);
    expect(second.pendingCommands().map((command) => command.id)).toEqual([id]);
  });
});
