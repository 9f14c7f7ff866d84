/** Runs before all tests: fetches ONNX Runtime into the user's cache, so that tests which compile a graph directly find it. */
import { fetchRuntime } from "../../src/tensor/runtime.ts";

export async function setup(): Promise<void> {
  await fetchRuntime({ onNote: (text) => process.stderr.write(`${text}\n`) });
}
