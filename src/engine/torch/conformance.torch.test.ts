/** The PyTorch engine does what every engine must, in float32 and, within bfloat16's rounding, in bf16. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { smallConfig } from "../../../test/support/engine.ts";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { startTimeout, torchEngine, torchPython } from "../../../test/support/torch.ts";
import { checks, lackedBy } from "../conformance/engine-conformance.ts";
import type { Engine } from "../engine.ts";
import { openEngine } from "../open-engine.ts";

const mixed = { kind: "torch", python: torchPython, device: "cpu", threads: 1, critic: { kind: "embedded" } };

describe.each([
  ["the PyTorch engine in fp32", () => torchEngine(), 1e-5],
  // Passes of different make-up differ by up to a few hundredths of a nat.
  ["the PyTorch engine in bf16", () => torchEngine({ dtype: "bf16" }), 0.1],
  ["PyTorch with the critic on the embedded engine", () => openEngine(mixed), 1e-5],
] as const)("%s", (_, open, tolerance) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  }, startTimeout);
  afterAll(() => engine.close());
  test.each(checks)("$name", async ({ needs, run }) => {
    expect(lackedBy((await engine.info()).capabilities, needs)).toEqual([]);
    await run(engine, { tolerance, config: smallConfig, folder: temporaryFolder });
  });
});
