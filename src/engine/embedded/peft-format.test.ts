/** PEFT's format both ways: PEFT reads what Ballast writes and Ballast what PEFT writes, with equal logits; what does not fit is refused by name. */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { adam, randomPerToken, randomSequences, saved, smallConfig } from "../../../test/support/engine.ts";
import { gap, temporaryFolder } from "../../../test/support/gpt2.ts";
import { missingPython, runPython } from "../../../test/support/python.ts";
import { withDefaultOptions } from "../../models/family.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../models/safetensors.ts";
import type { AdapterRequest, HeadKind, LossRequest, ModelConfig } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";

const core = new EmbeddedCore({ threads: 1 });
afterAll(() => core.close());

const llama: ModelConfig = withDefaultOptions({ ...smallConfig, family: "llama", kvHeads: 1, innerWidth: 24 });
const neox: ModelConfig = withDefaultOptions({ ...smallConfig, family: "gpt_neox", tieEmbeddings: false });
const sequences = randomSequences(4, 3);
const lessons: LossRequest = {
  ...{ name: "cross_entropy", sequences },
  weights: randomPerToken(sequences, "weights", 0.01, 0.03),
};
const scored: LossRequest = {
  ...{ name: "value", sequences, config: { valueClip: null } },
  weights: randomPerToken(sequences, "weights", 0.01, 0.03),
  returns: randomPerToken(sequences, "returns"),
  oldValues: randomPerToken(sequences, "old"),
};

async function base(config: ModelConfig = smallConfig, seed = 5): Promise<string> {
  const { id } = await core.createModel({ config, heads: ["lm"], seed });
  const { folder } = await saved(core, id);
  await core.disposeModel(id);
  return folder;
}

/** A trained adapter in a folder. */
async function adapterOn(folder: string, adapter: AdapterRequest, heads: readonly HeadKind[] = ["lm"]) {
  const { id } = await core.loadModel(folder, { adapter, heads, scalarInit: "normal" });
  for (let step = 0; step < 3; step++) {
    await core.forwardBackward(id, heads.includes("lm") ? lessons : scored);
    await core.optimStep(id, adam);
  }
  const own = temporaryFolder();
  await core.saveModel(id, own, { optimizer: true });
  return { id, folder: own };
}

const logprobsOf = async (id: string) => (await core.forward(id, { sequences, outputs: ["logprobs"] })).logprobs!;
const scoresOf = async (id: string) => (await core.forward(id, { sequences, outputs: ["score"] })).scores!;

