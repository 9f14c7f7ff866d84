/** Model folders against transformers: what either writes, the other reads with equal logits, ids, templates and generation settings. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/gpt2.ts";
import { missingPython, runPython } from "../../test/support/python.ts";
import { createEmbeddedEngine } from "../engine/embedded/index.ts";
import type { Engine } from "../engine/engine.ts";
import { convertModelFolder } from "../models/hf-folder.ts";
import { buildTokenizer, loadTokenizer } from "../text/index.ts";
import { saveModelFolder } from "./model-folder.ts";

const missing = missingPython(["torch", "transformers"]);

const texts = ["what is 2 plus 3 ?", "water wet", "Hello, naïve 世界 😀"];
const messages = [
  { role: "system", content: "be brief" },
  { role: "user", content: "name a colour" },
] as const;
const prompts = [[7, 9, 11, 40], [6], Array.from({ length: 30 }, (_, i) => 6 + ((i * 13) % 200))];
const sizes = { family: "gpt2" as const, layers: 2, width: 32, heads: 4, context: 48 };
/** What the source of a model says about sampling. */
const settings = { temperature: 0.6, top_p: 0.9, do_sample: true };

/** One process for everything: it reads the folders in `ours`, and fills the empty ones in `theirs`. */
const script = `
import json, os, sys
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel
torch.set_num_threads(1)
job = json.load(sys.stdin)

def logprobs(model):
    model = model.float().eval()
    with torch.no_grad():
        return [torch.log_softmax(model(torch.tensor([p])).logits[0, -1], -1).tolist() for p in job["prompts"]]

def read(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    dtype = str(model.dtype)
    generated = model.float().generate(torch.tensor([job["prompts"][0]]), max_new_tokens=12, do_sample=False)[0].tolist()
    return weights, {
        "dtype": dtype,
        "logprobs": logprobs(model),
        "greedy": generated[len(job["prompts"][0]):],
        "ids": [tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids for text in job["texts"]],
        "chat": tokenizer.apply_chat_template(job["messages"], add_generation_prompt=True, return_dict=False),
        "generation": {k: v for k, v in model.generation_config.to_diff_dict().items() if k != "transformers_version"},
    }

ours = {name: read(folder) for name, folder in job["ours"].items()}
answer = {name: facts for name, (_, facts) in ours.items()}
whole = ours["fp32"][0]
for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
    answer[name]["rounded"] = all(torch.equal(whole[key].to(dtype), value) for key, value in ours[name][0].items())
answer["sharded"]["rounded"] = all(torch.equal(whole[key], value) for key, value in ours["sharded"][0].items())

config = dict(vocab_size=262, n_positions=48, n_embd=32, n_layer=2, n_head=4, eos_token_id=1, bos_token_id=None, pad_token_id=0)
def new(seed, **more):
    torch.manual_seed(seed)
    return GPT2LMHeadModel(GPT2Config(**config, initializer_range=0.3, **more))

theirs = job["theirs"]
models = {"single": new(1), "sharded": new(2), "bf16": new(3).bfloat16(), "fp16": new(4).half(), "untied": new(5, tie_word_embeddings=False)}
for name, model in models.items():
    model.save_pretrained(theirs[name], **({"max_shard_size": "20KB"} if name in ("sharded", "bf16") else {}))
new(6).save_pretrained(theirs["stale"], max_shard_size="20KB")
models["stale"] = new(7)
models["stale"].save_pretrained(theirs["stale"])
answer["theirs"] = {name: logprobs(model) for name, model in models.items()}
print(json.dumps(answer))
`;

interface Facts {
  readonly dtype: string;
  readonly logprobs: number[][];
  readonly greedy: number[];
  readonly ids: number[][];
  readonly chat: number[];
  readonly generation: Record<string, unknown>;
  readonly rounded?: boolean;
}

