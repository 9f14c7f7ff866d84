/** Model folders: round trips, Hugging Face's own files, and folders that do not fit. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixtureTensors, temporaryFolder, tiedConfig, untiedConfig } from "../../test/support/gpt2.ts";
import { CheckpointError } from "../util/errors.ts";
import { readModelFolder, writeModelFolder } from "./hf-folder.ts";
import type { Head } from "./model-config.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "./safetensors.ts";

function editConfig(folder: string, edit: (json: Record<string, unknown>) => Record<string, unknown>): void {
  const path = join(folder, "config.json");
  writeFileSync(path, JSON.stringify(edit(JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>)));
}

function editTensors(folder: string, edit: (tensors: Map<string, NamedTensor>) => void): void {
  const path = join(folder, "model.safetensors");
  const { tensors } = readSafetensors(path);
  edit(tensors);
  writeSafetensors(path, tensors);
}

function written(untied = false, heads: readonly Head[] = ["lm"]): string {
  const folder = temporaryFolder();
  const parts = [...(untied && heads.includes("lm") ? ["untied" as const] : [])];
  const tensors = fixtureTensors(...parts, ...(heads.includes("scalar") ? ["score" as const] : []));
  writeModelFolder(folder, { config: untied ? untiedConfig : tiedConfig, heads, tensors });
  return folder;
}

describe("round trip", () => {
  test.each([
    [false, ["lm"]],
    [true, ["lm"]],
    [false, ["scalar"]],
    [true, ["scalar"]],
    [false, ["lm", "scalar"]],
    [true, ["lm", "scalar"]],
  ] as [boolean, Head[]][])("untied %s, heads %j", (untied, heads) => {
    const folder = written(untied, heads);
    const read = readModelFolder(folder);
    expect(read.config).toEqual(untied ? untiedConfig : tiedConfig);
    expect(read.heads).toEqual(heads);
    const expected = readSafetensors(join(folder, "model.safetensors")).tensors;
    expect([...read.tensors.keys()]).toEqual([...expected.keys()]);
    for (const [name, tensor] of expected) expect(read.tensors.get(name)).toEqual(tensor);
  });

  test("config.json says what Hugging Face needs", () => {
    const json = JSON.parse(readFileSync(join(written(true, ["lm"]), "config.json"), "utf8")) as unknown;
    expect(json).toMatchObject({
      model_type: "gpt2",
      architectures: ["GPT2LMHeadModel"],
      vocab_size: 23,
      n_positions: 12,
      n_embd: 8,
      n_layer: 2,
      n_head: 2,
      activation_function: "gelu_new",
      layer_norm_epsilon: 1e-5,
      tie_word_embeddings: false,
    });
    const scalar = JSON.parse(readFileSync(join(written(false, ["scalar"]), "config.json"), "utf8")) as unknown;
    expect(scalar).toMatchObject({ architectures: ["GPT2ForSequenceClassification"], num_labels: 1 });
  });
});

describe("Hugging Face's files", () => {
  /** As in the `gpt2` repository: names without a prefix, including causal masks, and its own config. */
  function published(): string {
    const folder = written();
    editConfig(folder, ({ ballast_heads, tie_word_embeddings, ...json }) => ({ ...json, n_ctx: 12, n_inner: null }));
    editTensors(folder, (tensors) => {
      for (const [name, tensor] of [...tensors]) {
        tensors.delete(name);
        tensors.set(name.replace("transformer.", ""), tensor);
      }
      for (const layer of [0, 1]) {
        tensors.set(`h.${layer}.attn.bias`, { shape: [1, 1, 12, 12], data: new Float32Array(144) });
        tensors.set(`h.${layer}.attn.masked_bias`, { shape: [], data: Float32Array.of(-1e4) });
      }
    });
    return folder;
  }

  test("names without a prefix and causal masks are understood", () => {
    const read = readModelFolder(published());
    expect(read.config).toEqual(tiedConfig);
    expect(read.heads).toEqual(["lm"]);
    expect([...read.tensors.keys()].sort()).toEqual([...fixtureTensors().keys()].sort());
  });

  test("causal masks may be of a type that is not read", () => {
    const folder = published();
    const path = join(folder, "model.safetensors");
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    const header = bytes.subarray(8, 8 + length).toString();
    const changed = header.replace(/("h\.0\.attn\.bias":\{"dtype":)"F32"/, '$1"U32"');
    expect(changed).not.toBe(header);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, 8), Buffer.from(changed), bytes.subarray(8 + length)]));
    expect(readModelFolder(folder).config).toEqual(tiedConfig);
  });

  test("a copy of tied embeddings is not a head of its own", () => {
    const folder = written();
    editTensors(folder, (tensors) => tensors.set("lm_head.weight", tensors.get("transformer.wte.weight")!));
    expect(readModelFolder(folder).config.tieEmbeddings).toBe(true);
  });

  test("another head beside embeddings that config.json calls tied is the head", () => {
    const folder = written();
    const head = { shape: [23, 8], data: new Float32Array(23 * 8).fill(0.5) };
    editTensors(folder, (tensors) => tensors.set("lm_head.weight", head));
    const read = readModelFolder(folder);
    expect(read.config).toEqual(untiedConfig);
    expect(read.tensors.get("lm_head.weight")).toEqual(head);
    // One different number makes it a separate head.
    const wte = fixtureTensors().get("transformer.wte.weight")!;
    const nearly = { ...wte, data: wte.data.map((value, i) => (i === 100 ? value + 1e-6 : value)) };
    editTensors(folder, (tensors) => tensors.set("lm_head.weight", nearly));
    expect(readModelFolder(folder).config.tieEmbeddings).toBe(false);
    writeModelFolder(folder, readModelFolder(folder));
    expect(readModelFolder(folder).tensors.get("lm_head.weight")).toEqual(nearly);
  });

  test("a classifier's score without a bias has bias 0", () => {
    const folder = written(false, ["scalar"]);
    editConfig(folder, ({ ballast_heads, ...json }) => json);
    editTensors(folder, (tensors) => tensors.delete("score.bias"));
    const read = readModelFolder(folder);
    expect(read.heads).toEqual(["scalar"]);
    expect([...read.tensors.get("score.bias")!.data]).toEqual([0]);
  });
});

