/** The PyTorch engine in tests: on the Python that BALLAST_TEST_PYTHON names. `npm run test:torch` runs these tests, and needs it. */
import { createTorchEngine, type TorchEngine, type TorchEngineOptions } from "../../src/engine/torch/index.ts";

export const torchPython = process.env.BALLAST_TEST_PYTHON ?? "python3";

export function torchEngine(options: TorchEngineOptions = {}): Promise<TorchEngine> {
  return createTorchEngine({ threads: 1, python: torchPython, device: "cpu", ...options });
}

/** Importing PyTorch and transformers takes seconds, and more on a busy machine. */
export const startTimeout = 400_000;
