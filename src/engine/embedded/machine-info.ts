/** What the engine runs on: the facts on which the last bit of a result depends. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { runtimeVersion } from "../../tensor/runtime.ts";
import type { EngineInfo } from "../engine.ts";

export function machineInfo(threads: number): EngineInfo {
  return {
    name: "embedded",
    cpu: cpus()[0]?.model ?? "unknown",
    threads,
    versions: { node: process.versions.node, "onnxruntime-node": runtimeVersion },
    capabilities: { bitExact: true, truncatedSampling: true, layerNorms: true, fullKl: true },
  };
}

/** Physical cores: a second hardware thread on a core only takes the arithmetic units from the first. */
export function defaultThreads(): number {
  const logical = availableParallelism();
  return Math.max(1, hasTwoThreadsACore() ? Math.floor(logical / 2) : logical);
}

function hasTwoThreadsACore(): boolean {
  try {
    return readFileSync("/sys/devices/system/cpu/smt/active", "utf8").trim() === "1";
  } catch {
    // No such file outside Linux: Apple's processors have one thread a core; elsewhere all threads are used.
    return false;
  }
}
