/** The stream: nothing lost, nothing sent twice, whole iterations, and a reset if row by row would not do. */
import { describe, expect, it, onTestFinished } from "vitest";
import { incidentRecord } from "../../../test/support/incident.ts";
import { type Reading, reading, served } from "../../../test/support/server.ts";
import { runRecord, temporaryStore } from "../../../test/support/store.ts";
import type { AppOptions } from "../app.ts";
import { Client } from "./client.ts";
import { merged, mostRows, type News, type RunNews } from "./event-news.ts";

function workspace(options: AppOptions = {}) {
  const clock = { now: 1_700_000_000_000 };
  const now = () => clock.now;
  const store = temporaryStore({ now });
  for (const id of ["a-1", "b-1"]) store.createRun(runRecord(id));
  const recorder = store.recorder("a-1", store.startAttempt("a-1"));
  const app = served(store, { now, ...options });
  const step = (iteration: number, values = { kl: iteration }, own = recorder) => {
    own.metrics("ppo", iteration, values);
    own.event({ kind: "note", stage: "ppo", iteration, message: `note ${iteration}` });
    own.commit();
  };
  const read = async (query: string, headers?: Record<string, string>): Promise<Reading> => {
    const reader = await reading(app, query, headers);
    onTestFinished(() => reader.leave());
    return reader;
  };
  return { store, recorder, app, clock, step, read };
}

/** Iterations of a run in the coming batches, up to this count. */
async function iterations(reader: Reading, run: string, count: number): Promise<[number, unknown][]> {
  const found: [number, unknown][] = [];
  while (found.length < count) {
    const batch = await reader.next();
    for (const { iteration, values } of batch.runs[run]?.iterations ?? []) found.push([iteration, values.kl]);
  }
  return found;
}

