/** Prints by how many MB the peak of this process grew in one pass of a loss through 12 layers; the argument says whether blocks are computed again. */
import { readFileSync } from "node:fs";
import { EmbeddedCore } from "../../src/engine/embedded/core.ts";

async function main(): Promise<void> {
  const core = new EmbeddedCore({ threads: 1, recompute: process.argv[2] === "recompute" });
  const config = { family: "gpt2", vocabularySize: 100, context: 65, width: 64, layers: 12, heads: 2 };
  const { id } = await core.createModel({ config: { ...config, tieEmbeddings: true }, heads: ["lm"], seed: 1 });
  const sequences = Array.from({ length: 32 }, (_, b) => ({
    tokens: Array.from({ length: 65 }, (_, t) => (31 * b + 7 * t) % 100),
    start: 1,
  }));
  const megabytes = (field: string) =>
    Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;
  const before = megabytes("VmRSS");
  const weights = sequences.map(() => new Array<number>(64).fill(1 / 2048));
  await core.forwardBackward(id, { name: "cross_entropy", sequences, weights });
  process.stdout.write(JSON.stringify(megabytes("VmHWM") - before));
  await core.close();
}

await main();
