/** The engine on which a run trains, and how the machine differs from the one on which the run began. */
import type { Config } from "../config/index.ts";
import type { Engine } from "../engine/engine.ts";
import { openEngine } from "../engine/open-engine.ts";
import { type Machine, machineDifferences, machineRecord } from "./machine-record.ts";

export interface RunEngine {
  readonly engine: Engine;
  readonly machine: Machine;
  /** Sentences about what may change the last bits; empty for a new run. */
  readonly differences: readonly string[];
}

/** `before` is the machine record that the run began with, or null. The thread count is part of what makes a run repeatable to the bit: a run keeps its own. */
export async function openRunEngine({
  config,
  before,
  onNote,
  interrupted,
}: {
  readonly config: Pick<Config, "engine" | "threads" | "recompute" | "model">;
  readonly before: Machine | null;
  readonly onNote: (text: string) => void;
  /** Asked while the engine starts: whether to leave. */
  readonly interrupted?: (() => boolean) | undefined;
}): Promise<RunEngine> {
  const { recompute } = config;
  const engine = await openEngine({
    ...config.engine,
    ...(interrupted && { interrupted }),
    ...{ threads: before?.threads ?? config.threads, recompute, base: config.model.path, onNote },
  });
  try {
    const machine = await machineRecord(engine);
    return { engine, machine, differences: before ? machineDifferences(before, machine) : [] };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
