/** What the engine runs on: the facts on which the last bit of a result depends. */
import { cpus } from "node:os";
import { runtimeVersion } from "../../tensor/runtime.ts";
import { everyCapability } from "../capabilities.ts";
import type { EngineInfo } from "../engine.ts";

export function machineInfo(threads: number): EngineInfo {
  return {
    name: "embedded",
    cpu: cpus()[0]?.model ?? "unknown",
    threads,
    versions: { node: process.versions.node, "onnxruntime-node": runtimeVersion },
    capabilities: everyCapability,
  };
}
