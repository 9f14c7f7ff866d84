/** The machine record of a run: what a repetition to the last bit needs. */
import { availableParallelism } from "node:os";
import type { Engine } from "../engine/engine.ts";
import { machineMemory } from "../util/machine-memory.ts";
import { codeHash } from "../util/own-code.ts";
import { version } from "../util/own-version.ts";
import { platformName } from "../util/platform.ts";

export interface Machine {
  readonly cpu: string;
  readonly threads: number;
  readonly engine: string;
  readonly platform: string;
  /** Versions by name: ballast, node, and what the engine computes with. */
  readonly versions: Readonly<Record<string, string>>;
  /** Hash of Ballast's own code; records of versions before 0.4 lack it. */
  readonly code?: string;
  readonly logicalCores: number;
  /** GiB, or the container's limit: what passes are cut by. */
  readonly memoryGb: number;
}

export async function machineRecord(engine: Pick<Engine, "info">): Promise<Machine> {
  const { name, cpu, threads, versions } = await engine.info();
  return {
    cpu,
    threads,
    engine: name,
    platform: platformName,
    versions: { ballast: version(), node: process.versions.node, ...versions },
    code: codeHash(),
    logicalCores: availableParallelism(),
    memoryGb: machineMemory() / 2 ** 30,
  };
}

/** Sentences about differences that may change the last bits of a result. */
export function machineDifferences(before: Machine, now: Machine): string[] {
  const differences: string[] = [];
  const compare = (what: string, a: string | number | undefined, b: string | number | undefined) => {
    if (a !== b) differences.push(`the run began with ${what} ${a ?? "none"}, this is ${b ?? "none"}`);
  };
  compare("CPU", before.cpu, now.cpu);
  compare("platform", before.platform, now.platform);
  compare("engine", before.engine, now.engine);
  compare("threads", before.threads, now.threads);
  compare("memory of", `${before.memoryGb} GiB`, `${now.memoryGb} GiB`);
  // One process is not recorded. An engine's name begins with its role, if it has one.
  const versionOf = ({ versions }: Machine, name: string) =>
    versions[name] ?? (/(^| )processes$/.test(name) ? "1" : undefined);
  for (const name of new Set([...Object.keys(before.versions), ...Object.keys(now.versions)])) {
    compare(name, versionOf(before, name), versionOf(now, name));
  }
  return differences;
}
