/** Weights in shards: round trips, and folders whose files do not fit each other. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixtureTensors, temporaryFolder, tiedConfig } from "../../test/support/gpt2.ts";
import { CheckpointError } from "../util/errors.ts";
import { hashOfWeights, hasWeights, isModelFolder } from "../util/weight-files.ts";
import { convertModelFolder, openModelFolder, readModelFolder, writeModelFolder } from "./hf-folder.ts";
import { openWeights, writeWeights } from "./model-weights.ts";
import { type NamedTensor, readSafetensors, writeSafetensors } from "./safetensors.ts";

const index = "model.safetensors.index.json";
const lastShard = "model-00004-of-00004.safetensors";

/** The fixture's model in four shards. */
function sharded(): string {
  const folder = temporaryFolder();
  writeModelFolder(folder, { config: tiedConfig, heads: ["lm"], tensors: fixtureTensors() }, { shardBytes: 2800 });
  return folder;
}

const filesIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.includes("safetensors"))
    .sort();
const bytesOf = (tensors: ReadonlyMap<string, NamedTensor>) =>
  [...tensors].map(([name, { data }]) => [name, [...data]]);

describe("round trip", () => {
  test("shards hold every tensor once, none above the limit unless it is one tensor", () => {
    const folder = sharded();
    expect(filesIn(folder)).toEqual([
      ...[1, 2, 3, 4].map((i) => `model-0000${i}-of-00004.safetensors`),
      "model.safetensors.index.json",
    ]);
    const { metadata, weight_map } = JSON.parse(readFileSync(join(folder, index), "utf8"));
    const total = [...fixtureTensors().values()].reduce((sum, { data }) => sum + data.length, 0);
    expect(metadata).toEqual({ total_parameters: total, total_size: 4 * total });
    expect(Object.keys(weight_map)).toEqual([...fixtureTensors().keys()].sort());
    for (const file of filesIn(folder).slice(0, 4)) {
      const { tensors } = readSafetensors(join(folder, file));
      expect([...tensors.values()].reduce((sum, { data }) => sum + 4 * data.length, 0)).toBeLessThanOrEqual(2800);
    }
    expect(readModelFolder(folder).config).toEqual(tiedConfig);
    expect(bytesOf(readModelFolder(folder).tensors)).toEqual(bytesOf(fixtureTensors()));
  });

  test("a tensor above the limit has a file of its own", () => {
    const folder = temporaryFolder();
    const of = (size: number): NamedTensor => ({ shape: [size], data: new Float32Array(size).fill(size) });
    writeWeights(folder, new Map([6, 60, 2, 6, 2, 2].map((size, i) => [`t${i}`, of(size)])), { shardBytes: 40 });
    const { weight_map } = JSON.parse(readFileSync(join(folder, index), "utf8"));
    const shardOf = (file: string) => Number(/model-(\d+)/.exec(file)?.[1]);
    expect(Object.entries(weight_map as Record<string, string>).map(([name, file]) => [name, shardOf(file)])).toEqual([
      ["t0", 1],
      ["t1", 2],
      ["t2", 3],
      ["t3", 3],
      ["t4", 3],
      ["t5", 4],
    ]);
  });

  test("what a folder held before is removed, so that nobody reads old weights", () => {
    const folder = sharded();
    writeFileSync(join(folder, "adapter_model.safetensors"), "");
    writeModelFolder(folder, { config: tiedConfig, heads: ["lm"], tensors: fixtureTensors() });
    expect(filesIn(folder)).toEqual(["adapter_model.safetensors", "model.safetensors"]);
    writeWeights(folder, fixtureTensors(), { shardBytes: 2800 });
    expect(filesIn(folder)).not.toContain("model.safetensors");
  });

  test("a whole file beside an index counts, and the index is not read", () => {
    const folder = sharded();
    const other = new Map([...fixtureTensors()].map(([name, t]) => [name, { ...t, data: t.data.map((x) => x + 1) }]));
    writeSafetensors(join(folder, "model.safetensors"), other);
    expect(bytesOf(readModelFolder(folder).tensors)).toEqual(bytesOf(other));
    for (const name of filesIn(folder).slice(0, 4)) rmSync(join(folder, name));
    writeFileSync(join(folder, index), "not JSON");
    expect(bytesOf(readModelFolder(folder).tensors)).toEqual(bytesOf(other));
  });

  test.each([
    ["BF16", "bfloat16", 2 ** -8],
    ["F16", "float16", 2 ** -11],
    ["F32", "float32", 0],
  ] as const)("converted to %s, and config.json says so", (format, name, error) => {
    const [from, to] = [sharded(), temporaryFolder()];
    writeFileSync(
      join(from, "config.json"),
      readFileSync(join(from, "config.json"), "utf8").replace("{", '{"dtype":"x","kept":1,'),
    );
    convertModelFolder(from, to, { format, shardBytes: 1500 });
    const config = JSON.parse(readFileSync(join(to, "config.json"), "utf8"));
    expect(config).toMatchObject({ model_type: "gpt2", kept: 1, torch_dtype: name });
    expect(config.dtype).toBeUndefined();
    for (const [key, { data }] of readModelFolder(to).tensors)
      for (const [i, value] of data.entries()) {
        const exact = fixtureTensors().get(key)!.data[i]!;
        expect(Math.abs(value - exact)).toBeLessThanOrEqual(error * Math.abs(exact) + (error === 0 ? 0 : 2 ** -25));
      }
  });

  test("a head of its own beside embeddings that config.json ties is converted, and config.json says so; a reward model, too", () => {
    const [from, to] = [temporaryFolder(), temporaryFolder()];
    writeModelFolder(from, { config: tiedConfig, heads: ["lm"], tensors: fixtureTensors("untied") });
    convertModelFolder(from, to, { format: "F32" });
    expect(JSON.parse(readFileSync(join(to, "config.json"), "utf8")).tie_word_embeddings).toBe(false);
    expect(bytesOf(readModelFolder(to).tensors)).toEqual(bytesOf(fixtureTensors("untied")));
    writeModelFolder(from, { config: tiedConfig, heads: ["scalar"], tensors: fixtureTensors("score") });
    convertModelFolder(from, to, { format: "F32" });
    expect(readModelFolder(to).heads).toEqual(["scalar"]);
    expect(bytesOf(readModelFolder(to).tensors)).toEqual(bytesOf(fixtureTensors("score")));
  });

  test("a number beyond fp16 names its tensor, and the folder keeps what it held", () => {
    const [from, to] = [temporaryFolder(), sharded()];
    const tensors = fixtureTensors();
    tensors.get("transformer.h.1.ln_2.weight")!.data[3] = 7e4;
    writeModelFolder(from, { config: tiedConfig, heads: ["lm"], tensors });
    const before = filesIn(to);
    expect(() => convertModelFolder(from, to, { format: "F16" })).toThrow(
      "transformer.h.1.ln_2.weight holds 70000, which is beyond fp16 (65504)",
    );
    expect(filesIn(to)).toEqual(before);
  });

  test("the hash of weights covers every shard", async () => {
    const folder = sharded();
    const before = await hashOfWeights(folder);
    const path = join(folder, lastShard);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(path, bytes);
    expect(await hashOfWeights(folder)).not.toBe(before);
    expect(await hashOfWeights(temporaryFolder())).toBeNull();
    expect([hasWeights(folder), hasWeights(temporaryFolder())]).toEqual([true, false]);
  });

  test("a file that changes after it was opened is not mixed with what it was", () => {
    const folder = sharded();
    const opened = openModelFolder(folder);
    const name = "transformer.wte.weight";
    opened.read(name, new Float32Array(23 * 8));
    writeModelFolder(folder, { config: tiedConfig, heads: ["lm"], tensors: fixtureTensors() }, { shardBytes: 2800 });
    expect(() => opened.read(name, new Float32Array(23 * 8))).toThrow(/changed while it was read/);
  });
});

