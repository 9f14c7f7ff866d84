/**
 * `npx tsx bench/ranks.ts [--shape small] [--rounds 10] [--sequences 16] [--dtype fp32] [--device cpu] [--python PYTHON]`: steps of a cross-entropy on one process of the PyTorch
 * engine and on two, with one thread each, in turns; medians in wall time and in processor time of all processes. Needs Linux. A `--device` other than the CPU was never tried.
 */
import { parseArgs } from "node:util";
import { createTorchEngine, type TorchDtype } from "../src/engine/torch/index.ts";
import type { UsageError } from "../src/util/errors.ts";
import { median } from "./measure.ts";
import { modelOf, shapes } from "./shapes.ts";
import { cpuOf } from "./worker-use.ts";

const { values: options } = parseArgs({
  options: {
    shape: { type: "string", default: "small" },
    rounds: { type: "string", default: "10" },
    sequences: { type: "string", default: "16" },
    dtype: { type: "string", default: "fp32" },
    device: { type: "string", default: "cpu" },
    python: { type: "string" },
  },
});
const config = modelOf(shapes[options.shape as keyof typeof shapes]);
const sequences = Array.from({ length: Number(options.sequences) }, (_, b) => ({
  tokens: Array.from({ length: config.context }, (_, t) => (b * 31 + t * 7) % config.vocabularySize),
  start: 1,
}));
const weights = sequences.map(({ tokens }) => tokens.slice(1).map(() => 1e-3));
const adam = { learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };

const open = async (processes: number) => {
  const { python, device } = options;
  const dtype = options.dtype as TorchDtype;
  const engine = await createTorchEngine({ processes, threads: processes, device, dtype, python }).catch(
    (error: UsageError) => {
      process.stderr.write(`${error.message}. ${error.hint ?? ""}\n`);
      process.exit(1);
    },
  );
  const { id } = await engine.createModel({ config, heads: ["lm"], seed: 1 });
  return { processes, engine, id, wall: [] as number[], cpu: [] as number[] };
};
const both = [await open(1), await open(2)];
for (let round = 0; round <= Number(options.rounds); round++) {
  for (const { engine, id, wall, cpu } of both) {
    const [startedAt, before] = [performance.now(), cpuOf(engine.worker.pids)];
    await engine.forwardBackward(id, { name: "cross_entropy", sequences, weights });
    await engine.optimStep(id, adam);
    // The first step allocates.
    if (round > 0) {
      wall.push((performance.now() - startedAt) / 1000);
      cpu.push(cpuOf(engine.worker.pids) - before);
    }
  }
}
const [one, two] = both.map(({ wall, cpu }) => ({ wall: median(wall), cpu: median(cpu) })) as [Times, Times];
for (const [name, times] of Object.entries({ "1 process": one, "2 processes": two }))
  process.stdout.write(`${name}: ${times.wall.toFixed(3)} s, processor ${times.cpu.toFixed(3)} s\n`);
process.stdout.write(
  `two are ${(one.wall / two.wall).toFixed(2)} times as fast, with ${(two.cpu / one.cpu).toFixed(2)} of the processor time\n`,
);
for (const { engine } of both) await engine.close();

interface Times {
  readonly wall: number;
  readonly cpu: number;
}