function edit(folder: string, change: Record<string, unknown>): string {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  const path = join(copy, "adapter_config.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
  // The relative place is that of the original.
  rmSync(join(copy, "ballast_adapter.json"), { force: true });
  return copy;
}

function editTensors(folder: string, change: (tensors: Map<string, NamedTensor>) => void): string {
  const copy = edit(folder, {});
  const path = join(copy, "adapter_model.safetensors");
  const { tensors } = readSafetensors(path);
  change(tensors);
  writeSafetensors(path, tensors);
  return copy;
}

describe("a folder", () => {
  test("goes on with the same bits, and is merged if everything is to be trained", async () => {
    const of = await base();
    const { id, folder } = await adapterOn(of, { rank: 3, alpha: 6, rslora: true, targets: ["c_attn", "mlp.c_proj"] });
    const again = await core.loadModel(folder, { adapter: { rank: 9, alpha: 1 }, optimizer: true });
    expect(again.config).toEqual((await core.inspectModel(folder)).config);
    for (const model of [id, again.id]) {
      await core.forwardBackward(model, lessons);
      await core.optimStep(model, adam);
    }
    expect(await logprobsOf(again.id)).toEqual(await logprobsOf(id));
    const whole = await core.loadModel(folder);
    const frozen = await core.loadModel(folder, { frozen: true });
    expect(whole.config).toEqual(smallConfig);
    expect([whole.trained, frozen.trained]).toEqual([whole.parameters, 0]);
    expect(gap(await logprobsOf(whole.id), await logprobsOf(frozen.id))).toBeLessThan(1e-5);
    await expect(core.loadModel(folder, { optimizer: true })).rejects.toThrow(
      "its optimizer is not one of all weights",
    );
  });

  test("of two heads has a task_type of null in its file, and goes on with the same bits", async () => {
    const { id, folder } = await adapterOn(await base(), { rank: 2, alpha: 4 }, ["lm", "scalar"]);
    const json = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    expect(json).toMatchObject({ task_type: null, modules_to_save: ["score"] });
    for (const place of [folder, edit(folder, {})]) {
      // Without Ballast's own record, too.
      const again = await core.loadModel(place, { adapter: { rank: 2, alpha: 4 } });
      expect([...again.heads].sort()).toEqual(["lm", "scalar"]);
      expect(await logprobsOf(again.id)).toEqual(await logprobsOf(id));
      expect(await scoresOf(again.id)).toEqual(await scoresOf(id));
    }
  });

  test("finds its base where the workspace was moved to, and is refused on other weights", async () => {
    const place = temporaryFolder();
    cpSync(await base(), join(place, "old", "base"), { recursive: true });
    const { id } = await core.loadModel(join(place, "old", "base"), { adapter: { rank: 2, alpha: 2 } });
    mkdirSync(join(place, "old", "run"));
    await core.saveModel(id, join(place, "old", "run"));
    renameSync(join(place, "old"), join(place, "new"));
    const moved = await core.loadModel(join(place, "new", "run"), { frozen: true });
    expect(await logprobsOf(moved.id)).toEqual(await logprobsOf(id));
    rmSync(join(place, "new", "base"), { recursive: true });
    await expect(core.loadModel(join(place, "new", "run"))).rejects.toThrow(/stands on .*old.base, which is not here/);
    cpSync(await base(smallConfig, 6), join(place, "new", "base"), { recursive: true });
    // Before anything is trained, too, when a run only looks at its models.
    for (const call of [core.loadModel(join(place, "new", "run")), core.inspectModel(join(place, "new", "run"))])
      await expect(call).rejects.toThrow("was trained on other weights than those now in");
  });
});

describe("refused by name", async () => {
  const of = await base();
  const { folder } = await adapterOn(of, { rank: 2, alpha: 4 });
  const key = "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight";
  const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
  const configs: [Record<string, unknown>, string][] = [
    [{ use_dora: true }, "use_dora is true, which is not supported"],
    [{ lora_bias: true }, "lora_bias is true"],
    [{ bias: "all" }, 'bias is "all"; only none'],
    [{ trainable_token_indices: [3] }, "trainable_token_indices is [3]"],
    [{ layer_replication: [[0, 1]] }, "layer_replication is [[0,1]]"],
    [{ init_lora_weights: "pissa" }, 'init_lora_weights is "pissa", which changes the base'],
    [{ peft_type: "IA3" }, 'peft_type is "IA3"; only LORA'],
    [{ a_new_option: 7 }, "a_new_option is 7, which is not supported"],
    [{ r: 0 }, "r holds 0, which is not a positive number"],
    [{ lora_alpha: 0 }, "lora_alpha holds 0, which is not a positive number"],
    [{ alpha_pattern: { c_attn: -1 } }, "alpha_pattern holds -1, which is not a positive number"],
    [{ rank_pattern: { c_attn: 3 } }, "has shape [2,16], where its configuration on this base wants [3,16]"],
    [{ target_modules: ["c_attn"] }, "which target_modules does not mean: PEFT would ignore it silently"],
    [{ target_modules: "(" }, "target_modules holds a regular expression that Ballast cannot read"],
    [{ layers_to_transform: [1] }, "which target_modules does not mean"],
    [{ exclude_modules: ["c_fc"] }, "which target_modules does not mean"],
    [{ modules_to_save: ["ln_f"] }, "lacks transformer.ln_f.weight, which modules_to_save names"],
    [{ modules_to_save: ["lm_head"] }, "lacks lm_head.weight, which modules_to_save names"],
    [{ task_type: "SEQ_CLS" }, "a classifier's adapter (SEQ_CLS) without the classifier's head"],
    [{ base_model_name_or_path: "some/model" }, "stands on some/model, which is not here"],
  ];
  test.each(configs)("%j", async (change, message) => {
    await expect(core.loadModel(edit(folder, change))).rejects.toThrow(message);
  });

  test("nothing that means the same: names that the base has not, regular expressions with alternatives and groups", async () => {
    const expected = await logprobsOf((await core.loadModel(folder, { frozen: true })).id);
    for (const change of [
      // PEFT adds the names of classifiers' heads, and ignores what a base has not.
      { modules_to_save: ["classifier", "embed_tokens"] },
      { exclude_modules: "transformer|lm_head" },
      { layers_to_transform: [0, 1], layers_pattern: ["(h|layers)"] },
    ]) {
      const { id } = await core.loadModel(edit(folder, change), { frozen: true });
      expect(await logprobsOf(id)).toEqual(expected);
    }
    await expect(core.loadModel(edit(folder, { exclude_modules: "lm_head|.*c_fc" }))).rejects.toThrow(
      "which target_modules does not mean",
    );
  });

  test("a record of the base that is not Ballast's: too large, no file", async () => {
    const path = (copy: string) => join(copy, "ballast_adapter.json");
    const [large, none] = [edit(folder, {}), edit(folder, {})];
    writeFileSync(path(large), `{"base": "${"x".repeat(2 ** 17)}"}`);
    mkdirSync(path(none));
    for (const copy of [large, none]) await expect(core.loadModel(copy)).rejects.toThrow("adapter.json is damaged");
  });

  const files: [string, (tensors: Map<string, NamedTensor>) => void, string][] = [
    ["a missing factor", (all) => all.delete(key), "lacks transformer.h.0.attn.c_attn.lora_A.weight"],
    [
      "a missing module",
      (all) => [key, key.replace("_A", "_B")].map((name) => all.delete(name)),
      "lacks the adapter of transformer.h.0.attn.c_attn, which target_modules means",
    ],
    [
      "a layer too many",
      (all) => all.set(key.replace("h.0", "h.9"), zeros(2, 16)),
      "no projection transformer.h.9.attn.c_attn",
    ],
    [
      "an adapter of the embedding",
      (all) => all.set("base_model.model.transformer.wte.lora_embedding_A", zeros(2, 29)),
      "adapts transformer.wte, which is no projection of a block Merge the adapter with PEFT",
    ],
    [
      "an adapter of the head, with the matrix that PEFT saves beside it",
      (all) => all.set("base_model.model.lm_head.base_layer.weight", zeros(29, 16)),
      "adapts lm_head, which is no projection of a block",
    ],
    [
      "a vocabulary that was enlarged",
      (all) => all.set("base_model.model.transformer.wte.weight", zeros(31, 16)),
      "holds transformer.wte.weight of 31 rows, and the base's vocabulary has 29: it was changed before the adapter was trained (resize_token_embeddings)",
    ],
    [
      "a whole module without its name",
      (all) => all.set("base_model.model.transformer.ln_f.weight", zeros(16)),
      "and modules_to_save does not name it",
    ],
    ["another base", (all) => all.set(key, zeros(2, 17)), "The adapter belongs to another base"],
    ["numbers that are not finite", (all) => all.get(key)!.data.fill(Number.NaN), "are NaN, infinite"],
  ];
  test.each(files)("%s", async (_, change, message) => {
    const loaded = core.loadModel(editTensors(folder, change));
    const error = (await loaded.catch((error: unknown) => error)) as Error & { hint?: string };
    expect(`${error.message} ${error.hint}`).toContain(message);
  });

  test("PEFT's older file, and none, with what to do", async () => {
    const copy = edit(folder, {});
    rmSync(join(copy, "adapter_model.safetensors"));
    await expect(core.loadModel(copy)).rejects.toThrow("has adapter_config.json, and no adapter_model.safetensors");
    writeFileSync(join(copy, "adapter_model.bin"), "");
    await expect(core.loadModel(copy)).rejects.toThrow(
      expect.objectContaining({
        message: expect.stringContaining("holds its adapter as adapter_model.bin, and Ballast reads safetensors"),
        hint: expect.stringContaining("save_file("),
      }),
    );
  });

  test("dropout is not used, which is said", async () => {
    expect((await core.inspectModel(folder)).notes).toBeUndefined();
    expect((await core.inspectModel(edit(folder, { lora_dropout: 0.05 }))).notes![0]).toContain("lora_dropout 0.05");
  });
});

const missing = missingPython(["torch", "transformers", "peft"]);
describe.skipIf(missing !== "")(`PEFT${missing}`, { timeout: 300_000 }, () => {
  test("reads what Ballast writes, and gives equal logits", async () => {
    const cases: { folder: string; kind: string; expected: number[][] }[] = [];
    for (const [config, targets] of [
      [smallConfig, ["attn.c_proj"]],
      [llama, ["q_proj", "down_proj"]],
      [neox, ["query_key_value", "dense_4h_to_h"]],
    ] as const) {
      const of = await base(config);
      for (const request of [
        { rank: 3, alpha: 6 },
        { rank: 2, alpha: 6, rslora: true, targets },
      ]) {
        const { id, folder } = await adapterOn(of, request);
        cases.push({ folder, kind: "lm", expected: await logprobsOf(id) });
      }
    }
    const reward = await adapterOn(await base(), { rank: 3, alpha: 6 }, ["scalar"]);
    const bias = readSafetensors(join(reward.folder, "adapter_model.safetensors")).tensors.get(
      "base_model.model.score.bias",
    )!.data[0]!;
    // PEFT has no bias of a score, and ignores it.
    cases.push({ folder: reward.folder, kind: "score", expected: (await scoresOf(reward.id)).map((x) => [x - bias]) });
    const results = runPython(readsOurs, {
      cases: cases.map(({ folder, kind }) => ({ folder, kind })),
      sequences,
    }) as number[][][];
    for (const [i, { expected }] of cases.entries()) expect(gap(results[i], expected)).toBeLessThan(1e-5);
  });

  test("writes what Ballast reads, with equal logits: patterns, rslora, whole modules, regular expressions, layers", async () => {
    const [gpt2, second, third, out] = [await base(), await base(llama), await base(neox), temporaryFolder()];
    const options: { of: string; task: string; lora: Record<string, unknown> }[] = [
      { of: gpt2, task: "CAUSAL_LM", lora: { r: 4, lora_alpha: 8, target_modules: "all-linear" } },
      {
        of: gpt2,
        task: "CAUSAL_LM",
        lora: {
          r: 4,
          lora_alpha: 8,
          fan_in_fan_out: true,
          target_modules: ["c_attn", "mlp.c_proj"],
          rank_pattern: { "h.1.mlp.c_proj": 2 },
          alpha_pattern: { c_attn: 3 },
          use_rslora: true,
        },
      },
      {
        of: gpt2,
        task: "CAUSAL_LM",
        lora: {
          r: 2,
          target_modules: ".*h\\.[01]\\.attn\\.c_(attn|proj)",
          modules_to_save: ["ln_f"],
          lora_dropout: 0.1,
        },
      },
      { of: gpt2, task: "SEQ_CLS", lora: { r: 2, target_modules: ["c_fc"], layers_to_transform: [1] } },
      { of: second, task: "CAUSAL_LM", lora: { r: 3, target_modules: "all-linear", exclude_modules: ["k_proj"] } },
      {
        of: second,
        task: "CAUSAL_LM",
        lora: { r: 2, target_modules: ["q_proj", "up_proj"], layers_to_transform: 0, layers_pattern: "layers" },
      },
      { of: third, task: "CAUSAL_LM", lora: { r: 3, target_modules: "all-linear", modules_to_save: ["lm_head"] } },
      { of: third, task: "CAUSAL_LM", lora: { r: 2, modules_to_save: ["final_layer_norm"] } },
    ];
    const results = runPython(writesTheirs, { options, sequences, out }) as { folder: string; expected: number[][] }[];
    const written: { folder: string; kind: string; expected: number[][] }[] = [];
    for (const [i, { folder, expected }] of results.entries()) {
      const { id } = await core.loadModel(folder, { frozen: true });
      const found = options[i]!.task === "SEQ_CLS" ? (await scoresOf(id)).map((x) => [x]) : await logprobsOf(id);
      expect({ i, near: gap(found, expected) < 1e-5 }).toEqual({ i, near: true });
      // Saved again, PEFT's patterns included, it is the same adapter.
      const again = temporaryFolder();
      await core.saveModel(id, again);
      const copy = await core.loadModel(again, { frozen: true });
      expect(copy.config).toEqual((await core.inspectModel(folder)).config);
      expect(
        options[i]!.task === "SEQ_CLS" ? (await scoresOf(copy.id)).map((x) => [x]) : await logprobsOf(copy.id),
      ).toEqual(found);
      if (options[i]!.task === "CAUSAL_LM") written.push({ folder: again, kind: "lm", expected });
    }
    // PEFT reads back what Ballast has read of it.
    const cases = written.map(({ folder, kind }) => ({ folder, kind }));
    const back = runPython(readsOurs, { cases, sequences }) as number[][][];
    expect(written.map(({ expected }, i) => gap(back[i], expected) < 1e-5)).toEqual(written.map(() => true));
  });
});

const shared = `
import json, sys, torch, warnings
warnings.filterwarnings("ignore")
import transformers; transformers.logging.set_verbosity_error()
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
torch.set_num_threads(1)
def outputs(model, sequences, kind):
    model.eval()
    rows = []
    with torch.no_grad():
        for one in sequences:
            ids = torch.tensor([one["tokens"]])
            logits = model(input_ids=ids).logits[0]
            if kind != "lm": rows.append([logits[0].item()])
            else:
                logp = torch.log_softmax(logits.double(), -1)
                rows.append([logp[t - 1, one["tokens"][t]].item() for t in range(one["start"], len(one["tokens"]))])
    return rows
given = json.load(sys.stdin)
`;
const readsOurs = `${shared}
from peft import AutoPeftModelForCausalLM, AutoPeftModelForSequenceClassification
results = []
for one in given["cases"]:
    if one["kind"] == "lm": model = AutoPeftModelForCausalLM.from_pretrained(one["folder"])
    else: model = AutoPeftModelForSequenceClassification.from_pretrained(one["folder"], num_labels=1)
    results.append(outputs(model, given["sequences"], one["kind"]))
print(json.dumps(results))
`;
const writesTheirs = `${shared}
from peft import LoraConfig, get_peft_model
results = []
for i, one in enumerate(given["options"]):
    torch.manual_seed(i)
    if one["task"] == "SEQ_CLS": model = AutoModelForSequenceClassification.from_pretrained(one["of"], num_labels=1)
    else: model = AutoModelForCausalLM.from_pretrained(one["of"])
    peft = get_peft_model(model, LoraConfig(task_type=one["task"], **one["lora"]))
    for name, parameter in peft.named_parameters():
        if parameter.requires_grad: torch.nn.init.normal_(parameter, 0, 0.2)
    folder = given["out"] + "/" + str(i)
    peft.save_pretrained(folder)
    results.append({"folder": folder, "expected": outputs(peft, given["sequences"], "lm" if one["task"] != "SEQ_CLS" else "score")})
print(json.dumps(results))
`;
