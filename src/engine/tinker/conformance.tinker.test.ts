/** The Tinker engine on SkyRL's server does what every engine must. */
import { expect, inject, test } from "vitest";
import { missingSkyrl } from "../../../test/support/skyrl-server.ts";
import { checkTinker } from "./tinker-check.ts";

const missing = missingSkyrl();

test.skipIf(missing !== "")(`conformance${missing}`, { timeout: 600_000 }, async () => {
  const { url, baseModel } = inject("skyrl")!;
  const results = await checkTinker({ url, model: baseModel, backend: "skyrl-jax", base: baseModel });
  expect(results.filter(({ outcome }) => outcome === "failed")).toEqual([]);
  expect(results.filter(({ outcome }) => outcome === "passed").map(({ name }) => name)).toHaveLength(10);
});
