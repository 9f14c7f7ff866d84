/** The PyTorch engine does what every engine must, in float32 and, within bfloat16's rounding, in bf16. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { smallConfig } from "../../../test/support/engine.ts";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { startTimeout, torchEngine } from "../../../test/support/torch.ts";
import { checks } from "../conformance/engine-conformance.ts";
import type { Engine } from "../engine.ts";

describe.each([
  ["fp32", 1e-5],
  // Passes of different make-up differ by up to a few hundredths of a nat.
  ["bf16", 0.1],
] as const)("the PyTorch engine in %s", (dtype, tolerance) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await torchEngine({ dtype });
  }, startTimeout);
  afterAll(() => engine.close());
  test.each(checks)("$name", ({ run }) => run(engine, { tolerance, config: smallConfig, folder: temporaryFolder }));
});
