/** Blocks that the backward pass computes again: the same bits for every family, loss and adapter, in less memory. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { gradientOf, randomPerToken, randomSequences, smallConfig } from "../../../test/support/engine.ts";
import { familyCases, writeCase } from "../../../test/support/family-fixtures.ts";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import type { LossRequest, ModelId } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";

const cores = [false, true].map((recompute) => new EmbeddedCore({ threads: 1, recompute })) as [
  EmbeddedCore,
  EmbeddedCore,
];
afterAll(() => Promise.all(cores.map((core) => core.close())));

const sequences = randomSequences(5, 3);
const weights = randomPerToken(sequences, "weights", 0.01, 0.03);
const rows = (name: string) => randomPerToken(sequences, name);
const losses: LossRequest[] = [
  { name: "cross_entropy", sequences, weights },
  { name: "value", sequences, weights, returns: rows("returns"), oldValues: rows("old"), config: { valueClip: 0.2 } },
  {
    name: "pairwise",
    chosen: sequences,
    rejected: [...sequences].reverse(),
    margins: [0, 0, 0, 0, 1],
    weights: [1, 1, 1, 1, 1],
  },
  {
    name: "policy",
    sequences,
    weights,
    oldLogprobs: rows("logprobs"),
    advantages: rows("advantages"),
    config: { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0.1, kl: null, temperature: 0.7 },
  },
];

async function expectSameGradient(open: (core: EmbeddedCore) => Promise<{ id: ModelId }>, loss: LossRequest) {
  const found = cores.map(async (core) => gradientOf(core, (await open(core)).id, [loss]));
  const [kept, again] = (await Promise.all(found)) as [Map<string, number[]>, Map<string, number[]>];
  expect([...kept.values()].some((values) => values.some((x) => x !== 0))).toBe(true);
  expect(again).toEqual(kept);
}

test.each(losses)("the gradient of $name", async (loss) => {
  await expectSameGradient((core) => core.createModel({ config: smallConfig, heads: ["lm", "scalar"], seed: 1 }), loss);
});

test("the gradient of an adapter", async () => {
  const [core] = cores;
  const { id } = await core.createModel({ config: smallConfig, heads: ["lm"], seed: 1 });
  const folder = await core.saveModel(id, temporaryFolder());
  await expectSameGradient((one) => one.loadModel(folder, { adapter: { rank: 4, alpha: 8 } }), losses[0]!);
});

describe.each(familyCases)("$title", (one) => {
  test("the gradient", async () => {
    const folder = writeCase(one, one.config);
    const its = one.sequences;
    const ones = its.map(({ tokens, start }) => tokens.slice(start).map(() => 0.1));
    await expectSameGradient((core) => core.loadModel(folder), {
      name: "cross_entropy",
      sequences: its,
      weights: ones,
    });
  });
});

test.runIf(process.platform === "linux")("a pass through 12 layers takes at most 0.75 of the memory", async () => {
  const script = fileURLToPath(new URL("../../../test/support/pass-memory.ts", import.meta.url));
  const growth = async (setting: string) => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script, setting]);
    return JSON.parse(stdout) as number;
  };
  const [kept, again] = [await growth("keep"), await growth("recompute")];
  expect(again / kept).toBeLessThan(0.75);
  expect(kept).toBeGreaterThan(50);
});
