/**
 * `npx tsx bench/memory-plan.ts`: for three configurations, what `ballast plan` says and what `ballast run` then takes, as rows of docs/performance.md: the peak of resident memory, and the
 * seconds of the second iteration.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = join(root, "bin/ballast");
const config = join(root, "examples/helpdesk/mini.yaml");
const work = mkdtempSync(join(tmpdir(), "ballast-plan-"));

const short = [
  "sft.steps=2",
  "reward.steps=2",
  "ppo.iterations=2",
  "ppo.sequences=64",
  "evaluation.samples=64",
  "threads=2",
];
const runs: Readonly<Record<string, readonly string[]>> = {
  "GPT-2, 6 x 384": ["model.layers=6", "model.width=384", "model.heads=6"],
  "Llama, 6 x 384": ["model.family=llama", "model.layers=6", "model.width=384", "model.heads=6"],
  "Llama, 6 x 512, recompute": [
    "model.family=llama",
    "model.layers=6",
    "model.width=512",
    "model.heads=8",
    "recompute=true",
  ],
};

interface Plan {
  readonly total: number;
  readonly secondsPerIteration: { readonly total: number };
}

/** The largest resident memory of the program, in MB, read every 50 ms from Linux's account of it. */
async function peakOf(args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += text));
  let peak = 0;
  const reading = setInterval(() => {
    try {
      const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      peak = Math.max(peak, Number(kilobytes ?? 0) / 1024);
    } catch {
      // It has ended.
    }
  }, 50);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(reading);
  if (code !== 0 && code !== 3) throw new Error(`ballast ended with ${code}:\n${stderr}`);
  return peak;
}

try {
  for (const [name, settings] of Object.entries(runs)) {
    const all = [config, ...short, ...settings];
    const plan = JSON.parse(execFileSync(program, ["plan", ...all, "--json"], { encoding: "utf8" })) as Plan;
    const workspace = join(work, String(Object.keys(runs).indexOf(name)));
    const peak = await peakOf(["run", ...all, "name=run", `workspace=${workspace}`]);
    const rows = execFileSync(program, ["export", join(workspace, "run-1"), "--format", "jsonl"], {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    })
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { stage: string; iteration: number; key: string; value: number });
    const times = rows.filter(
      ({ stage, key, iteration }) => stage === "ppo" && key === "time/total_s" && iteration === 1,
    );
    const planned = plan.total / 2 ** 20;
    const ratio = (a: number, b: number | undefined) => (b === undefined ? "?" : (a / b).toFixed(2));
    console.log(
      `| ${name} | ${planned.toFixed(0)} | ${peak.toFixed(0)} | ${ratio(planned, peak)} | ${plan.secondsPerIteration.total.toFixed(1)} | ${times[0]?.value.toFixed(1)} |`,
    );
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