describe("folders that do not fit are CheckpointErrors that say why", () => {
  const expectError = (folder: string, message: string | RegExp) => {
    expect(() => readModelFolder(folder)).toThrow(CheckpointError);
    expect(() => readModelFolder(folder)).toThrow(message);
  };

  test("files that are missing or no JSON", () => {
    expectError(temporaryFolder(), /holds no weights: it has neither model\.safetensors nor model\.safetensors\.index/);
    const folder = written();
    rmSync(join(folder, "config.json"));
    expectError(folder, /cannot read .*config\.json: ENOENT/);
    rmSync(join(folder, "model.safetensors"));
    writeFileSync(join(folder, "config.json"), readFileSync(join(written(), "config.json")));
    expectError(folder, /holds no weights/);
    for (const text of ["", "{", "[]", "null", "3"]) {
      writeFileSync(join(folder, "config.json"), text);
      expectError(folder, /config\.json/);
    }
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["another family", { model_type: "bert" }, /model_type is "bert"; only gpt2, .* are supported/],
    [
      "another activation",
      { activation_function: "relu" },
      /activation_function is "relu"; only gelu_new is supported/,
    ],
    ["a size that is missing", { n_layer: undefined }, /n_layer must be a positive integer, found undefined/],
    ["a size of 0", { n_head: 0 }, /n_head must be a positive integer, found 0/],
    ["a size that is text", { n_embd: "8" }, /n_embd must be a positive integer, found "8"/],
    ["a width that heads do not divide", { n_head: 3 }, /n_embd 8 is not divisible by n_head 3/],
    ["another epsilon", { layer_norm_epsilon: 1e-6 }, /layer_norm_epsilon is 0\.000001; only 0\.00001/],
    ["attention scaled by layer", { scale_attn_by_inverse_layer_idx: true }, /scale_attn_by_inverse_layer_idx/],
    ["attention not scaled", { scale_attn_weights: false }, /scale_attn_weights/],
    ["heads of no kind", { ballast_heads: [] }, /ballast_heads/],
  ])("%s", (_, change, message) => {
    const folder = written();
    editConfig(folder, (json) => ({ ...json, ...change }));
    expectError(folder, message);
  });

  test("parameters that are missing or of a different shape", () => {
    const folder = written();
    editConfig(folder, (json) => ({ ...json, n_layer: 3 }));
    expectError(folder, /has no parameter transformer\.h\.2\.ln_1\.weight/);
    editConfig(folder, (json) => ({ ...json, n_layer: 2, vocab_size: 24 }));
    expectError(folder, /transformer\.wte\.weight has shape \[23,8\], config\.json wants \[24,8\]/);
    editConfig(folder, (json) => ({ ...json, vocab_size: 23, n_inner: 16 }));
    expectError(folder, /mlp\.c_fc\.weight has shape \[8,32\], config\.json wants \[8,16\]/);
  });

  test.each([
    ["NaN", Number.NaN, 1],
    ["infinite", Number.NEGATIVE_INFINITY, 3],
  ])("numbers that are %s, by tensor and count", (_, value, count) => {
    const folder = written();
    editTensors(folder, (tensors) => {
      const { data } = tensors.get("transformer.h.1.mlp.c_fc.bias")!;
      data.fill(value, 4, 4 + count);
    });
    expectError(folder, `${count} of 32 numbers of transformer.h.1.mlp.c_fc.bias are NaN, infinite or beyond float32`);
  });

  test("a classifier of several labels, a head of a different kind", () => {
    const folder = written(false, ["scalar"]);
    editConfig(folder, ({ ballast_heads, ...json }) => json);
    editTensors(folder, (tensors) => {
      tensors.set("score.weight", { shape: [2, 8], data: new Float32Array(16) });
      tensors.delete("score.bias");
    });
    expectError(folder, "is a classifier of 2 labels: its score.weight has 2 rows, and a reward model has one score");
    editConfig(folder, (json) => ({ ...json, architectures: ["GPT2ForTokenClassification"] }));
    editTensors(folder, (tensors) => {
      tensors.delete("score.weight");
      tensors.set("classifier.weight", { shape: [3, 8], data: new Float32Array(24) });
    });
    expectError(folder, /holds GPT2ForTokenClassification with the head classifier\.weight, which is neither/);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["layers", { n_layer: 10 ** 12 }, /has \d+ tensors, and config\.json wants 1000000000000 layers/],
    ["a width", { n_embd: 2 ** 40 }, /its 2[\d,]+ parameters take [\d,]+ GiB in float32, and this machine has/],
    ["a vocabulary", { vocab_size: 10 ** 13 }, /parameters take [\d,]+ GiB/],
    ["a context", { n_positions: 10 ** 13 }, /parameters take [\d,]+ GiB/],
    ["a size beyond whole numbers", { vocab_size: 1e300 }, /vocab_size must be a positive integer, found 1e\+300/],
  ])("%s beyond all memory, before anything is allocated", (_, change, message) => {
    const folder = written();
    editConfig(folder, (json) => ({ ...json, ...change }));
    expectError(folder, message);
  });

  test("a configuration of more than a megabyte", () => {
    const folder = written();
    editConfig(folder, (json) => ({ ...json, comment: "x".repeat(2 ** 20) }));
    expectError(folder, /config\.json: it has \d+ bytes, and a model's configuration 1048576 at most/);
  });

  test("an untied model without its head", () => {
    const folder = written(true, ["lm"]);
    editTensors(folder, (tensors) => tensors.delete("lm_head.weight"));
    expectError(folder, /has no parameter lm_head\.weight/);
  });
});
