/**
 * `npm run bench:peers -- [SHAPE ...] [--contenders "embedded,torch bf16,TRL"] [--rounds 5] [--iterations N] [--threads N] [--device cpu] [--json]`: one iteration in
 * the shapes of `shapes.ts` (PPO's by default), the median of all but the first, on the embedded engine, on PyTorch and in TRL's last PPO trainer (its GRPO trainer for `grpo` and `grpoHalf`), in alternating
 * processes on as many threads: medians, and their ratios to the last contender with the range of the rounds' ratios. On a busy machine compare the CPU seconds of one thread: with several, threads that wait for each
 * other spin. `contenders.ts` says what Python it needs. On a `--device` other than the CPU, which was never tried, the embedded engine is not measured; deviceMb is
 * what PyTorch has reserved there, peakMb the host's memory.
 */
import { parseArgs } from "node:util";
import { defaultThreads } from "../src/util/threads.ts";
import { type Contender, contenders, type Figures, measure, missing } from "./contenders.ts";
import { median } from "./measure.ts";
import { type ShapeName, shapes } from "./shapes.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    iterations: { type: "string" },
    threads: { type: "string", default: String(defaultThreads()) },
    contenders: { type: "string", default: "embedded,TRL" },
    device: { type: "string", default: "cpu" },
  },
});
const ofPpo = Object.keys(shapes).filter((name) => shapes[name as ShapeName].algorithm === "ppo");
const names = (positionals.length > 0 ? positionals : ofPpo) as ShapeName[];
for (const name of names)
  if (!Object.hasOwn(shapes, name))
    throw new Error(`there is no shape named ${name}; there are ${Object.keys(shapes).join(", ")}`);
const asked = options.contenders.split(",") as Contender[];
for (const name of asked)
  if (!contenders.includes(name))
    throw new Error(`there is no contender named ${name}; there are ${contenders.join(", ")}`);
const rounds = Number(options.rounds);
if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error(`--rounds is ${options.rounds}; it must be 1 or more`);
const threads = Number(options.threads);
const iterations = options.iterations === undefined ? undefined : Number(options.iterations);
if (iterations !== undefined && !(Number.isInteger(iterations) && iterations >= 2))
  throw new Error(`--iterations is ${options.iterations}; it must be 2 or more, since the first is not counted`);
const say = (text: string) => (options.json ? process.stderr : process.stdout).write(`${text}\n`);

const algorithms = [...new Set(names.map((name) => shapes[name].algorithm))];
/** Of a contender the first thing that one of the shapes lacks. */
const lacking = asked.map((name) =>
  algorithms.map((algorithm) => missing(name, { algorithm, device: options.device })).find((text) => text !== null),
);
for (const sentence of lacking) if (sentence !== undefined) say(sentence);
const present = asked.filter((_, i) => lacking[i] === undefined);
const last = present.at(-1);
if (last === undefined) process.exit(1);

const keys = [
  "total",
  "rollout",
  "score",
  "passes",
  "update",
  "cpuSeconds",
  "outsideEngineShare",
  "peakMb",
  "deviceMb",
] as const;
const results: Record<string, Record<string, Figures[]>> = {};
const measuredAt = (name: ShapeName) => (iterations === undefined ? shapes[name] : { ...shapes[name], iterations });
for (const name of names) results[name] = Object.fromEntries(present.map((contender) => [contender, []]));
for (let round = 0; round < rounds; round++) {
  /** TRL trains all weights whatever `lora` is: shapes that differ in it only are measured against the same process. */
  const byTrl = new Map<string, Figures>();
  for (const name of names) {
    const shape = measuredAt(name);
    const trlShape = JSON.stringify({ ...shape, lora: 0 });
    for (const contender of present) {
      const key = `${contender} ${trlShape}`;
      const figures = byTrl.get(key) ?? measure(contender, shape, threads, options.device);
      if (contender.startsWith("TRL")) byTrl.set(key, figures);
      results[name]![contender]!.push(figures);
      process.stderr.write(`${name}, ${contender}: ${JSON.stringify(figures)}\n`);
    }
  }
}
for (const name of names) {
  const measured = results[name]!;
  say(
    `\n${name}: ${rounds === 1 ? "one round" : `medians of ${rounds} rounds`}, ${threads} thread${threads > 1 ? "s" : ""}; of ${last}`,
  );
  for (const key of keys) {
    const base = measured[last]!;
    for (const contender of present) {
      const found = measured[contender]!.map((figures) => figures[key]).filter((value) => value !== undefined);
      if (found.every((value) => value === 0)) continue;
      const others = base.map((figures) => figures[key]).filter((value) => value !== undefined);
      const ratios = others.map((other, round) => found[round]! / other);
      const ratio =
        contender === last || ratios.length === 0
          ? ""
          : `   ${(median(found) / median(others)).toFixed(3)}${rounds > 1 ? ` (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})` : ""}`;
      say(
        `${key.padEnd(20)}${contender.padEnd(16)}${median(found)
          .toFixed(key.endsWith("Mb") ? 0 : 3)
          .padStart(10)}${ratio}`,
      );
    }
  }
}
if (options.json) process.stdout.write(`${JSON.stringify({ threads, rounds, results })}\n`);
