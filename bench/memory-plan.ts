/**
 * `npx tsx bench/memory-plan.ts [--lines] [--python PYTHON]`, with a Python also on the PyTorch engine: for three small configurations, what `ballast plan` says and what `ballast run` then takes, as rows of docs/performance.md: the peak of
 * resident memory, and the CPU seconds of an iteration on one thread, which other work on the machine changes least.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../src/config/index.ts";
import { completed } from "../src/run/completed-config.ts";
import { planMemory, rowFacts } from "../src/run/memory-plan.ts";
import { planTime } from "../src/run/time-plan.ts";
import { planTorch } from "../src/run/torch-memory-plan.ts";
import { prepareRows } from "../src/trainer/encoded-rows.ts";

const program = fileURLToPath(new URL("../bin/ballast", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "ballast-plan-"));

const colours = ["red", "green", "blue", "grey", "white", "black", "brown", "pink"];
const requests = Array.from({ length: 64 }, (_, i) => `please say ${colours[i % 8]} and then ${colours[(i >> 3) % 8]}`);
const answer = (i: number) => `${colours[i % 8]}, and then ${colours[(i >> 3) % 8]}`;

function data(name: string, rowOf: (prompt: string, i: number) => object): { readonly path: string } {
  const path = join(work, name);
  writeFileSync(path, requests.map((prompt, i) => `${JSON.stringify(rowOf(prompt, i))}\n`).join(""));
  return { path };
}

// Probes, noise and monitoring are off, because a plan's seconds are those of an iteration without them.
const off = { every: 0 };
const shared = {
  objective: "say what was asked for",
  name: "run",
  seed: 1,
  threads: 1,
  sft: { data: data("sft.jsonl", (prompt, i) => ({ prompt, completion: answer(i) })), steps: 2, batchSize: 32 },
  reward: {
    data: data("pairs.jsonl", (prompt, i) => ({ prompt, chosen: answer(i), rejected: "no" })),
    ...{ steps: 2, batchSize: 16, normalisationSamples: 8 },
  },
  ppo: {
    prompts: data("prompts.jsonl", (prompt) => ({ prompt })),
    ...{ iterations: 2, sequences: 32, minibatches: 2, epochs: 2, maxNewTokens: 32, checkpointEvery: 0 },
  },
  evaluation: { samples: 8 },
  control: { probes: off, noise: off, monitor: off, robustness: off },
};

const llama = { model: { family: "llama", layers: 6, width: 384, heads: 6, context: 96 } };
const gpt2 = { model: { layers: 4, width: 256, heads: 4, context: 96 } };
const bytes = { tokenizer: { kind: "byte" } };
const [, python] = process.argv.join("=").match(/--python=([^=]+)/) ?? [];
const torch = (settings: object) => ({ engine: { kind: "torch", python, device: "cpu", ...settings } });
const shapes: Readonly<Record<string, object>> = {
  "Llama, 6 x 384": { ...bytes, ...llama },
  "GPT-2, 4 x 256": { ...bytes, ...gpt2 },
  "Llama, 6 x 384, LoRA": {
    model: { path: join(work, "0/run-1/sft/final") },
    tokenizer: { kind: "file", path: join(work, "0/run-1/sft/final") },
    lora: { rank: 8, alpha: 16 },
  },
  ...(python && {
    "Llama, 6 x 384, PyTorch": { ...bytes, ...llama, ...torch({}) },
    "Llama, 6 x 384, PyTorch bf16": { ...bytes, ...llama, ...torch({ dtype: "bf16" }) },
    "GPT-2, 4 x 256, PyTorch": { ...bytes, ...gpt2, ...torch({}) },
    "Llama, 6 x 384, two processes": { ...bytes, ...llama, ...torch({ processes: 2 }) },
  }),
};

interface Taken {
  /** Of resident memory, in MB. */
  readonly peak: number;
  /** CPU seconds of the second iteration. */
  readonly seconds: number;
}

/** Runs a configuration in its own process. Linux's account of the process is read every 50 ms. */
async function measure(config: string): Promise<Taken> {
  const child = spawn(program, ["run", config], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  let [peak, cpu] = [0, 0];
  const marks: number[] = [];
  child.stderr.on("data", (text) => {
    stderr += text;
    // The first is written after the first iteration's update, the second after the last iteration.
    for (const mark of ["startup checks passed", "ppo  iteration 2/2"])
      if (String(text).includes(mark)) marks.push(read());
  });
  const read = () => {
    try {
      // A worker's processes are children of the program.
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ");
      const peaks = [String(child.pid), ...children].filter(Boolean).map((pid) => {
        const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
        return Number(kilobytes ?? 0) / 1024;
      });
      peak = Math.max(
        peak,
        peaks.reduce((sum, one) => sum + one, 0),
      );
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // User and system time, in hundredths of a second.
      cpu = (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      // It has ended.
    }
    return cpu;
  };
  const reading = setInterval(read, 50);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(reading);
  if ((code !== 0 && code !== 3) || marks.length < 2) throw new Error(`ballast ended with ${code}:\n${stderr}`);
  return { peak, seconds: marks[1]! - marks[0]! };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

try {
  for (const [i, [name, shape]] of Object.entries(shapes).entries()) {
    const file = join(work, `${i}.yaml`);
    mkdirSync(join(work, String(i)));
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ ...shared, ...shape, workspace: join(work, String(i)) }));
    const config = completed(loadConfig(file, []).config);
    const facts = rowFacts(prepareRows(config));
    const planOf = config.engine.kind === "torch" ? planTorch : planMemory;
    const { total, lines } = planOf(config, facts);
    const time = await planTime(config, planOf({ ...config, sft: undefined, reward: undefined }, facts), cpuSeconds);
    if (process.argv.includes("--lines"))
      for (const { what, bytes } of lines) console.log((bytes / 2 ** 20).toFixed(1), what);
    const { peak, seconds } = await measure(file);
    const planned = total / 2 ** 20;
    const figures = [planned, peak, planned / peak, time.total, seconds, time.total / seconds];
    const digits = [0, 0, 2, 1, 1, 2];
    console.log(`| ${name} | ${figures.map((figure, f) => figure.toFixed(digits[f])).join(" | ")} |`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
