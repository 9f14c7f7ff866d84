/** The page's answers about a run, compared with the same run's record; and who gets none. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { incidentRecord } from "../../../test/support/incident.ts";
import { asked, served, token } from "../../../test/support/server.ts";
import { runRecord, sampleRecord, temporaryFolder } from "../../../test/support/store.ts";
import { workspaceWithRun } from "../../../test/support/workspace.ts";
import { defaultRules } from "../../control/rules/load-rules.ts";
import type {
  CompareAnswer,
  ControlAnswer,
  EventAnswer,
  LabAnswer,
  Problem,
  ReplayAnswer,
  RunAnswer,
  RunsAnswer,
  SamplesAnswer,
  SeriesAnswer,
  WorkspaceAnswer,
} from "../../types/page.ts";
import { toJson } from "../../util/json-values.ts";

const start = 1_700_000_000_000;

function recorded({ iterations = 40 } = {}) {
  const clock = { now: start };
  const now = () => clock.now;
  const run = workspaceWithRun({ now, checkpoints: [20, 40], ppo: { iterations: 100 } });
  const { store, folder } = run;
  writeFileSync(join(folder, "rules.json"), JSON.stringify(defaultRules()));
  const recorder = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  for (let i = 0; i < iterations; i++) {
    clock.now += 2_000;
    const kl = i === 7 ? Number.NaN : i / 1000;
    recorder.metrics("ppo", i, { "kl/ref_k3_token": kl, "reward/score_mean": i, "health/total": 90 - i });
    recorder.event({ kind: "note", stage: "ppo", iteration: i, message: `note ${i}` });
    recorder.commit();
  }
  return { ...run, recorder, clock, app: served(store, { now }) };
}

describe("a run", () => {
  it("is summed up: place, pace, newest values, thresholds of its rules, and a cursor", async () => {
    const { app, store } = recorded();
    const { answer } = await asked<RunAnswer>(app, "/api/runs/tiny-1");
    expect(answer.run).toMatchObject({
      ...{ id: "tiny-1", state: "running", alive: true, reward: 39, health: 51, openIncidents: 0 },
      position: { stage: "ppo", iteration: 39, of: 100 },
    });
    expect(answer.stages).toEqual([{ stage: "ppo", done: 40, of: 100 }]);
    expect(answer.pace).toEqual({ seconds: 2, left: 120 });
    expect(answer.latest.ppo).toMatchObject({ "reward/score_mean": 39 });
    expect(answer.thresholds).toContainEqual({
      ...{ signal: "kl/old_new_k3_token", rule: "kl_soft", tier: 2, above: 0.05, below: null },
    });
    expect(answer.thresholds.every(({ rule }) => rule !== "kl_jump")).toBe(true);
    expect(answer.cursor).toEqual(store.ends());
    const { answer: all } = await asked<RunsAnswer>(app, "/api/runs");
    expect(all.runs).toEqual([answer.run]);
  });

  it("has series in columns: NaN beside its bucket, spikes kept, empty if there is nothing", async () => {
    const { app } = recorded();
    const keys = "keys=kl/ref_k3_token,reward/score_mean,none";
    const { answer } = await asked<SeriesAnswer>(app, `/api/runs/tiny-1/series?${keys}`);
    const kl = answer.series["kl/ref_k3_token"]!;
    expect([kl.width, kl.from.length, kl.mean[7], kl.nonFinite]).toEqual([1, 40, null, [[7, 1, "NaN"]]]);
    expect(kl.min).toBeUndefined();
    expect(answer.series.none).toEqual({ width: 1, from: [], mean: [], nonFinite: [] });
    const { answer: led } = await asked<SeriesAnswer>(app, `/api/runs/tiny-1/series?${keys}&from=30&lead=4`);
    expect(led.series["reward/score_mean"]!.from[0]).toBe(26);
    const { answer: few } = await asked<SeriesAnswer>(app, `/api/runs/tiny-1/series?${keys}&points=5&from=8&to=40`);
    const coarse = few.series["reward/score_mean"]!;
    expect([coarse.width, coarse.from, coarse.min, coarse.max]).toEqual([
      ...[8, [8, 16, 24, 32], [8, 16, 24, 32], [15, 23, 31, 39]],
    ]);
    const { answer: bad } = await asked<SeriesAnswer>(app, `/api/runs/tiny-1/series?${keys}&points=5`);
    expect(bad.series["kl/ref_k3_token"]?.nonFinite).toEqual([[0, 1, "NaN"]]);
  });

  it("has events forwards from a cursor, and backwards from the newest", async () => {
    const { app, recorder } = recorded();
    const messages = async (query: string) => {
      const { answer } = await asked<EventAnswer>(app, `/api/runs/tiny-1/events?${query}`);
      return [answer.rows.map(({ message }) => message), answer.cursor, answer.more];
    };
    expect(await messages("limit=2")).toEqual([["note 0", "note 1"], 2, true]);
    expect(await messages("after=38")).toEqual([["note 38", "note 39"], 40, false]);
    expect(await messages("before=newest&limit=2")).toEqual([["note 38", "note 39"], 39, true]);
    expect(await messages("before=39&limit=50")).toEqual([
      ...[Array.from({ length: 38 }, (_, i) => `note ${i}`), 1, false],
    ]);
    const at = { stage: "ppo", iteration: 40 } as const;
    for (const tier of [1, 2, 3] as const)
      recorder.event({ ...at, kind: "alert", message: `tier ${tier}`, data: { alert: { tier } } });
    for (const kind of ["checkpoint", "incident"] as const) recorder.event({ ...at, kind, message: kind });
    recorder.commit();
    expect(await messages("before=newest&notes=0")).toEqual([["tier 1", "tier 2", "incident"], 41, false]);
  });

  it("has samples with what the safety filter finds in them", async () => {
    const { app, recorder } = recorded({ iterations: 1 });
    const rude = "you stupid idiot, i will kill you";
    recorder.samples("ppo", 0, [sampleRecord(), sampleRecord({ index: 1, response: rude })]);
    recorder.commit();
    const { answer } = await asked<SamplesAnswer>(app, "/api/runs/tiny-1/samples?iteration=0");
    expect(answer.samples.map(({ unsafe, cut }) => [unsafe, cut])).toEqual([
      [false, null],
      [true, null],
    ]);
  });

  it("has its rules, what they did, what is in force, and what may be set", async () => {
    const { app, recorder, folder } = recorded();
    const said = { rule: "kl_soft", tier: 2, signal: "kl/old_new_k3_token" };
    const acts = {
      ...said,
      id: 1,
      action: "learningRate",
      factor: 0.7,
      from: 38,
      until: 48,
      values: [],
      condition: "",
    };
    const event = (kind: "alert" | "intervention" | "outcome", data: Record<string, unknown>) =>
      recorder.event({ kind, stage: "ppo", iteration: 38, message: "m", data });
    event("alert", { alert: said });
    event("intervention", { intervention: { ...acts, reason: "r" } });
    event("intervention", { intervention: { ...acts, id: 2, reason: "over" } });
    event("outcome", { outcome: { intervention: 2, iteration: 38, result: "replaced", after: null, message: "" } });
    const setting = { stage: "ppo", iteration: 38, key: "ppo.learningRate", before: 1 } as const;
    recorder.setting({ ...setting, value: 3e-6, cause: "operator" });
    recorder.setting({ ...setting, value: 2.1e-6, cause: "intervention", intervention: 1 });
    recorder.commit();
    const checkpoint = join(folder, "ppo", "checkpoint-000040", "state.json");
    writeFileSync(checkpoint, JSON.stringify({ healthy: [20] }));
    const { answer } = await asked<ControlAnswer>(app, "/api/runs/tiny-1/control");
    const rule = (id: string) => answer.rules.find((one) => one.id === id);
    expect(rule("kl_soft")).toMatchObject({
      ...{
        spoke: 1,
        acted: 2,
        lastSpoke: 38,
        action: "learning rate x0.7 for 10 iterations",
        condition: "> 0.05 for 3",
      },
    });
    expect(rule("kl_hard")).toMatchObject({ tier: 1, action: "saved, paused", spoke: 0, lastSpoke: null });
    expect(answer.active.map(({ id }) => id)).toEqual([1]);
    expect(answer.settable).toContainEqual({ key: "ppo.learningRate", value: 3e-6 });
    expect(answer.settable).toContainEqual({ key: "ppo.kl.coef", value: 0.05 });
    expect(answer.checkpoints).toEqual([
      { iteration: 20, healthy: true },
      { iteration: 40, healthy: false },
    ]);
  });

  it("keeps the newest of many incidents and commands", async () => {
    const { app, store, recorder } = recorded({ iterations: 1 });
    for (let i = 0; i < 201; i++) {
      recorder.incident(incidentRecord());
      store.addCommand("tiny-1", { kind: "save" });
    }
    const { answer } = await asked<ControlAnswer>(app, "/api/runs/tiny-1/control");
    const newest = Array.from({ length: 200 }, (_, i) => i + 2);
    expect(answer.incidents.map(({ id }) => id)).toEqual(newest);
    expect(answer.commands.map(({ id }) => id)).toEqual(newest);
  });

  it("is a table of any length, and lets others in between", async () => {
    const { app, recorder } = recorded({ iterations: 2 });
    for (let i = 2; i < 1_201; i++) recorder.metrics("ppo", i, i % 3 === 0 ? { a: i, b: -i } : { b: -i });
    recorder.commit();
    let turns = 0;
    const other = setInterval(() => turns++, 0);
    onTestFinished(() => clearInterval(other));
    const response = await app.request("http://localhost/api/runs/tiny-1/metrics.csv?keys=a,b", {
      headers: { host: "localhost" },
    });
    const lines = Array.from({ length: 1_199 }, (_, i) => i + 2).map((i) => `${i},${i % 3 === 0 ? i : ""},${-i}\n`);
    expect(await response.text()).toBe(`iteration,a,b\n${lines.join("")}`);
    expect(turns).toBeGreaterThan(0);
  });

  it("is compared with another, by what differs", async () => {
    const { app, workspace, store, folder } = recorded();
    const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    mkdirSync(join(workspace, "other-1"));
    const other = JSON.stringify({ ...config, seed: 2, ppo: { ...config.ppo, lambda: 0.9 } });
    writeFileSync(join(workspace, "other-1", "config.json"), other);
    const sums = { mean: Number.NaN, low: 0, high: 1, n: 4 };
    const after = { folder: "m", figures: { sums } };
    const evaluation = { ...{ samples: 4, temperature: 1, shares: ["sums"], before: null, differences: {} }, after };
    writeFileSync(join(workspace, "other-1", "evaluation.json"), toJson(evaluation));
    store.createRun(runRecord("other-1"));
    const { answer } = await asked<CompareAnswer>(app, "/api/compare?runs=tiny-1,other-1");
    expect(answer.runs.map(({ id }) => id)).toEqual(["tiny-1", "other-1"]);
    expect(answer.settings).toEqual([
      { key: "seed", values: [1, 2] },
      { key: "ppo.lambda", values: [0.95, 0.9] },
    ]);
    expect(answer.results.map(({ evaluation }) => evaluation)).toMatchObject([
      null,
      { samples: 4, after: { figures: { sums: { mean: "NaN" } } } },
    ]);
    expect(answer.keys).toContainEqual({ stage: "ppo", key: "health/total" });
    expect((await asked<Problem>(app, "/api/compare?runs=tiny-1,none-1")).status).toBe(404);
    expect((await asked<Problem>(app, "/api/compare")).status).toBe(400);
  });
});

describe("the laboratory", () => {
  it("is what lies in the workspace as such, with the runs that can be opened", async () => {
    const { app, workspace } = recorded();
    mkdirSync(join(workspace, "lab"));
    const table = { title: "Faults", columns: ["fault"], rows: [["lr-spike"]] };
    const experiment = { title: "Faults", at: 7, notes: ["n"], tables: [table], runs: ["tiny-1", "gone-1"] };
    writeFileSync(join(workspace, "lab", "faults.json"), JSON.stringify(experiment));
    writeFileSync(join(workspace, "lab", "half.json"), '{"title": "x"');
    writeFileSync(join(workspace, "lab", "other.json"), '{"cells": []}');
    const { answer } = await asked<LabAnswer>(app, "/api/lab");
    expect(answer.experiments).toEqual([{ ...experiment, id: "faults", runs: ["tiny-1"] }]);
  });
});

describe("no name leads out of the workspace", () => {
  const names = [
    "..",
    "../x",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2Fetc%2Fpasswd",
    "a%00b",
    "-x",
    ".x",
    "x".repeat(300),
  ];

  it.each(names)("%s", async (name) => {
    const { app } = recorded({ iterations: 1 });
    for (const rest of ["", "/series", "/control", "/diagnosis", "/metrics.csv?keys=a"]) {
      const { status, answer } = await asked<Problem>(app, `/api/runs/${name}${rest}`);
      expect(status).toBe(404);
      expect(JSON.stringify(answer)).not.toContain("root:");
    }
    expect((await asked(app, `/api/compare?runs=${name}`)).status).toBe(404);
  });

  it("nor does a link in it: that run has a record, and no folder", async () => {
    const { app, workspace, store } = recorded({ iterations: 1 });
    const outside = temporaryFolder();
    writeFileSync(join(outside, "config.json"), '{"secret": 1}');
    writeFileSync(join(outside, "rules.json"), '[{"id": "secret"}]');
    symlinkSync(outside, join(workspace, "link-1"));
    mkdirSync(join(workspace, "half-1"));
    writeFileSync(join(workspace, "half-1", "config.json"), "{}");
    symlinkSync(join(outside, "rules.json"), join(workspace, "half-1", "rules.json"));
    for (const id of ["link-1", "half-1"]) {
      store.createRun(runRecord(id));
      const { status, answer } = await asked<ControlAnswer>(app, `/api/runs/${id}/control`);
      expect([status, answer.rules]).toEqual([200, []]);
      expect((await asked(app, `/api/runs/${id}/diagnosis`)).status).toBe(409);
      expect((await asked(app, `/api/compare?runs=${id}`)).status).toBe(409);
    }
  });
});

describe("a damaged file of a run", () => {
  const asksAll = async ({ app, folder }: ReturnType<typeof recorded>, name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    const paths = ["", "/control", "/behaviour", "/diagnosis"].map((path) => `/api/runs/tiny-1${path}`);
    const all = [...paths, "/api/compare?runs=tiny-1"];
    return Promise.all(all.map(async (path) => (await asked<Problem & CompareAnswer>(app, path)).status));
  };

  it.each([
    ["evaluation.json", '{"half'],
    ["evaluation.json", "[1]"],
    ["evaluation.json", '{"after": {"figures": {"sums": 1}}}'],
    ["rules.json", '[{"id": "x"}]'],
    ["rules.json", "null"],
    ["ppo/checkpoint-000040/state.json", '{"healthy": 40}'],
    ["doctor.json", "{"],
  ])("is taken for absent: %s %s", async (name, text) => {
    expect(await asksAll(recorded({ iterations: 3 }), name, text)).toEqual([200, 200, 200, 200, 200]);
  });

  it("that an answer needs is a conflict, with what to do", async () => {
    const run = recorded({ iterations: 3 });
    expect(await asksAll(run, "config.json", '{"half')).toEqual([200, 200, 200, 409, 409]);
    const { version } = (await asked<RunAnswer>(run.app, "/api/runs/tiny-1")).answer;
    const { status, answer } = await asked<Problem>(run.app, "/api/runs/tiny-1/commands", {
      method: "POST",
      body: '{"kind": "pause"}',
      headers: {
        ...{ authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...{ "idempotency-key": "damaged", "if-match": `"${version}"` },
      },
    });
    expect([status, answer.error]).toEqual([409, expect.stringContaining("configuration")]);
    expect(answer.hint).toContain("config.json");
  });
});

describe("who may ask", () => {
  const post = (app: ReturnType<typeof served>, headers: Record<string, string>, body = '{"rules": ""}') =>
    asked<Problem & ReplayAnswer>(app, "/api/runs/tiny-1/replay", { method: "POST", headers, body });
  const json = { "content-type": "application/json" };
  const own = { ...json, authorization: `Bearer ${token}` };

  it("may read from this machine without a token, and is told whether they may change", async () => {
    const { app } = recorded({ iterations: 1 });
    const mayChange = async (headers: Record<string, string>) =>
      (await asked<WorkspaceAnswer>(app, "/api/workspace", { headers })).answer.mayChange;
    expect(await mayChange({})).toBe(false);
    expect(await mayChange({ authorization: `Bearer ${token}x` })).toBe(false);
    expect(await mayChange({ authorization: `Basic ${token}` })).toBe(false);
    expect(await mayChange({ authorization: `Bearer ${token}` })).toBe(true);
  });

  it("needs the token for work, sends JSON, and comes from our own page or from no page", async () => {
    const { app } = recorded({ iterations: 1 });
    expect((await post(app, json)).status).toBe(401);
    expect((await post(app, { ...json, authorization: "Bearer wrong" })).status).toBe(401);
    const wrong: [Record<string, string>, number][] = [
      [{ ...own, origin: "http://evil.example" }, 403],
      [{ ...own, origin: "http://localhost:3000" }, 403],
      [{ ...own, origin: "https://localhost:9464" }, 403],
      [{ ...own, origin: "null" }, 403],
      [{ ...own, "sec-fetch-site": "cross-site" }, 403],
      [{ ...own, "sec-fetch-site": "same-site" }, 403],
      [{ ...own, "content-type": "text/plain" }, 415],
      [{ ...own, "content-type": "application/x-www-form-urlencoded" }, 415],
      [{ ...own, "content-type": "application/jsonx" }, 415],
    ];
    for (const [headers, status] of wrong)
      expect((await post(app, headers)).status, JSON.stringify(headers)).toBe(status);
    const right = { ...own, origin: "http://localhost:9464", "sec-fetch-site": "same-origin" };
    // It reaches the run itself, whose controller has not been shown anything yet.
    expect((await post(app, right)).answer).toMatchObject({ error: expect.stringContaining("tiny-1 has no record") });
  });

  it("sends a body of the right shape and size", async () => {
    const { app } = recorded({ iterations: 1 });
    expect((await post(app, own, '{"rulse": ""}')).answer.error).toContain("did you mean rules?");
    expect((await post(app, own, '{"rules": "", "x": 1}')).answer.error).toContain('unknown key "x"');
    expect((await post(app, own, "[]")).status).toBe(400);
    expect((await post(app, own, "{")).answer.error).toBe("the body is not JSON");
    expect((await post(app, own, JSON.stringify({ rules: "x".repeat(300_000) }))).status).toBe(413);
  });

  it("from another machine needs the token for everything but the page, and a name of this machine", async () => {
    const { store } = recorded({ iterations: 1 });
    const app = served(store, { hosts: ["trainer.local", "10.0.0.7"], tokenToRead: true });
    const status = async (path: string, headers: Record<string, string>) =>
      (await app.request(`http://x${path}`, { headers })).status;
    for (const host of ["trainer.local:9464", "10.0.0.7", "localhost"]) {
      for (const path of ["/api/runs", "/api/stream", "/metrics"]) {
        expect(await status(path, { host }), path).toBe(401);
      }
      expect(await status("/api/runs", { host, authorization: `Bearer ${token}` })).toBe(200);
      expect(await status("/metrics", { host, authorization: `Bearer ${token}` })).toBe(200);
    }
    expect(await status("/api/runs", { host: "evil.example", authorization: `Bearer ${token}` })).toBe(403);
  });

  it("gets headers that keep the page its own on every answer", async () => {
    const { app } = recorded({ iterations: 1 });
    for (const path of ["/", "/api/runs", "/api/none", "/metrics", "/none"]) {
      const response = await app.request(`http://localhost${path}`, { headers: { host: "localhost" } });
      const policy = response.headers.get("content-security-policy") ?? "";
      expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*|http/);
      expect(response.headers.get("referrer-policy")).toBe("no-referrer");
      expect(response.headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(response.headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
      if (path.startsWith("/api")) expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });
});
