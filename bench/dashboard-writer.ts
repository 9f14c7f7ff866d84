/**
 * A process that records like a trainer, one iteration per commit: `dashboard-writer.ts DATABASE RUN --metrics 100`, and `--iterations N`, `--seconds
 * S` or both; `--every MS` waits between two. Prints one line of JSON.
 */
import { parseArgs } from "node:util";
import { openStore } from "../src/store/index.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    metrics: { type: "string", default: "100" },
    iterations: { type: "string", default: "Infinity" },
    seconds: { type: "string", default: "Infinity" },
    every: { type: "string", default: "0" },
  },
});
const [path, id] = positionals as [string, string];
const [metrics, iterations, seconds, every] = (["metrics", "iterations", "seconds", "every"] as const).map((name) =>
  Number(values[name]),
) as [number, number, number, number];

const store = openStore(path);
const config = JSON.stringify({ objective: "bench", ppo: { iterations: 1_000_000 } });
store.createRun({ id, objective: "bench", seed: 1, folder: "/none", config, machine: "{}", createdAt: Date.now() });
const recorder = store.recorder(id, store.startAttempt(id));
const keys = Array.from({ length: metrics - 1 }, (_, i) => `metric/${i}`);
const began = performance.now();
let longest = 0;
let iteration = 0;
for (; iteration < iterations && performance.now() - began < 1000 * seconds; iteration++) {
  const from = performance.now();
  const numbers = Object.fromEntries(keys.map((key, i) => [key, Math.sin(iteration / 50 + i) + Math.random() / 10]));
  // The time of writing: readers measure their delay from it.
  recorder.metrics("ppo", iteration, { ...numbers, "bench/at": Date.now() });
  if (iteration % 10 === 0)
    recorder.event({ kind: "note", stage: "ppo", iteration, message: `iteration ${iteration}` });
  recorder.commit();
  longest = Math.max(longest, performance.now() - from);
  if (every > 0) await new Promise((resolve) => setTimeout(resolve, every));
}
const took = (performance.now() - began) / 1000;
recorder.state("done");
store.close();
process.stdout.write(
  `${JSON.stringify({ iterations: iteration, rowsPerSecond: (iteration * metrics) / took, longestMs: longest })}\n`,
);
