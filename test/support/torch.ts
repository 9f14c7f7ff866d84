/** The PyTorch engine in tests: on the Python that BALLAST_TEST_PYTHON names. */
import { createTorchEngine, type TorchEngine, type TorchEngineOptions } from "../../src/engine/torch/index.ts";
import { missingPython } from "./python.ts";

export const torchPython = process.env.BALLAST_TEST_PYTHON ?? "python3";

/** What keeps these tests from running, as a suffix of their name. Where they must run (BALLAST_TEST_TORCH=1), nothing does: they fail instead. */
export const noTorch =
  process.env.BALLAST_TEST_TORCH === "1" ? "" : missingPython(["torch", "transformers", "safetensors"]);

export function torchEngine(options: TorchEngineOptions = {}): Promise<TorchEngine> {
  return createTorchEngine({ threads: 1, python: torchPython, device: "cpu", ...options });
}

/** Importing PyTorch and transformers takes seconds, and more on a busy machine. */
export const startTimeout = 120_000;
