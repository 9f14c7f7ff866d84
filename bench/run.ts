/** `npm run bench`: the speed of the engine and the trainer, as shares of what the machine can do in the same run. */
import { parseArgs } from "node:util";
import { fetchRuntime } from "../src/tensor/runtime.ts";
import { defaultThreads } from "../src/util/threads.ts";
import { benchSampling, benchUpdate, startEngine, type UpdateResult } from "./engine.ts";
import { benchIteration } from "./iteration.ts";
import { ceiling } from "./measure.ts";

const { values: options } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const threads = defaultThreads();
const say = (text: string) => (options.json ? process.stderr : process.stdout).write(`${text}\n`);
const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

await fetchRuntime({ onNote: (text) => process.stderr.write(`${text}\n`) });
const ceilings: number[] = [];
/** A machine that others share is not the same throughout: the ceiling is measured around every piece. */
const measureCeiling = async () => void ceilings.push(await ceiling(threads));
await measureCeiling();
const engine = await startEngine(threads);
// First, so that the peak of memory is its own, as in the peer's benchmark.
const { outsideEngineShare, peakMb, ...iteration } = await benchIteration(engine);
await measureCeiling();
// Shares are known only after the last measurement of the ceiling.
const updates: UpdateResult[] = [];
for (const width of [128, 256, 512]) {
  updates.push(await benchUpdate(engine, width, 1));
  await measureCeiling();
}
const sampled = await benchSampling(engine, 1);
await engine.close();
await measureCeiling();

const ceilingGflops = Math.max(...ceilings);
say(
  `ceiling             ${ceilings.map((one) => one.toFixed(0)).join(", ")} GFLOP/s on ${threads} threads, around the pieces; the best counts`,
);
const update = updates.map((result) => ({ ...result, share: result.share / ceilingGflops }));
const sampling = { ...sampled, share: sampled.share / ceilingGflops };
for (const { width, milliseconds, gflops, share } of update) {
  say(`update, width ${width}   ${milliseconds.toFixed(0)} ms, ${gflops.toFixed(0)} GFLOP/s, ${percent(share)}`);
}
say(`sampling            ${sampling.tokensPerSecond.toFixed(0)} tokens/s, ${percent(sampling.share)}`);
const phases = Object.entries(iteration).map(([name, seconds]) => `${name} ${seconds.toFixed(3)}`);
say(`iteration, seconds  ${phases.join(", ")}`);
say(`outside the engine  ${percent(outsideEngineShare)} of an iteration; peak ${peakMb.toFixed(0)} MB`);
if (options.json) {
  const result = { ceilingGflops, ceilings, threads, update, sampling, iteration, outsideEngineShare, peakMb };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
