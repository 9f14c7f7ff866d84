/** A run that the page begins: a process of its own, which is in the list, and goes on when the server has ended. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openStore } from "../../src/store/index.ts";
import type { NewRunAnswer, StartedRun } from "../../src/types/new-run-page.ts";
import { serve, until } from "../support/browser.ts";
import { tinyFolder } from "./ballast.ts";

it("starts from a file, appears among the runs, and outlives the server", async () => {
  const cwd = tinyFolder();
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  const runs = join(cwd, "runs");
  const { origin, token, stop } = await serve(cwd, runs);
  const ask = async <Answer>(path: string, body?: object): Promise<Answer> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": path };
    const post = body && { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(origin + path, { headers, ...post });
    expect(response.status, path).toBe(200);
    return (await response.json()) as Answer;
  };
  const settings = ["sft.steps=300", "ppo.iterations=2", "reward.steps=6", "evaluation.samples=8"];
  const request = { extends: "tiny.yaml", name: "from-page", texts: { objective: "say: one word" }, settings };
  const started = await ask<StartedRun>("/api/new-run/start", request);
  expect(started).toMatchObject({ id: 1, state: "starting", file: expect.stringContaining("configs/from-page.yaml") });
  const newest = async () => (await ask<NewRunAnswer>("/api/new-run")).starts[0]!;
  expect(await until(async () => (await newest()).run, 60_000)).toBe("from-page-1");
  expect((await newest()).state).toBe("running");
  await stop();
  const state = () => {
    const store = openStore(join(runs, "ballast.db"), { readonly: true });
    try {
      return store.run("from-page-1");
    } finally {
      store.close();
    }
  };
  expect(state()!.state).toBe("running");
  expect(await until(() => state()!.state === "done" && state()!.objective, 120_000)).toBe("say: one word");
}, 240_000);
