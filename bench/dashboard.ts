/**
 * `npm run bench:dashboard`: what the page costs the trainer, how late its news is, and how long its requests take. Each of `--sizes 10000,100000` is
 * a run of that many iterations with 100 metrics.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createParser } from "eventsource-parser";
import type { StreamBatch } from "../src/types/page.ts";
import { median } from "./measure.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    sizes: { type: "string", default: "10000,100000" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
  },
});
const say = (text: string) => (options.json ? process.stderr : process.stdout).write(`${text}\n`);
const folder = mkdtempSync(join(tmpdir(), "ballast-bench-"));
const metrics = 100;

/** How often each request of an opened view is repeated. */
const repeats = 40;

function start(script: string, ...args: string[]): { child: ChildProcess; line: () => Promise<string> } {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: AsyncIterator<string> = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { child, line: async () => (await lines.next()).value as string };
}

async function write(database: string, run: string, ...args: string[]) {
  const { line } = start("./dashboard-writer.ts", database, run, "--metrics", String(metrics), ...args);
  return JSON.parse(await line()) as { iterations: number; rowsPerSecond: number; longestMs: number };
}

async function withServer<T>(database: string, body: (base: string) => Promise<T>) {
  const { child, line } = start("./dashboard-server.ts", database);
  try {
    const result = await body(await line());
    child.kill("SIGTERM");
    const cost = JSON.parse(await line()) as { cpuSeconds: number; memoryMb: number };
    return { result, cost };
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await once(child, "exit");
    }
  }
}

interface Listening {
  readonly delays: number[];
  readonly iterations: () => number;
  readonly resets: () => number;
  readonly leave: () => void;
}

/** A page that watches a run: reads each batch, and measures its delay. */
async function listen(base: string, run: string): Promise<Listening> {
  const line = new AbortController();
  const response = await fetch(`${base}/api/stream?runs=${run}`, { signal: line.signal });
  const delays: number[] = [];
  let [iterations, resets] = [0, 0];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event !== "batch") return;
      const news = (JSON.parse(data) as StreamBatch).runs[run];
      if (news === undefined) return;
      resets += Number(news.reset);
      for (const { values } of news.iterations) {
        iterations++;
        delays.push(Date.now() - Number(values["bench/at"]));
      }
    },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  void (async () => {
    for (let read = await reader.read(); !read.done; read = await reader.read()) parser.feed(read.value);
  })().catch(() => {});
  return { delays, iterations: () => iterations, resets: () => resets, leave: () => line.abort() };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Rows per second that a writer achieves while `clients` pages listen; without a server if there are none. */
async function ingestion(clients: number, round: number) {
  const database = join(folder, `ingestion-${clients}-${round}.db`);
  await write(database, "first-1", "--iterations", "10");
  const body = async () => write(database, "bench-1", "--seconds", String(options.seconds));
  if (clients === 0) return { ...(await body()), server: null, resets: 0, share: Number.NaN };
  const { result, cost } = await withServer(database, async (base) => {
    const listening = await Promise.all(Array.from({ length: clients }, () => listen(base, "bench-1")));
    const written = await body();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const heard = listening.map((one) => one.iterations());
    for (const { leave } of listening) leave();
    const resets = listening.reduce((sum, one) => sum + one.resets(), 0);
    return { ...written, resets, share: Math.min(...heard) / written.iterations };
  });
  return { ...result, server: cost };
}

/** Measures the delay at a trainer's pace: ten iterations a second. */
async function delay() {
  const database = join(folder, "delay.db");
  await write(database, "first-1", "--iterations", "10");
  const { result } = await withServer(database, async (base) => {
    const one = await listen(base, "bench-1");
    await write(database, "bench-1", "--seconds", "5", "--every", "100");
    await new Promise((resolve) => setTimeout(resolve, 500));
    one.leave();
    return one.delays;
  });
  return { medianMs: median(result), p95Ms: quantile(result, 0.95), iterations: result.length };
}

async function timed(address: string): Promise<number> {
  const began = performance.now();
  const response = await fetch(address);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return performance.now() - began;
}

