/**
 * `npx tsx bench/ranks.ts [--shape small] [--rounds 10] [--sequences 16] [--dtype fp32] [--device cpu] [--python PYTHON]`: steps of a cross-entropy on one process of the PyTorch
 * engine, on two, and on two that keep whole weights until the next step (`engine.reshard: step`), with one thread each, in turns; medians in wall time and in processor time of all processes. Needs Linux. A `--device` other than the CPU was never tried.
 */
import { parseArgs } from "node:util";
import { createTorchEngine, type TorchDtype, type TorchReshard } from "../src/engine/torch/index.ts";
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

const open = async (name: string, processes: number, reshard: TorchReshard = "pass") => {
  const { python, device } = options;
  const dtype = options.dtype as TorchDtype;
  const settings = { processes, threads: processes, device, dtype, reshard, python };
  const engine = await createTorchEngine(settings).catch((error: UsageError) => {
    process.stderr.write(`${error.message}. ${error.hint ?? ""}\n`);
    process.exit(1);
  });
  const { id } = await engine.createModel({ config, heads: ["lm"], seed: 1 });
  return { name, engine, id, wall: [] as number[], cpu: [] as number[] };
};
const all = [await open("1 process", 1), await open("2 processes", 2), await open("2, reshard: step", 2, "step")];
for (let round = 0; round <= Number(options.rounds); round++) {
  for (const { engine, id, wall, cpu } of all) {
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
const [one] = all.map(({ wall, cpu }) => ({ wall: median(wall), cpu: median(cpu) }));
for (const { name, wall, cpu, engine } of all) {
  const { residentMb } = await engine.usage();
  const times = `${median(wall).toFixed(3)} s, processor ${median(cpu).toFixed(3)} s, resident ${residentMb.toFixed(0)} MB`;
  const [faster, more] = [one!.wall / median(wall), median(cpu) / one!.cpu];
  process.stdout.write(
    `${name.padEnd(18)}${times}: ${faster.toFixed(2)} times as fast, ${more.toFixed(2)} of the processor time\n`,
  );
  await engine.close();
}
