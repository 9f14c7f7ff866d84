/** Merging: the whole model computes what the adapter does on its base, for every kind of adapter; ids; and what bf16 loses of the change. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { randomSequences, saved, smallConfig } from "../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../test/support/gpt2.ts";
import { missingPython, runPython } from "../../test/support/python.ts";
import { EmbeddedCore } from "../engine/embedded/core.ts";
import { random } from "../util/random.ts";
import { newAdapter } from "./adapter.ts";
import { writeAdapterFolder } from "./adapter-folder.ts";
import { blockProjections, parameterSpecs, withDefaultOptions } from "./family.ts";
import { convertModelFolder, openModelFolder, readModelFolder } from "./hf-folder.ts";
import { mergeAdapter } from "./merge-adapter.ts";
import type { AdapterConfig, DecoderConfig, Head } from "./model-config.ts";
import { type NamedTensor, sizeOf } from "./safetensors.ts";
import { hashOfWeightValues } from "./weights-hash.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

const llama = withDefaultOptions({
  ...{ ...smallConfig, family: "llama", tieEmbeddings: false },
  ...{ kvHeads: 1, innerWidth: 24 },
});
const sequences = randomSequences(4, 3);

async function baseOf(config: DecoderConfig): Promise<string> {
  const { id } = await core.createModel({ config, heads: ["lm"], seed: 5 });
  return (await saved(core, id)).folder;
}

/** An adapter with random numbers, of `size` around 0, in a folder of its own; a score has no bias, as PEFT's. */
function adapterOn(base: string, adapter: AdapterConfig, { heads = ["lm"] as readonly Head[], size = 0.2 } = {}) {
  const folder = temporaryFolder();
  const whole = openModelFolder(base);
  const config = { ...whole.config, adapter };
  const tensors = parameterSpecs(config, heads).flatMap(({ name, shape, trainable }): [string, NamedTensor][] => {
    if (!trainable) return [];
    const stream = random(7, name);
    const data = Float32Array.from({ length: sizeOf(shape) }, () => size * stream.normal());
    return [[name, { shape, data: name === "score.bias" ? data.fill(0) : data }]];
  });
  const on = { folder: base, weights: hashOfWeightValues(whole) };
  writeAdapterFolder(folder, { config, heads, tensors: new Map(tensors), base: on });
  return { folder, tensors: new Map(tensors) };
}

function merged(folder: string, format: "F32" | "BF16" = "F32") {
  const to = temporaryFolder();
  return { to, ...mergeAdapter(folder, to, { format }) };
}

const logprobsOf = async (folder: string) => {
  const { id } = await core.loadModel(folder, { frozen: true });
  return (await core.forward(id, { sequences, outputs: ["logprobs"] })).logprobs!;
};
const scoresOf = async (folder: string, of = sequences) => {
  const { id } = await core.loadModel(folder, { frozen: true });
  return (await core.forward(id, { sequences: of, outputs: ["score"] })).scores!;
};

/** Every second module with a rank and an alpha of its own. */
function patterned(config: DecoderConfig, rslora: boolean): AdapterConfig {
  const adapter = newAdapter(blockProjections(config), { rank: 2, alpha: 3, rslora });
  return { ...adapter, modules: adapter.modules.map((one, i) => (i % 2 === 0 ? one : { ...one, rank: 3, alpha: 5 })) };
}

describe.each([
  ["GPT-2", smallConfig],
  ["Llama", llama],
] as const)("the merged model of %s computes what the adapter does", (_, config) => {
  test.each([false, true])("with ranks and alphas by module, rank-stabilised: %s", async (rslora) => {
    const base = await baseOf(config);
    const { folder } = adapterOn(base, patterned(config, rslora));
    const json = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    expect([Object.keys(json.rank_pattern).length > 0, json.use_rslora]).toEqual([true, rslora]);
    const { to } = merged(folder);
    const expected = await logprobsOf(folder);
    expect(gap(await logprobsOf(to), expected)).toBeLessThan(1e-5);
    expect(gap(await logprobsOf(base), expected)).toBeGreaterThan(0.01);
  });
});