/** Milliseconds of each request the first time, in a fresh server, and later. */
async function questions(database: string, paths: Readonly<Record<string, string>>) {
  const { result, cost } = await withServer(database, async (base) => {
    const times: Record<string, { firstMs: number; medianMs: number; p95Ms: number }> = {};
    for (const [name, path] of Object.entries(paths)) {
      const firstMs = await timed(base + path);
      const later: number[] = [];
      for (let i = 0; i < repeats; i++) later.push(await timed(base + path));
      times[name] = { firstMs, medianMs: median(later), p95Ms: quantile(later, 0.95) };
    }
    return times;
  });
  return { times: result, memoryMb: cost.memoryMb };
}

const keys = Array.from({ length: 20 }, (_, i) => `metric/${i}`).join();
const views = {
  run: "/api/runs/bench-1",
  "series of 20 keys": `/api/runs/bench-1/series?keys=${keys}&points=600`,
  "zoomed in": `/api/runs/bench-1/series?keys=${keys}&points=600&from=5000&to=5400`,
  events: "/api/runs/bench-1/events?before=newest&limit=500",
  control: "/api/runs/bench-1/control",
};

function sayTimes(title: string, { times }: Awaited<ReturnType<typeof questions>>) {
  for (const [name, { firstMs, medianMs, p95Ms }] of Object.entries(times))
    say(
      `${title}  ${name.padEnd(18)} first ${firstMs.toFixed(0)} ms, later ${medianMs.toFixed(0)} ms, p95 ${p95Ms.toFixed(0)} ms`,
    );
}

try {
  const rounds: Record<number, Awaited<ReturnType<typeof ingestion>>[]> = { 0: [], 1: [], 20: [] };
  // Interleaved, so that other load on the machine affects all of them.
  for (let round = 0; round < Number(options.rounds); round++)
    for (const clients of [0, 1, 20]) rounds[clients]!.push(await ingestion(clients, round));
  const rows = (clients: number) => median(rounds[clients]!.map(({ rowsPerSecond }) => rowsPerSecond));
  const ingested = [0, 1, 20].map((clients) => ({
    clients,
    rowsPerSecond: rows(clients),
    toNone: rows(clients) / rows(0),
    longestCommitMs: Math.max(...rounds[clients]!.map(({ longestMs }) => longestMs)),
    resets: rounds[clients]!.reduce((sum, one) => sum + one.resets, 0),
  }));
  for (const { clients, rowsPerSecond, toNone, longestCommitMs } of ingested)
    say(
      `ingestion, ${String(clients).padStart(2)} clients  ${rowsPerSecond.toFixed(0)} rows/s, ${(100 * toNone).toFixed(0)}% of none's; longest iteration ${longestCommitMs.toFixed(0)} ms`,
    );
  const late = await delay();
  say(
    `told after         ${late.medianMs.toFixed(0)} ms, p95 ${late.p95Ms.toFixed(0)} ms (${late.iterations} iterations, 10 a second)`,
  );

  const sizes = [];
  for (const size of String(options.sizes).split(",").map(Number)) {
    const database = join(folder, `size-${size}.db`);
    const written = await write(database, "bench-1", "--iterations", String(size));
    const asked = await questions(database, views);
    const megabytes = statSync(database).size / (1 << 20);
    say(
      `${size} iterations: ${(size * metrics).toLocaleString("en-US")} rows at ${written.rowsPerSecond.toFixed(0)} rows/s, ${megabytes.toFixed(0)} MB`,
    );
    sayTimes(`${size}`.padStart(7), asked);
    sizes.push({ ...written, megabytes, ...asked });
    rmSync(database, { force: true });
  }

  const many = join(folder, "many.db");
  for (let i = 1; i <= 50; i++) await write(many, `bench-${i}`, "--iterations", "200");
  const fifty = await questions(many, { runs: "/api/runs", run: "/api/runs/bench-25" });
  sayTimes("50 runs", fifty);
  if (options.json)
    process.stdout.write(`${JSON.stringify({ ingestion: ingested, delay: late, sizes, fiftyRuns: fifty })}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