describe(`transformers${missing}`, () => {
  const root = missing === "" ? temporaryFolder() : "";
  const kinds = ["fp32", "sharded", "bf16", "fp16", "settings"] as const;
  const theirKinds = ["single", "sharded", "bf16", "fp16", "untied", "stale"] as const;
  const ours = Object.fromEntries(kinds.map((kind) => [kind, join(root, kind)]));
  const theirs = Object.fromEntries(theirKinds.map((kind) => [kind, join(root, "theirs", kind)]));
  const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 262 }, []);
  let engine: Engine;
  let answer: Record<string, Facts> & { readonly theirs: Record<string, number[][]> };

  beforeAll(async () => {
    if (missing !== "") return;
    engine = await createEmbeddedEngine({ threads: 1 });
    for (const folder of Object.values(ours)) mkdirSync(folder);
    const config = { ...sizes, vocabularySize: tokenizer.vocabularySize, tieEmbeddings: true };
    const { id } = await engine.createModel({ config, heads: ["lm"], seed: 1 });
    await saveModelFolder({ engine, tokenizer, model: id, folder: ours.fp32! });
    for (const [kind, format] of [
      ["sharded", "F32"],
      ["bf16", "BF16"],
      ["fp16", "F16"],
    ] as const) {
      convertModelFolder(ours.fp32!, ours[kind]!, { format, shardBytes: kind === "fp16" ? 5e9 : 50_000 });
      tokenizer.save(ours[kind]!);
    }
    // A tokenizer whose folder also says how to sample, as published models' do.
    const source = temporaryFolder();
    tokenizer.save(source);
    writeFileSync(join(source, "generation_config.json"), JSON.stringify({ ...settings, eos_token_id: [1, 4] }));
    await saveModelFolder({ engine, tokenizer: loadTokenizer(source), model: id, folder: ours.settings! });
    answer = runPython(script, { ours, theirs, prompts, texts, messages }) as typeof answer;
  }, 120_000);
  afterAll(() => engine?.close());

  /** Log-probabilities of every token after each prompt. */
  async function logprobsOf(folder: string): Promise<number[][]> {
    const { id } = await engine.loadModel(folder);
    const tokens = Array.from({ length: 262 }, (_, token) => token);
    const rows: number[][] = [];
    for (const prompt of prompts) {
      const sequences = tokens.map((token) => ({ tokens: [...prompt, token], start: prompt.length }));
      rows.push((await engine.forward(id, { sequences, outputs: ["logprobs"] })).logprobs.flat());
    }
    await engine.disposeModel(id);
    return rows;
  }

  function expectEqual(found: readonly number[][], expected: readonly number[][]): void {
    const gaps = found.flatMap((row, i) => row.map((value, t) => Math.abs(value - expected[i]![t]!)));
    expect(gaps).toHaveLength(3 * 262);
    expect(Math.max(...gaps)).toBeLessThan(1e-5);
  }

  describe.skipIf(missing !== "").each(kinds)("reads what Ballast writes: %s", (kind) => {
    it("with equal logits, answers, ids, template and settings", async () => {
      const facts = answer[kind]!;
      expect(facts.dtype).toBe({ bf16: "torch.bfloat16", fp16: "torch.float16" }[kind as string] ?? "torch.float32");
      expectEqual(facts.logprobs, await logprobsOf(ours[kind]!));
      const { id } = await engine.loadModel(ours[kind]!);
      const greedy = await engine.sample(id, {
        ...{ prompts: [prompts[0]!], maxNewTokens: 12, stopTokens: [1], temperature: 0, topK: 0, topP: 1, seed: 1 },
      });
      expect(facts.greedy).toEqual(greedy.tokens[0]);
      expect(facts.ids).toEqual(texts.map((text) => tokenizer.encode(text)));
      expect(facts.chat).toEqual(tokenizer.encodePrompt(messages));
      const stops = kind === "settings" ? { ...settings, eos_token_id: [1, 4] } : { eos_token_id: 1 };
      expect(facts.generation).toEqual({ ...stops, pad_token_id: 0 });
      if (kind !== "fp32" && kind !== "settings") expect(facts.rounded).toBe(true);
    });
  });

  describe.skipIf(missing !== "").each(theirKinds)("writes what Ballast reads: %s", (kind) => {
    it("with equal logits", async () => {
      expectEqual(await logprobsOf(theirs[kind]!), answer.theirs[kind]!);
    });
  });

  it.skipIf(missing !== "")("the folders are what their names say", () => {
    const shards = (folder: string) =>
      readdirSync(folder).filter((name) => /-of-\d{5}\.safetensors$/.test(name)).length;
    for (const folder of [ours.sharded!, ours.bf16!, theirs.sharded!, theirs.bf16!]) {
      expect(shards(folder)).toBeGreaterThan(1);
      expect(existsSync(join(folder, "model.safetensors"))).toBe(false);
    }
    expect(existsSync(join(theirs.stale!, "model.safetensors"))).toBe(true);
    expect(existsSync(join(theirs.stale!, "model.safetensors.index.json"))).toBe(true);
    // The same index as transformers writes, for the same tensors.
    const index = (folder: string) => JSON.parse(readFileSync(join(folder, "model.safetensors.index.json"), "utf8"));
    expect(Object.keys(index(ours.sharded!).metadata)).toEqual(Object.keys(index(theirs.sharded!).metadata));
    expect(index(ours.sharded!).metadata).toEqual(index(theirs.sharded!).metadata);
    expect(Object.keys(index(ours.sharded!).weight_map)).toEqual(Object.keys(index(theirs.sharded!).weight_map));
  });
});
