/** `ballast merge`: the merged model computes what the adapter does, and what the written format loses is counted. */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import { adam, randomPerToken, randomSequences } from "../../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../../test/support/gpt2.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { tinyModel } from "../../../../test/support/tiny-model.ts";
import { EmbeddedCore } from "../../../engine/embedded/core.ts";
import { readModelFolder } from "../../../models/hf-folder.ts";
import { exportModel } from "../export/export-model.ts";
import { merge } from "./index.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

/** A lightly trained adapter on a tiny model. */
async function trained() {
  const place = temporaryFolder();
  const [base, folder] = [join(place, "base"), join(place, "adapter")];
  await tinyModel(base, { context: 24 });
  const { id, config } = await core.loadModel(base, { adapter: { rank: 2, alpha: 4 } });
  const sequences = randomSequences(4, 3, { ...config, vocabularySize: 12 });
  const weights = randomPerToken(sequences, "weights", 0.01, 0.03);
  for (let step = 0; step < 3; step++) {
    await core.forwardBackward(id, { name: "cross_entropy", sequences, weights });
    await core.optimStep(id, { ...adam, learningRate: 1e-3 });
  }
  mkdirSync(folder);
  await core.saveModel(id, folder);
  const logprobsOf = async (model: string) =>
    (await core.forward(model, { sequences, outputs: ["logprobs"] })).logprobs!;
  return { place, base, folder, expected: await logprobsOf(id), logprobsOf };
}

/** The float32 whose upper half is a bfloat16, rounded to nearest, ties to even. */
function nearest(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0]!;
  const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(Uint32Array.of(rounded >>> 0).buffer)[0]!;
}

it("gives a whole model with equal log-probabilities, and counts in bf16 what rounds back to the base", async () => {
  const { place, base, folder, expected, logprobsOf } = await trained();
  const terminal = keptTerminal();
  const out = join(place, "whole");
  const options = { model: folder, workspace: place, json: true, terminal };
  await merge({ ...options, out });
  const { id } = await core.loadModel(out);
  expect(gap(await logprobsOf(id), expected)).toBeLessThan(1e-5);
  expect(existsSync(join(out, "tokenizer.json"))).toBe(true);
  await merge({ ...options, out: join(place, "half"), dtype: "bf16" });
  const [whole, half] = terminal.lines.map((line) => JSON.parse(line));

  const [before, after, rounded] = [base, out, join(place, "half")].map((one) => readModelFolder(one).tensors);
  let [changed, lost] = [0, 0];
  for (const [name, { data }] of before!)
    for (const [i, w] of data.entries()) {
      const merged = after!.get(name)!.data[i]!;
      expect(rounded!.get(name)!.data[i]).toBe(nearest(merged));
      if (merged === w) continue;
      changed++;
      if (nearest(merged) === nearest(w)) lost++;
    }
  expect(whole).toMatchObject({ changed, lost: 0, dtype: "fp32" });
  expect(half).toMatchObject({ changed, lost, dtype: "bf16" });
  expect(lost / changed).toBeGreaterThan(0.05);
});

it("says what it did in words, and refuses a whole model, a folder that exists, and a changed base", async () => {
  const { place, base, folder } = await trained();
  const terminal = keptTerminal();
  const options = { model: folder, workspace: place, terminal };
  await merge({ ...options, out: join(place, "half"), dtype: "bf16" });
  expect(terminal.lines.join("\n")).toMatch(/entries changed; bf16 loses \d+\.\d% of them/);
  await expect(merge({ ...options, out: join(place, "half") })).rejects.toThrow("exists already");
  await expect(merge({ ...options, model: base, out: join(place, "x") })).rejects.toThrow("holds no adapter");
  const { id } = await core.createModel({ config: readModelFolder(base).config, heads: ["lm"], seed: 99 });
  await core.saveModel(id, base);
  await expect(merge({ ...options, out: join(place, "x") })).rejects.toThrow("was trained on other weights");
  expect(existsSync(join(place, "x"))).toBe(false);
});

it("is what an export of an adapter asks for, with the adapter's folder and the format: a run's id alone would be of one workspace", async () => {
  const { place, folder } = await trained();
  const out = join(place, "out");
  const exported = exportModel({ run: folder, out, dtype: "bf16", workspace: place, terminal: keptTerminal() });
  const error = (await exported.catch((error: unknown) => error)) as Error & { hint?: string };
  expect(error.message).toContain("holds an adapter");
  expect(error.hint).toMatch(/ballast merge (\S+) \S+out --dtype bf16$/);
  const named = /ballast merge (\S+)/.exec(error.hint!)![1]!;
  expect(resolve(named)).toBe(folder);
});
