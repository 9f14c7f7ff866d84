/**
 * `npx tsx bench/torch.ts [--shape small] [--rounds 3] [--threads 2] [--engines "embedded,torch bf16"] [--python PYTHON]`: a PPO iteration on the embedded
 * engine, on PyTorch in float32 and in bf16, in turns; medians, and ratios to the first. Processor time is that of Ballast and its worker, peak memory
 * that of its largest process; both need Linux.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Engine } from "../src/engine/engine.ts";
import { openEngine } from "../src/engine/open-engine.ts";
import { createTorchEngine } from "../src/engine/torch/index.ts";
import { defaultThreads } from "../src/util/threads.ts";
import { benchIteration } from "./iteration.ts";
import { median } from "./measure.ts";
import { shapes } from "./shapes.ts";

const { values: options } = parseArgs({
  options: {
    shape: { type: "string", default: "small" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: String(defaultThreads()) },
    python: { type: "string" },
    engines: { type: "string", default: "embedded,torch fp32,torch bf16" },
  },
});
const shape = shapes[options.shape as keyof typeof shapes];
if (shape === undefined)
  throw new Error(`there is no shape ${options.shape}; there are ${Object.keys(shapes).join(", ")}`);
const threads = Number(options.threads);
const { python } = options;

interface Opened {
  readonly engine: Engine;
  /** The worker's processes; absent if the engine is a thread of this one. */
  readonly pids?: readonly number[];
}

const engines: Readonly<Record<string, () => Promise<Opened>>> = {
  embedded: async () => ({ engine: await openEngine({ threads }) }),
  "torch fp32": () => torch("fp32"),
  "torch bf16": () => torch("bf16"),
  // The same threads a process: what a second process gains.
  "1 process": () => torch("fp32", 1),
  "2 processes": () => torch("fp32", 2),
  "1 process bf16": () => torch("bf16", 1),
  "2 processes bf16": () => torch("bf16", 2),
};

/** With `processes` each has one thread. */
async function torch(dtype: "fp32" | "bf16", processes?: number): Promise<Opened> {
  const engine = await createTorchEngine({ threads: processes ?? threads, processes, python, device: "cpu", dtype });
  return { engine, pids: engine.worker.pids as readonly number[] };
}

/** A process's user and system time, in seconds: clock ticks are hundredths. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const peakOf = (pid: number) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

const names = options.engines.split(",");
const results: Record<string, Record<string, number>[]> = {};
for (let round = 0; round < Number(options.rounds); round++) {
  for (const name of names) {
    const open = engines[name];
    if (open === undefined) throw new Error(`there is no engine ${name}; there are ${Object.keys(engines).join(", ")}`);
    const { engine, pids = [] } = await open();
    const cpu = () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
    const before = cpu();
    const { total, rollout, score, passes, update, cpuSeconds, outsideEngineShare } = await benchIteration(
      engine,
      shape,
    );
    const own = (cpu() - before) / shape.iterations;
    const peakMb = pids.length === 0 ? Number.NaN : Math.max(...pids.map(peakOf));
    const one = {
      total,
      rollout,
      score,
      passes,
      update,
      cpu: cpuSeconds + own,
      outside: outsideEngineShare,
      workerMb: peakMb,
    };
    await engine.close();
    results[name] = [...(results[name] ?? []), one];
    process.stderr.write(`${name}: ${JSON.stringify(one)}\n`);
  }
}
const medians = (name: string) =>
  Object.fromEntries(
    Object.keys(results[name]![0]!).map((key) => [key, median(results[name]!.map((one) => one[key]!))]),
  );
const [first = ""] = names;
const base = medians(first);
for (const name of names) {
  const found = medians(name);
  const parts = ["rollout", "score", "passes", "update"].map((key) => `${key} ${found[key]!.toFixed(3)}`);
  process.stdout.write(
    `${name.padEnd(11)} ${found.total!.toFixed(3)} s (${(found.total! / base.total!).toFixed(2)} of ${first}), processor ${found.cpu!.toFixed(2)} s (${(found.cpu! / base.cpu!).toFixed(2)}), ${parts.join(", ")}, outside ${(100 * found.outside!).toFixed(1)}%, largest process of the worker ${found.workerMb!.toFixed(0)} MB\n`,
  );
}
