/** Users' changes through the server: done once, on the state they saw, and never more than allowed. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { incidentRecord } from "../../../test/support/incident.ts";
import { asked, reading, served, token } from "../../../test/support/server.ts";
import { sampleRecord } from "../../../test/support/store.ts";
import { workspaceWithRun } from "../../../test/support/workspace.ts";
import type { Changed, Problem, RunAnswer, RunsAnswer, SamplesAnswer } from "../../types/page.ts";
import { replayInThread } from "./replay-change.ts";

let keys = 0;

function workspace() {
  const clock = { now: 1_700_000_000_000 };
  const run = workspaceWithRun({ checkpoints: [50, 77, 78], now: () => clock.now });
  const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
  const incident = recorder.incident(incidentRecord())!;
  const app = served(run.store, { now: () => clock.now, self: "./bin/ballast", option: "--workspace /w" });
  const version = async () => (await asked<RunAnswer>(app, "/api/runs/tiny-1")).answer.version;
  const send = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    asked<Changed & Problem>(app, `/api${path}`, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: {
        ...{ authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...{ "idempotency-key": `key-${keys++}`, ...headers },
      },
    });
  const decide = async (body: unknown, headers: Record<string, string> = {}) =>
    send(`/incidents/${incident}/decision`, body, { "if-match": `"${await version()}"`, ...headers });
  return { ...run, clock, recorder, incident, app, version, send, decide };
}

describe("a decision", () => {
  const rollback = { action: "rollback", to: "before", set: ["ppo.learningRate=1e-6"], reason: "too fast" };

  it("is written once, with its changes, for the trainer that waits", async () => {
    const { store, incident, decide } = workspace();
    const { status, answer } = await decide(rollback);
    expect([status, answer.id]).toEqual([200, incident]);
    expect(answer.message).toBe(
      `Incident ${incident}: rollback to 77. Run tiny-1 is waiting for this decision and applies it now.`,
    );
    expect(store.incident(incident)?.decision).toMatchObject({
      ...{ action: "rollback", to: 77, reason: "too fast" },
      changes: [{ key: "ppo.learningRate", value: 1e-6 }],
    });
    const second = await decide({ ...rollback, action: "resume", to: undefined });
    expect([second.status, second.answer.error]).toEqual([409, expect.stringContaining("was decided")]);
    expect(second.answer.hint).toMatch(/to continue the run: .\/bin\/ballast resume tiny-1 --workspace \/w$/);
  });

  it("and every other change are recorded with the sender's name, or that of the user who runs the server", async () => {
    const { store, incident, decide, version, send } = workspace();
    const command = async (headers: Record<string, string>) =>
      send("/runs/tiny-1/commands", { kind: "save" }, { "if-match": `"${await version()}"`, ...headers });
    await decide(rollback, { "ballast-operator": encodeURIComponent("Zoë") });
    await send("/runs/tiny-1/marks", { kind: "tag", value: "x", present: true }, { "ballast-operator": "ann" });
    await command({});
    expect(store.incident(incident)?.decision?.operator).toBe("Zoë");
    expect(store.marks("tiny-1")[0]?.operator).toBe("ann");
    expect(store.commands("tiny-1").map(({ operator }) => operator)).toEqual(["Zoë", userInfo().username]);
    for (const bad of ["%00", "%", "x".repeat(101)])
      expect((await command({ "ballast-operator": bad })).status).toBe(400);
    expect(store.commands("tiny-1")).toHaveLength(2);
  });

  it("says what to type if no process waits", async () => {
    const { clock, decide } = workspace();
    clock.now += 60_000;
    const { answer } = await decide({ action: "resume", reason: "odd prompts" });
    expect(answer.message).toContain("./bin/ballast resume tiny-1 --workspace /w");
  });

  it("on a state that is no longer so is refused, with what has changed", async () => {
    const { store, decide, version, incident } = workspace();
    const seen = await version();
    store.addCommand("tiny-1", { kind: "pause" });
    const { status, answer } = await decide(rollback, { "if-match": `"${seen}"` });
    expect([status, answer.error]).toEqual([409, "the run has changed since: a command was given"]);
    expect(store.incident(incident)?.decision).toBeNull();
  });

  it("sent again is answered the same and does nothing, also after a restart; its key serves no other", async () => {
    const { store, decide, version, incident } = workspace();
    const headers = { "idempotency-key": "once", "if-match": `"${await version()}"` };
    const first = await decide(rollback, headers);
    const again = await decide(rollback, headers);
    expect(again.answer).toEqual(first.answer);
    expect(store.commands("tiny-1")).toHaveLength(1);
    const restarted = await asked<Changed>(served(store), `/api/incidents/${incident}/decision`, {
      method: "POST",
      body: JSON.stringify(rollback),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    });
    expect(restarted.answer).toEqual(first.answer);
    const other = await decide({ ...rollback, reason: "another" }, headers);
    expect([other.status, other.answer.error]).toEqual([
      409,
      expect.stringContaining("was used for a different request"),
    ]);
  });

  it("that fails leaves its key free", async () => {
    const { store, decide, incident } = workspace();
    const headers = { "idempotency-key": "again" };
    expect((await decide({ ...rollback, to: "60" }, headers)).status).toBe(400);
    expect((await decide(rollback, headers)).status).toBe(200);
    expect(store.incident(incident)?.decision?.to).toBe(77);
  });

  it.each([
    [{ action: "resume" }, "reason"],
    [{ action: "resume", reason: " " }, "needs a reason"],
    [{ action: "rollback", reason: "r" }, "a rollback needs `to`"],
    [{ action: "resume", to: "before", reason: "r" }, "`to` belongs to a rollback"],
    [{ action: "rollback", to: "../../x", reason: "r" }, "last-healthy, before or a number"],
    [{ action: "delete", reason: "r" }, "action"],
    [{ action: "stop", reason: "r", set: ["ppo.learningRate=1"] }, "has no settings to change"],
    [{ action: "resume", reason: "r", set: ["ppo.iterations=1"] }, "cannot be changed while ppo runs"],
    [{ action: "resume", reason: "r", set: ["ppo.learningRate=-1"] }, "ppo.learningRate"],
    [{ action: "resume", raeson: "r" }, "did you mean reason?"],
    ["{", "not JSON"],
  ])("of %j is refused", async (body, error) => {
    const { store, decide, incident } = workspace();
    const { status, answer } = await decide(body);
    expect([status, answer.error]).toEqual([400, expect.stringContaining(error)]);
    expect(store.incident(incident)?.decision).toBeNull();
  });

  it("needs token, key and version", async () => {
    const { decide, send, incident } = workspace();
    expect((await decide(rollback, { authorization: "" })).status).toBe(401);
    expect((await decide(rollback, { "idempotency-key": "" })).answer.error).toContain("Idempotency-Key");
    expect((await decide(rollback, { "idempotency-key": "two words" })).status).toBe(400);
    expect((await send(`/incidents/${incident}/decision`, rollback)).status).toBe(428);
    expect((await decide(rollback, { "if-match": "*" })).status).toBe(428);
    expect((await send("/incidents/99/decision", rollback, { "if-match": '"x"' })).status).toBe(404);
    expect((await send("/incidents/1e0/decision", rollback, { "if-match": '"x"' })).status).toBe(404);
    expect((await decide({ ...rollback, reason: "x".repeat(70_000) })).status).toBe(413);
  });

  it("on a run whose folder is gone is refused", async () => {
    const { decide, folder } = workspace();
    rmSync(folder, { recursive: true });
    const { status, answer } = await decide(rollback);
    expect([status, answer.error]).toEqual([409, "the folder of run tiny-1 is not in this workspace"]);
  });
});

describe("a command", () => {
  it("is written for the trainer, checked as the configuration is", async () => {
    const { store, send, version } = workspace();
    const tell = async (body: unknown) => send("/runs/tiny-1/commands", body, { "if-match": `"${await version()}"` });
    const set = (value: unknown, key = "ppo.kl.coef") => ({
      kind: "set",
      payload: { key, value },
      reason: " KL grows ",
    });
    const { status, answer } = await tell(set(0.1));
    expect([status, answer.message]).toEqual([200, expect.stringContaining("tiny-1")]);
    expect(answer.version).toBe(await version());
    const [command] = store.commands("tiny-1");
    expect(command).toMatchObject({
      ...{ id: answer.id, kind: "set", payload: { key: "ppo.kl.coef", value: 0.1 }, reason: "KL grows" },
    });
    const refused: [unknown, string][] = [
      [set(-1), "ppo.kl.coef"],
      [set("x"), "ppo.kl.coef"],
      [set({ a: 1 }), "a number, a word"],
      [set(1, "ppo.kl.coeff"), "ppo.kl.coeff"],
      [set(1, "ppo.iterations"), "ppo.iterations"],
      [set(1, "__proto__.x"), "__proto__.x"],
      [{ kind: "undo", payload: { intervention: 9 } }, "no intervention 9"],
      [{ kind: "save", payload: { to: "/etc" } }, "save has no to"],
      [{ kind: "delete" }, "kind"],
      [{ kind: "pause", raeson: "x" }, "did you mean reason?"],
    ];
    for (const [body, error] of refused) {
      const { status, answer } = await tell(body);
      expect([status, answer.error], JSON.stringify(body)).toEqual([400, expect.stringContaining(error)]);
    }
    expect(store.commands("tiny-1")).toHaveLength(1);
  });

  it("of two that saw the same state one is given", async () => {
    const { store, send, version } = workspace();
    const headers = { "if-match": `"${await version()}"` };
    const statuses = await Promise.all(
      ["pause", "save"].map(async (kind) => (await send("/runs/tiny-1/commands", { kind }, headers)).status),
    );
    expect(statuses.sort()).toEqual([200, 409]);
    expect(store.commands("tiny-1")).toHaveLength(1);
    expect((await send("/runs/tiny-1/commands", { kind: "pause" })).status).toBe(428);
    expect((await send("/runs/../commands", { kind: "pause" }, headers)).status).toBe(404);
  });
});

it("a database that was removed or replaced takes nothing and answers nothing, until it is back", async () => {
  const { app, send, store } = workspace();
  const response = await app.request("http://localhost/api/stream?runs=", { headers: { host: "localhost" } });
  const tag = (value: string) => send("/runs/tiny-1/marks", { kind: "tag", value, present: true });
  renameSync(store.path, `${store.path}-away`);
  const refusals = async () => {
    const refused = [await asked<Problem>(app, "/api/runs"), await asked<Problem>(app, "/api/stream"), await tag("a")];
    for (const { status, answer } of refused)
      expect([status, answer.error, answer.hint]).toEqual([
        503,
        `${store.path} was removed or replaced while it was served`,
        "Start `ballast serve` again.",
      ]);
  };
  await refusals();
  // Its stream has ended.
  expect(await response.text()).toContain("event: batch");
  writeFileSync(store.path, "");
  await refusals();
  renameSync(`${store.path}-away`, store.path);
  expect((await tag("b")).status).toBe(200);
  expect(store.marks("tiny-1")).toMatchObject([{ value: "b" }]);
});

it("a replay lets others in between, and ends where it comes to more than a page can hold, or a server can wait for", async () => {
  const { send, recorder, folder, store, workspace: root } = workspace();
  writeFileSync(join(folder, "rules.json"), "[]");
  for (let iteration = 0; iteration < 1_000; iteration++)
    recorder.consultation({
      stage: "ppo",
      iteration,
      point: "scored",
      step: null,
      signals: { "reward/score_mean": iteration },
    });
  recorder.commit();
  const when = "when: { signal: reward/score_mean, above: -1 }, cooldown: 0, source: x";
  const rules = (count: number) =>
    `rules:\n${Array.from({ length: count }, (_, i) => `  - { id: r${i}, tier: 3, ${when} }\n`).join("")}`;
  let turns = 0;
  const other = setInterval(() => turns++, 1);
  onTestFinished(() => clearInterval(other));
  const { status, answer } = await send("/runs/tiny-1/replay", { rules: rules(51) });
  expect([status, answer.error, answer.hint]).toEqual([
    409,
    "these rules fire more than 50000 times",
    "In a terminal: ballast replay tiny-1 --rules FILE",
  ]);
  expect(turns).toBeGreaterThan(0);
  const two = await Promise.all([1, 2].map(() => send("/runs/tiny-1/replay", { rules: rules(10) })));
  expect(two.map(({ status, answer }) => (status === 200 ? "answered" : answer.error)).sort()).toEqual([
    "another replay is running",
    "answered",
  ]);
  expect((await send("/runs/tiny-1/replay", { rules: "rules: [" })).status).toBe(400);
  const place = { id: "tiny-1", folder, workspace: root };
  const work = { database: store.path, place, text: rules(10) };
  await expect(replayInThread(work, { milliseconds: 1 })).rejects.toMatchObject({
    status: 409,
    message: "the replay takes more than 0.001 seconds",
  });
});

describe("marks", () => {
  const mark = (kind: string, value: string, present = true) => ({ kind, value, present });

  it("show in every table at once, without a version, and can be taken away", async () => {
    const { app, send } = workspace();
    const reader = await reading(app, "runs=");
    await reader.next();
    expect((await send("/runs/tiny-1/marks", mark("tag", "baseline"))).status).toBe(200);
    expect((await reader.next()).summaries).toMatchObject([{ id: "tiny-1", tags: ["baseline"] }]);
    for (const one of [
      mark("tag", "two words"),
      mark("note", "<b>first</b>"),
      mark("note", "second"),
      mark("archived", ""),
    ])
      expect((await send("/runs/tiny-1/marks", one)).status).toBe(200);
    await send("/runs/tiny-1/marks", mark("tag", "baseline", false));
    const { answer } = await asked<RunsAnswer>(app, "/api/runs");
    expect(answer.runs[0]).toMatchObject({ tags: ["two words"], note: "second", archived: true });
    await reader.leave();
  });

  it("of a sample pin it", async () => {
    const { app, send, recorder } = workspace();
    recorder.samples("ppo", 0, [sampleRecord(), sampleRecord({ index: 1, prompt: "Say HELLO" })]);
    recorder.commit();
    const find = async (query: string) => {
      const { answer } = await asked<SamplesAnswer>(app, `/api/runs/tiny-1/samples?${query}`);
      return answer.samples.map(({ seq }) => seq);
    };
    expect((await send("/runs/tiny-1/marks", mark("pin", "2"))).status).toBe(200);
    expect(await find("filter=pinned")).toEqual([2]);
    expect(await find("q=hello")).toEqual([2]);
    expect(await find("prompt=1")).toEqual([1]);
    expect(await find("filter=truncated")).toEqual([]);
    expect((await send("/runs/tiny-1/marks", mark("pin", "3"))).status).toBe(404);
    expect((await asked(app, "/api/runs/tiny-1/samples?filter=best")).status).toBe(400);
  });

  it.each([
    [mark("tag", ""), 400],
    [mark("tag", " a"), 400],
    [mark("tag", "a\u202eb"), 400],
    [mark("tag", "x".repeat(41)), 400],
    [mark("archived", "x"), 400],
    [mark("star", "x"), 400],
    [{ kind: "tag", value: "x" }, 400],
    [mark("note", "x".repeat(5_000)), 400],
  ])("of %j are refused", async (body, status) => {
    const { send, store } = workspace();
    expect((await send("/runs/tiny-1/marks", body)).status).toBe(status);
    expect(store.marks("tiny-1")).toEqual([]);
  });
});
