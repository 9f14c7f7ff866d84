/** Talking with models and preferring answers through the server: who may, what is kept, and what is exported. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asked, served, token } from "../../../test/support/server.ts";
import { sampleRecord, temporaryFolder } from "../../../test/support/store.ts";
import { workspaceWithRun } from "../../../test/support/workspace.ts";
import { readPreferenceRows } from "../../data/index.ts";
import type { Playground, SamplePair } from "../../types/playground-page.ts";

const post = (body: unknown, headers: Record<string, string> = {}) => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
});
const request = { model: "m", messages: [{ role: "user", content: "hi" }], temperature: 0, maxTokens: 4, seed: 1 };

it("sends an answer line by line, and only with the token", async () => {
  const playground: Playground = {
    offers: () => ({ models: [], loaded: [] }),
    reply: async ({ model }, tell) => {
      tell({ kind: "text", text: `${model}:` });
      tell({ kind: "problem", error: "gone" });
    },
  };
  const app = served(workspaceWithRun().store, { playground });
  const path = "http://localhost/api/playground/reply";
  const response = await app.request(path, post(request, { host: "localhost" }));
  expect(await response.text()).toBe('{"kind":"text","text":"m:"}\n{"kind":"problem","error":"gone"}\n');
  expect((await asked(app, "/api/playground/reply", post(request, { authorization: "" }))).status).toBe(401);
  expect((await asked(app, "/api/playground")).status).toBe(401);
  const ended = { ...request, messages: [...request.messages, { role: "assistant", content: "yes" }] };
  expect(await asked(app, "/api/playground/reply", post(ended))).toMatchObject({ status: 400 });
  expect((await asked(app, "/api/playground/reply", post({ ...request, temperature: -1 }))).status).toBe(400);
  expect((await asked(served(workspaceWithRun().store), "/api/playground/reply", post(request))).status).toBe(409);
});

it("keeps a choice with the operator's name, once, and exports what a reward model reads", async () => {
  const { store } = workspaceWithRun();
  const app = served(store);
  const path = "/api/runs/tiny-1/preferences";
  const choice = { prompt: "say red", chosen: "red", rejected: "blue" };
  const keyed = (key: string, body: object = choice) =>
    post(body, { "idempotency-key": key, "ballast-operator": encodeURIComponent("Zoë") });
  expect((await asked(app, path, keyed("a"))).status).toBe(200);
  expect((await asked(app, path, keyed("a"))).status).toBe(200);
  expect(store.ratings("tiny-1")).toMatchObject([{ kind: "preference", ...choice, rater: "Zoë" }]);
  await asked(app, path, keyed("b", { prompt: "say sun", chosen: "sun", rejected: "" }));
  expect((await asked(app, path, keyed("c", { ...choice, rejected: "red" }))).status).toBe(400);
  expect((await asked(app, path, post(choice, { authorization: "", "idempotency-key": "d" }))).status).toBe(401);
  const answer = await app.request("http://localhost/api/runs/tiny-1/preferences.jsonl", {
    headers: { host: "localhost" },
  });
  const file = join(temporaryFolder(), "pairs.jsonl");
  writeFileSync(file, await answer.text());
  expect(readPreferenceRows({ path: file, fields: {}, limit: 0 })).toMatchObject([{ chosen: "red", rejected: "blue" }]);
});

it("asks about two stored samples of one prompt that this operator has not compared", async () => {
  const { store } = workspaceWithRun();
  const recorder = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  for (const [iteration, response] of ["red", "blue", "red"].entries())
    recorder.samples("ppo", iteration, [sampleRecord({ prompt: "say red", response })]);
  recorder.metrics("ppo", 9, { "reward/score_mean": 1 });
  recorder.commit();
  const app = served(store);
  const as = (name: string) => ({ headers: { authorization: `Bearer ${token}`, "ballast-operator": name } });
  const path = "/api/runs/tiny-1/pairs";
  const { answer } = await asked<SamplePair>(app, path, as("ann"));
  expect(answer).toMatchObject({ prompt: "say red", left: 1 });
  expect([...answer.responses].sort((a, b) => (a.text < b.text ? -1 : 1))).toEqual([
    { text: "blue", iterations: [1] },
    { text: "red", iterations: [0, 2] },
  ]);
  const [chosen, rejected] = answer.responses.map(({ text }) => text);
  const headers = { "idempotency-key": "a", "ballast-operator": "ann" };
  await asked(app, "/api/runs/tiny-1/preferences", post({ prompt: "say red", chosen, rejected }, headers));
  expect(await asked(app, path, as("ann"))).toMatchObject({ status: 404 });
  expect(await asked(app, path, as("bob"))).toMatchObject({ status: 200, answer: { left: 1 } });
  expect((await asked(app, `${path}?skip=1`, as("bob"))).status).toBe(404);
  expect((await asked(app, path)).status).toBe(401);
});
