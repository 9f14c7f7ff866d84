/** Talking with models and preferring answers through the server: who may, what is kept, and what is exported. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { asked, served, token } from "../../../test/support/server.ts";
import { temporaryFolder } from "../../../test/support/store.ts";
import { workspaceWithRun } from "../../../test/support/workspace.ts";
import { readPreferenceRows } from "../../data/index.ts";
import type { Playground } from "../../types/playground-page.ts";

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
