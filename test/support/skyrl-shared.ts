/**
 * Runs before the tests of `npm run test:tinker`: one SkyRL server for all of them, which they get by `inject("skyrl")`; undefined if none is installed.
 * BALLAST_TEST_SKYRL_URL names one that already runs on the test model.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { missingSkyrl, skyrlModel, startSkyrl } from "./skyrl-server.ts";

export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (missingSkyrl() !== "") return;
  const running = process.env.BALLAST_TEST_SKYRL_URL;
  if (running !== undefined) {
    project.provide("skyrl", { url: running, baseModel: skyrlModel() });
    return;
  }
  const data = mkdtempSync(join(tmpdir(), "ballast-skyrl-"));
  const server = await startSkyrl({ data });
  project.provide("skyrl", { url: server.url, baseModel: server.baseModel });
  return async () => {
    await server.stop();
    rmSync(data, { recursive: true });
  };
}

declare module "vitest" {
  interface ProvidedContext {
    skyrl?: { readonly url: string; readonly baseModel: string };
  }
}