describe("a reader", () => {
  it("is told of all runs at first, then of each iteration once, in order, NaN included", async () => {
    const { step, read } = workspace();
    step(0);
    const reader = await read("runs=a-1");
    const first = await reader.next();
    expect(first.summaries.map(({ id }) => id)).toEqual(["b-1", "a-1"]);
    expect(first.runs["a-1"]).toMatchObject({ reset: false, iterations: [], events: [] });
    expect(first.runs["a-1"]?.version).toBeTypeOf("string");
    step(1, { kl: Number.NaN });
    step(2, { kl: Number.NEGATIVE_INFINITY });
    expect(await iterations(reader, "a-1", 2)).toEqual([
      [1, "NaN"],
      [2, "-Infinity"],
    ]);
  });

  it("is told that a run was deleted, and of a new one that takes its name", async () => {
    const { store, read } = workspace();
    const reader = await read("runs=");
    await reader.next();
    store.deleteRun("b-1");
    expect((await reader.next()).gone).toEqual(["b-1"]);
    store.createRun(runRecord("b-1"));
    expect((await reader.next()).summaries.map(({ id }) => id)).toEqual(["b-1"]);
  });

  it("with a cursor catches up, and misses nothing between", async () => {
    const { store, step, read } = workspace();
    step(0);
    const { metrics, events } = store.ends();
    step(1);
    step(2);
    const reader = await read(`runs=a-1&after=${metrics}.${events}`);
    const first = await reader.next();
    expect(first.runs["a-1"]?.iterations.map(({ iteration }) => iteration)).toEqual([1, 2]);
    expect(first.runs["a-1"]?.events.map(({ message }) => message)).toEqual(["note 1", "note 2"]);
    step(3);
    expect(await iterations(reader, "a-1", 1)).toEqual([[3, 3]]);
    // The browser's own way of reconnecting.
    const again = await read(`runs=a-1&after=0.0`, { "last-event-id": reader.ids.at(-1)! });
    expect((await again.next()).runs["a-1"]?.iterations).toEqual([]);
  });

  it("is told of summaries of all runs, and of only its own rows", async () => {
    const { store, step, read } = workspace();
    const reader = await read("runs=b-1");
    await reader.next();
    step(0, { kl: 0, ...{ "reward/score_mean": 0.5 } });
    const batch = await reader.next();
    expect(batch.runs).toEqual({});
    expect(batch.summaries).toMatchObject([{ id: "a-1", reward: 0.5, position: { stage: "ppo", iteration: 0 } }]);
    store.createRun(runRecord("c-1"));
    expect((await reader.next()).summaries.map(({ id }) => id)).toEqual(["c-1"]);
  });

  it("hears of a run that is lost although nothing is written", async () => {
    const { clock, read } = workspace();
    const reader = await read("runs=");
    expect((await reader.next()).summaries.at(-1)).toMatchObject({ id: "a-1", state: "running", alive: true });
    const began = performance.now();
    clock.now += 16_000;
    expect((await reader.next()).summaries).toMatchObject([{ id: "a-1", state: "lost", alive: false }]);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it("hears of decisions and commands by the version that they make", async () => {
    const { store, recorder, read } = workspace();
    const id = recorder.incident(incidentRecord())!;
    const reader = await read("runs=a-1");
    const versions = [(await reader.next()).runs["a-1"]?.version];
    store.decide(id, { action: "resume", to: null, changes: [], reason: "fine" });
    versions.push((await reader.next()).runs["a-1"]?.version);
    store.addCommand("a-1", { kind: "pause" });
    versions.push((await reader.next()).runs["a-1"]?.version);
    expect(new Set(versions).size).toBe(3);
    expect(versions).not.toContain(undefined);
  });

  it("gets signs of life, and may leave", async () => {
    const { app } = workspace({ beatMs: 20 });
    const reader = await reading(app, "runs=a-1");
    await reader.next();
    await expect.poll(reader.beats).toBeGreaterThan(2);
    await reader.leave();
    const next = await reading(app, "");
    await next.leave();
  });

  it("that asks only for the head takes no place", async () => {
    const { app, read } = workspace();
    const request = { method: "HEAD", headers: { host: "localhost" } };
    for (let i = 0; i < 101; i++) {
      const { status, headers } = await app.request("http://localhost/api/stream", request);
      expect([status, headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    }
    expect((await (await read("")).next()).summaries).toHaveLength(2);
  });

  it("is let go if the server ends", async () => {
    const ending = new AbortController();
    const { app } = workspace({ ended: ending.signal });
    const response = await app.request("http://localhost/api/stream?runs=a-1", { headers: { host: "localhost" } });
    ending.abort();
    expect(await response.text()).not.toContain("beat");
  });
});

describe("a reset is sent", () => {
  it("if a newer attempt goes over old ground, to those who listen and to those who come back", async () => {
    const { store, step, read, recorder } = workspace();
    for (let i = 0; i < 5; i++) step(i);
    const reader = await read("runs=a-1,b-1");
    await reader.next();
    const seen = store.ends();
    recorder.close();
    const second = store.recorder("a-1", store.startAttempt("a-1"));
    second.event({ kind: "resumed", stage: "ppo", iteration: 2, message: "resumed" });
    let batch = await reader.next();
    while (!batch.runs["a-1"]?.reset) batch = await reader.next();
    expect(batch.runs["b-1"]).toBeUndefined();
    step(2, { kl: 20 }, second);
    expect(await iterations(reader, "a-1", 1)).toEqual([[2, 20]]);
    const late = await read(`runs=a-1&after=${seen.metrics}.${seen.events}`);
    expect((await late.next()).runs["a-1"]).toMatchObject({ reset: true, iterations: [] });
    const { metrics, events } = store.ends();
    const upToDate = await read(`runs=a-1&after=${metrics}.${events}`);
    expect((await upToDate.next()).runs["a-1"]).toMatchObject({ reset: false });
  });

  it("if too much has happened, or the cursor is of a different database", async () => {
    const { recorder, read } = workspace();
    const keys = Array.from({ length: 1_000 }, (_, i) => `k/${i}`);
    for (let i = 0; i <= mostRows / 1_000; i++) recorder.metrics("ppo", i, Object.fromEntries(keys.map((k) => [k, i])));
    recorder.commit();
    const behind = await read("runs=a-1&after=0.0");
    expect((await behind.next()).runs["a-1"]).toMatchObject({ reset: true, iterations: [] });
    const strange = await read("runs=a-1&after=99999999.0");
    expect((await strange.next()).runs["a-1"]).toMatchObject({ reset: true });
  });

  it("to a reader that is too slow, in place of a queue without an end", async () => {
    const news = (from: number, rows: number): News => {
      const values = Object.fromEntries(Array.from({ length: rows }, (_, i) => [`k${i}`, i]));
      const run: RunNews = { reset: false, rows, iterations: [{ stage: "ppo", iteration: from, values }], events: [] };
      return { cursor: { metrics: from, events: 0 }, runs: new Map([["a-1", run]]), summaries: [] };
    };
    const client = new Client({ watched: new Set(["a-1"]), beatMs: 60_000 });
    const sent: { id?: string; data: string }[] = [];
    let release = () => {};
    const told = client.tell({
      send: (message) => {
        sent.push(message);
        return new Promise((resolve) => (release = resolve));
      },
      closed: () => false,
    });
    client.hear(news(1, 10));
    await expect.poll(() => sent.length).toBe(1);
    // The connection accepts nothing meanwhile.
    for (let i = 2; i < 40; i++) client.hear(news(i, mostRows / 20));
    release();
    await expect.poll(() => sent.length).toBe(2);
    expect(JSON.parse(sent[1]!.data)).toMatchObject({
      cursor: { metrics: 39 },
      runs: { "a-1": { reset: true, iterations: [] } },
    });
    client.leave();
    release();
    await told;
    const both = merged(news(1, 10), news(2, 10));
    expect(both.runs.get("a-1")).toMatchObject({
      reset: false,
      rows: 20,
      iterations: [{ iteration: 1 }, { iteration: 2 }],
    });
  });
});

it("refuses what it cannot follow", async () => {
  const { app } = workspace();
  await expect(reading(app, "after=x")).rejects.toThrow("400");
  await expect(reading(app, `runs=${Array.from({ length: 51 }, (_, i) => `r-${i}`).join()}`)).rejects.toThrow(
    "51 runs",
  );
});
