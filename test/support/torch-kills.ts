/** Runs on the PyTorch engine that are killed, the worker or the whole program, and resumed: they end in the bits of one that was not. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { adapterWeightsFile } from "../../src/util/weight-files.ts";
import { type Ended, metricsOf, start, weights } from "../e2e/ballast.ts";
import { torchPython } from "./torch.ts";

export type Victim = "worker" | "program";

export const torchSettings = (dtype: string) => [
  ...["engine=torch", `engine.python=${torchPython}`, `engine.dtype=${dtype}`, "engine.device=cpu", "threads=1"],
];

/** The worker's processes: the only children of the program's. */
export function workersOf(program: number): number[] {
  try {
    const children = readFileSync(`/proc/${program}/task/${program}/children`, "utf8").trim();
    return children === "" ? [] : children.split(" ").map(Number);
  } catch {
    return [];
  }
}

/** Runs the program and kills the victim after some seconds, unless it has ended by then. */
export async function killedAfter(
  folder: string,
  { seconds, victim, args }: { seconds: number; victim: Victim; args: readonly string[] },
): Promise<Ended> {
  const run = start(folder, ...args);
  const timer = setTimeout(() => {
    const program = run.child.pid!;
    const pid = victim === "worker" ? workersOf(program)[0] : program;
    // Before the worker is there, and after it has gone, there is nothing to kill.
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  }, seconds * 1000);
  const ended = await run.ended;
  clearTimeout(timer);
  return ended;
}

/** The run with that name, if it has begun. */
export function begun(runs: string, name: string): string | undefined {
  const ids = existsSync(runs) ? readdirSync(runs).filter((id) => id.startsWith(`${name}-`)) : [];
  return ids.find((id) => existsSync(join(runs, id, "config.json")));
}

/** What must not differ between two runs: the weights or the adapter of each stage, and all metrics but times. */
export function resultOf(runs: string, id: string) {
  const run = join(runs, id);
  const stages = ["sft", "reward", "ppo"].map((stage) => {
    const adapter = join(run, stage, "final", adapterWeightsFile);
    return (existsSync(adapter) ? readFileSync(adapter) : weights(run, stage)).toString("base64");
  });
  return { stages, metrics: metricsOf(runs, id) };
}
