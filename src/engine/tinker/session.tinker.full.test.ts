/** SkyRL's server ends a session that is silent: the next call says so, and what was saved can be loaded in a new session. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { missingSkyrl, startSkyrl } from "../../../test/support/skyrl-server.ts";
import { createTinkerEngine } from "./index.ts";

const missing = missingSkyrl();

test.skipIf(missing !== "")(`a silent session${missing}`, { timeout: 600_000 }, async () => {
  const data = mkdtempSync(join(tmpdir(), "ballast-skyrl-session-"));
  const server = await startSkyrl({
    data,
    flags: ["--session-timeout-sec", "30", "--session-cleanup-interval-sec", "1"],
  });
  onTestFinished(async () => {
    await server.stop();
    rmSync(data, { recursive: true });
  });
  const section = { url: server.url, model: server.baseModel, backend: "skyrl-jax", base: server.baseModel } as const;
  const timers = vi.spyOn(globalThis, "setInterval");
  const engine = await createTinkerEngine(section);
  onTestFinished(() => engine.close());
  const [heartbeat] = timers.mock.results.map(({ value }) => value as NodeJS.Timeout);
  timers.mockRestore();
  const { id } = await engine.loadModel(server.baseModel, { adapter: { rank: 4, alpha: 32 } });
  const state = await engine.saveModel(id, data);
  clearInterval(heartbeat);
  await vi.waitUntil(() => server.log().includes("Expired stale session"), { timeout: 200_000, interval: 500 });
  const sequences = [{ tokens: [4, 6, 7, 8, 6], start: 2 }];
  const error = await engine.forward(id, { sequences, outputs: ["logprobs"] }).catch((error) => error);
  expect(error.message).toMatch(/the server does not have what forward needs any more: Model model_\w+ not loaded/);
  expect(error.hint).toMatch(/its session ended.*ballast resume/s);
  const next = await createTinkerEngine(section);
  onTestFinished(() => next.close());
  const loaded = await next.loadModel(state);
  const { logprobs } = await next.forward(loaded.id, { sequences, outputs: ["logprobs"] });
  expect(logprobs[0]).toHaveLength(3);
});
