/**
 * `npm run bench:against -- REVISION [PAIRS]`: the benchmark's iteration in this working tree and at a different revision, in alternating processes
 * (five pairs unless told otherwise), with medians and ratios of time and peak memory. Each tree runs its own `bench/`, which must have the same shape.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { defaultThreads } from "../src/util/threads.ts";
import type { IterationResult } from "./iteration.ts";
import { median } from "./measure.ts";
import { cloneRevision, here } from "./revision.ts";

const [revision = "HEAD~1", pairs = "5"] = process.argv.slice(2);
const threads = defaultThreads();

/** Seconds, except `peakMb`. `cpu` is the user and system time of the whole process, which disturbances by other processes move least. */
type Measured = IterationResult & { readonly cpu: number };
type Key = keyof Measured;
const keys: readonly Key[] = ["rollout", "score", "passes", "update", "total", "cpu", "peakMb"];

const program = `
  import { startEngine } from "./bench/engine.ts";
  import { benchIteration } from "./bench/iteration.ts";
  const engine = await startEngine(${threads});
  const result = await benchIteration(engine);
  await engine.close();
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ ...result, cpu: (user + system) / 1e6 }));
`;

function measure(tree: string): Measured {
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: tree, encoding: "utf8" })) as Measured;
}

const work = mkdtempSync(join(tmpdir(), "ballast-against-"));
try {
  const old = join(work, "old");
  cloneRevision(revision, old);
  const [before, after]: [Measured[], Measured[]] = [[], []];
  for (let pair = 0; pair < Number(pairs); pair++) {
    const load = loadavg()[0]!.toFixed(1);
    before.push(measure(old));
    after.push(measure(here));
    const [a, b] = [before.at(-1)!, after.at(-1)!];
    const seconds = `${a.total.toFixed(3)} s -> ${b.total.toFixed(3)} s an iteration`;
    const others = `CPU ${a.cpu.toFixed(1)} s -> ${b.cpu.toFixed(1)} s, peak ${a.peakMb.toFixed(0)} MB -> ${b.peakMb.toFixed(0)} MB`;
    console.log(`pair ${pair + 1}: ${seconds}; ${others}; load ${load} before`);
  }
  console.log(
    `\n${"".padEnd(10)}${revision.padStart(12)}${"this tree".padStart(12)}${"ratio".padStart(9)}   of each pair`,
  );
  for (const key of keys) {
    const of = (results: readonly Measured[]) => median(results.map((result) => result[key]));
    const ratios = after.map((result, pair) => result[key] / before[pair]![key]);
    const digits = key === "peakMb" ? 0 : 3;
    const cells = [of(before).toFixed(digits).padStart(12), of(after).toFixed(digits).padStart(12)];
    const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
    console.log(`${key.padEnd(10)}${cells.join("")}${(of(after) / of(before)).toFixed(3).padStart(9)}   ${range}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