describe("folders that do not fit are CheckpointErrors that say why", () => {
  const expectError = (folder: string, message: string | RegExp) => {
    expect(() => openModelFolder(folder)).toThrow(CheckpointError);
    expect(() => openModelFolder(folder)).toThrow(message);
  };
  const editIndex = (folder: string, edit: (map: Record<string, unknown>) => unknown) => {
    const path = join(folder, index);
    const json = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...json, weight_map: edit(json.weight_map) }));
  };

  test("a missing shard, all shards missing", () => {
    const folder = sharded();
    rmSync(join(folder, lastShard));
    expectError(folder, `lacks 1 of the 4 shards that ${index} names: ${lastShard}`);
    for (const name of filesIn(folder)) if (name !== index) rmSync(join(folder, name));
    expectError(folder, /lacks 4 of the 4 shards .*: model-00001-of-00004\.safetensors, .* and 1 more/);
  });

  test("a shard that is cut off, an empty one, one whose tensors overlap", () => {
    const folder = sharded();
    const path = join(folder, lastShard);
    const whole = readFileSync(path);
    truncateSync(path, whole.length - 4);
    expectError(folder, new RegExp(`${lastShard} is truncated or damaged: .* needs bytes`));
    writeFileSync(path, "");
    expectError(folder, `${lastShard} is truncated or damaged: its header of 0 bytes`);
    const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
    const header = Buffer.from(JSON.stringify({ a: entry, b: entry }));
    const length = Buffer.from(BigUint64Array.of(BigInt(header.length)).buffer);
    writeFileSync(path, Buffer.concat([length, header, Buffer.alloc(8)]));
    expectError(folder, "b begins at byte 0, and a ends at 8");
  });

  test("a tensor in two shards, one that the index places in a file that lacks it", () => {
    const folder = sharded();
    cpSync(join(folder, lastShard), join(folder, "copy.safetensors"));
    editIndex(folder, (map) => ({ ...map, more: "copy.safetensors" }));
    expectError(
      folder,
      /transformer\.h\.1\.mlp\.c_proj\.weight is in two shards, .*copy\.safetensors and .*model-00004-of-00004\.safetensors/,
    );
    const other = sharded();
    editIndex(other, (map) => ({ ...map, "transformer.wte.weight": lastShard }));
    expectError(other, `places transformer.wte.weight in ${lastShard}, which lacks it`);
  });

  test.each<[string, (map: Record<string, unknown>) => unknown, RegExp]>([
    ["is a list", () => ["x"], /it has no weight_map/],
    ["is null", () => null, /it has no weight_map/],
    ["is empty", () => ({}), /its weight_map is empty/],
    ["has a number", (map) => ({ ...map, x: 3 }), /places x in 3, which is not the name of a shard/],
    ["has a file of another kind", (map) => ({ ...map, x: "a.bin" }), /places x in "a\.bin", which is not the name/],
    ...[
      "../model.safetensors",
      "/etc/model.safetensors",
      "a/../../b.safetensors",
      "..\\b.safetensors",
      "C:b.safetensors",
    ].map((file): [string, () => unknown, RegExp] => [
      `leads to ${file}`,
      () => ({ x: file }),
      /which is not the name of a shard/,
    ]),
    [
      "names more shards than there can be",
      () => Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`t${i}`, `${i}.safetensors`])),
      /it names 10001 shards, above 10000/,
    ],
  ])("an index whose map %s", (_, edit, message) => {
    const folder = sharded();
    editIndex(folder, edit);
    expectError(folder, message);
  });

  test("an index that is not JSON, too large, a folder", () => {
    const folder = sharded();
    const path = join(folder, index);
    for (const text of ["", "{", "weights"]) {
      writeFileSync(path, text);
      expectError(folder, new RegExp(`${index} cannot be used: it is not JSON`));
    }
    for (const text of ["null", "3", "[]"]) {
      writeFileSync(path, text);
      expectError(folder, /it has no weight_map/);
    }
    truncateSync(path, 2 ** 24 + 1);
    expectError(folder, "its 16777217 bytes are above 16777216");
    rmSync(path);
    mkdirSync(path);
    expectError(folder, `${index} cannot be used: it is not a file`);
  });

  test("a shard that is a folder, a link to one, or a pipe nobody writes to; a link to a file is read", () => {
    const folder = sharded();
    const path = join(folder, lastShard);
    const elsewhere = join(temporaryFolder(), "blob");
    cpSync(path, elsewhere);
    rmSync(path);
    mkdirSync(path);
    expectError(folder, `cannot read ${path}: it is not a file`);
    rmSync(path, { recursive: true });
    if (process.platform === "win32") return;
    symlinkSync(temporaryFolder(), path);
    expectError(folder, `cannot read ${path}: it is not a file`);
    rmSync(path);
    execFileSync("mkfifo", [path]);
    expectError(folder, `cannot read ${path}: it is not a file`);
    rmSync(path);
    symlinkSync(elsewhere, path);
    expect(bytesOf(readModelFolder(folder).tensors)).toEqual(bytesOf(fixtureTensors()));
  });

  test.each(["F8_E4M3", "I8", "U8"])("numbers of type %s, by name", (dtype) => {
    const folder = sharded();
    const path = join(folder, lastShard);
    const bytes = readFileSync(path);
    const end = 8 + Number(bytes.readBigUInt64LE());
    const header = Buffer.from(bytes.subarray(8, end).toString().replaceAll('"F32"', `"${dtype}"`));
    const length = Buffer.from(BigUint64Array.of(BigInt(header.length)).buffer);
    writeFileSync(path, Buffer.concat([length, header, bytes.subarray(end)]));
    expectError(folder, `has type ${dtype}; F32, F16, BF16 and F64 are read`);
  });

  test.each([
    [
      "pytorch_model.bin",
      /holds its weights as pytorch_model\.bin, and Ballast reads safetensors/,
      "M.from_pretrained(",
    ],
    ["pytorch_model.bin.index.json", /as pytorch_model\.bin\.index\.json/, "import GPT2LMHeadModel as M"],
    ["tiny-q4.gguf", /holds its weights as tiny-q4\.gguf/, 'f = "tiny-q4.gguf"; M.from_pretrained(d, gguf_file=f'],
  ])("%s only, with the command that converts it", (file, message, command) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "config.json"), readFileSync(join(sharded(), "config.json")));
    writeFileSync(join(folder, file), "");
    expectError(folder, message);
    expect(hasWeights(folder)).toBe(true);
    expect(() => openModelFolder(folder)).toThrow(expect.objectContaining({ hint: expect.stringContaining(command) }));
    rmSync(join(folder, "config.json"));
    expectError(folder, message);
  });

  test("shards without their index, all of them and some", () => {
    const folder = sharded();
    rmSync(join(folder, index));
    expect([hasWeights(folder), isModelFolder(folder)]).toEqual([true, true]);
    expectError(folder, `has all 4 shards of a model (model-00001-of-00004.safetensors, `);
    expectError(folder, `and no ${index}, which says where each tensor is`);
    rmSync(join(folder, lastShard));
    expectError(folder, "has 3 of the 4 shards of a model");
    const hint = expect.stringContaining(`copy ${index} and the missing shards from where they came from`);
    expect(() => openModelFolder(folder)).toThrow(expect.objectContaining({ hint }));
  });

  test.each([
    ["model.fp16.safetensors", "rename it to model.safetensors"],
    ["consolidated.safetensors", "in its maker's own format, with other names of tensors: copy model.safetensors"],
  ])("%s only", (file, remedy) => {
    const folder = temporaryFolder();
    cpSync(join(sharded(), "config.json"), join(folder, "config.json"));
    expect([hasWeights(folder), isModelFolder(folder)]).toEqual([false, true]);
    writeFileSync(join(folder, file), "");
    expect(hasWeights(folder)).toBe(true);
    expectError(folder, `has no model.safetensors, but ${file}`);
    const hint = expect.stringContaining(remedy);
    expect(() => openModelFolder(folder)).toThrow(expect.objectContaining({ hint }));
  });

  test("an empty folder, none at all", () => {
    expectError(
      temporaryFolder(),
      /holds no weights: it has neither model\.safetensors nor model\.safetensors\.index\.json/,
    );
    expectError(join(temporaryFolder(), "none"), /there is no folder .*none/);
  });

  test("quantised weights, and weights in a file of a different name, as config.json says", () => {
    const folder = sharded();
    const path = join(folder, "config.json");
    const json = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...json, quantization_config: { quant_method: "fp8" } }));
    expectError(folder, /the weights are quantised \(quantization_config: fp8\)/);
    writeFileSync(path, JSON.stringify({ ...json, quantization_config: null, transformers_weights: "x.safetensors" }));
    expectError(folder, /transformers_weights is "x\.safetensors"; only/);
  });

  test("one parameter under two names", () => {
    const folder = temporaryFolder();
    writeModelFolder(folder, { config: tiedConfig, heads: ["lm"], tensors: fixtureTensors() });
    const path = join(folder, "model.safetensors");
    const { tensors } = readSafetensors(path);
    tensors.set("wte.weight", tensors.get("transformer.wte.weight")!);
    writeSafetensors(path, tensors);
    expectError(folder, "has transformer.wte.weight twice, as transformer.wte.weight and wte.weight");
  });

  test("weights of other sizes than config.json says, in shards too", () => {
    const folder = sharded();
    const path = join(folder, "config.json");
    const json = JSON.parse(readFileSync(path, "utf8"));
    for (const [change, message] of [
      [{ n_embd: 16 }, /transformer\.wte\.weight has shape \[23,8\], config\.json wants \[23,16\]/],
      [{ n_layer: 1e9 }, /has 28 tensors, and config\.json wants 1000000000 layers/],
      [{ n_layer: 3 }, /has no parameter transformer\.h\.2\./],
    ] as const) {
      writeFileSync(path, JSON.stringify({ ...json, ...change }));
      expectError(folder, message);
    }
  });

  test("an unknown tensor is asked for", () => {
    expect(() => openWeights(sharded()).check("x")).toThrow(/no shard of .* has a tensor x/);
  });
});