test("modules that the adapter holds whole take the base's place, the head among them", async () => {
  const base = await baseOf(llama);
  const adapter = { ...newAdapter(blockProjections(llama), { rank: 2, alpha: 3 }), whole: ["model.norm", "lm_head"] };
  const { folder, tensors } = adapterOn(base, adapter);
  const { to, changed } = merged(folder);
  for (const name of ["model.norm.weight", "lm_head.weight"])
    expect(readModelFolder(to).tensors.get(name)).toEqual(tensors.get(name));
  expect(gap(await logprobsOf(to), await logprobsOf(folder))).toBeLessThan(1e-5);
  // Only entries of the products change.
  const matrices = blockProjections(llama).reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);
  expect(changed).toBeLessThanOrEqual(matrices);
  expect(changed).toBeGreaterThan(0.9 * matrices);
});

test("on a base in bf16, what bf16 loses of a small change is counted entry by entry", async () => {
  const [full, base] = [await baseOf(smallConfig), temporaryFolder()];
  convertModelFolder(full, base, { format: "BF16" });
  const { folder } = adapterOn(base, patterned(smallConfig, false), { size: 0.01 });
  const { to, changed, lost } = merged(folder, "BF16");
  const [before, exact, after] = [base, merged(folder).to, to].map((one) => readModelFolder(one).tensors);
  const counts = { changed: 0, lost: 0 };
  for (const [name, { data }] of before!)
    for (const [i, w] of data.entries()) {
      if (exact!.get(name)!.data[i] === w) continue;
      counts.changed++;
      if (after!.get(name)!.data[i] === w) counts.lost++;
    }
  expect({ changed, lost }).toEqual(counts);
  expect(lost / changed).toBeGreaterThan(0.3);
  expect(lost / changed).toBeLessThan(1);
});

describe("a reward model on a base that calls EOS padding", async () => {
  const eos = 3;
  const base = await baseOf(llama);
  const path = join(base, "config.json");
  const ids = { bos_token_id: 1, eos_token_id: [4, eos], pad_token_id: eos };
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...ids }));
  const { folder } = adapterOn(base, patterned(llama, false), { heads: ["scalar"] });
  const { to } = merged(folder);
  const ended = sequences.map(({ tokens, start }) => ({ tokens: [...tokens.slice(0, 10), eos], start }));

  test("has none once it is merged: a classifier of transformers would skip it", async () => {
    const { bos_token_id, eos_token_id, pad_token_id } = JSON.parse(readFileSync(join(to, "config.json"), "utf8"));
    expect({ bos_token_id, eos_token_id, pad_token_id }).toEqual({ ...ids, pad_token_id: null });
    const expected = (await scoresOf(folder, ended)).map((x) => [x]);
    expect(
      gap(
        (await scoresOf(to, ended)).map((x) => [x]),
        expected,
      ),
    ).toBeLessThan(1e-5);
  });

  const missing = missingPython(["torch", "transformers", "peft"]);
  test.skipIf(missing !== "")(
    `scores in transformers as here, unmerged if padding is taken out of the configuration${missing}`,
    async () => {
      // PEFT finds its base by this name.
      const adapter = temporaryFolder();
      cpSync(folder, adapter, { recursive: true });
      const expected = (await scoresOf(folder, ended)).map((x) => [x]);
      const tokens = ended.map((one) => one.tokens);
      const found = runPython(scores, { merged: to, adapter, tokens }) as Record<string, number[][]>;
      expect(gap(found.merged!, expected)).toBeLessThan(1e-5);
      expect(gap(found.without!, expected)).toBeLessThan(1e-5);
      // What docs/models.md warns of.
      expect(gap(found.adapter!, expected)).toBeGreaterThan(0.01);
    },
    120_000,
  );
});

const scores = `
import json, sys, torch
from transformers import AutoModelForSequenceClassification
from peft import AutoPeftModelForSequenceClassification
torch.set_num_threads(1)
job = json.load(sys.stdin)
def read(model):
    model.eval()
    with torch.no_grad():
        return [[model(input_ids=torch.tensor([ids])).logits[0, 0].item()] for ids in job["tokens"]]
adapter = AutoPeftModelForSequenceClassification.from_pretrained(job["adapter"], num_labels=1)
found = {"merged": read(AutoModelForSequenceClassification.from_pretrained(job["merged"])), "adapter": read(adapter)}
adapter.config.pad_token_id = None
found["without"] = read(adapter)
print(json.dumps(found))
`;
