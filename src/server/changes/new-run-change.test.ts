/** Runs that the page begins: who may, how often one request counts, and what a mistake starts. */
import { expect, it } from "vitest";
import { asked, served, token } from "../../../test/support/server.ts";
import { workspaceWithRun } from "../../../test/support/workspace.ts";
import type { NewRunCheck, NewRunRequest, RunDesk, StartedRun } from "../../types/new-run-page.ts";

const request: NewRunRequest = { extends: "laptop", name: "own", texts: { objective: "a: b" }, settings: ["seed=2"] };
const fine: NewRunCheck = {
  ...{ yaml: "extends: laptop", problem: null, warnings: [], objective: "", stages: ["ppo"], findings: [], plan: null },
};

function desk(check: NewRunCheck = fine) {
  const started: NewRunRequest[] = [];
  const operators: (string | undefined)[] = [];
  const start = (own: NewRunRequest, by?: { readonly operator: string }): StartedRun => {
    started.push(own);
    operators.push(by?.operator);
    const id = started.length;
    return { id, file: "own.yaml", command: "ballast run own.yaml", at: 0, state: "starting", run: null, said: "" };
  };
  const offers = () => ({ templates: [], files: [], models: [], starts: [] });
  return { started, operators, own: { offers, check: async () => check, start } satisfies RunDesk };
}

const post = (key: string, body: unknown = request, headers: Record<string, string> = {}) => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: {
    "content-type": "application/json",
    "idempotency-key": key,
    authorization: `Bearer ${token}`,
    ...headers,
  },
});

it("starts what was asked, once for each key, and only with the token", async () => {
  const { started, operators, own } = desk();
  const app = served(workspaceWithRun().store, { desk: own });
  expect((await asked(app, "/api/new-run")).status).toBe(401);
  expect((await asked(app, "/api/new-run/start", post("a", request, { authorization: "" }))).status).toBe(401);
  expect((await asked(app, "/api/new-run/check", post("a", request, { authorization: "" }))).status).toBe(401);
  expect(started).toEqual([]);
  const first = await asked<StartedRun>(app, "/api/new-run/start", post("a"));
  const again = await asked<StartedRun>(app, "/api/new-run/start", post("a"));
  expect([first.answer.id, again.answer.id]).toEqual([1, 1]);
  expect(
    (await asked<StartedRun>(app, "/api/new-run/start", post("b", request, { "ballast-operator": "ann" }))).answer.id,
  ).toBe(2);
  expect(operators[1]).toBe("ann");
  expect(started).toEqual([request, request]);
});

it("starts nothing that has a mistake, and no unknown fields", async () => {
  const problem = { error: "there is no file nowhere.jsonl", hint: "Name one." };
  const { started, own } = desk({ ...fine, problem });
  const app = served(workspaceWithRun().store, { desk: own });
  expect(await asked(app, "/api/new-run/start", post("a"))).toMatchObject({ status: 400, answer: problem });
  const wrong = await asked(app, "/api/new-run/start", post("b", { ...request, program: "rm" }));
  expect(wrong).toMatchObject({ status: 400, answer: { error: expect.stringContaining('unknown key "program"') } });
  expect(started).toEqual([]);
});

it("says so if the server begins no runs", async () => {
  const app = served(workspaceWithRun().store);
  expect(await asked(app, "/api/new-run/start", post("a"))).toMatchObject({ status: 409 });
});
