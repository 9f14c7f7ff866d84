/** Configurations of published models, as they are published, and every option that is refused by name. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { familyCases, writeCase } from "../../test/support/family-fixtures.ts";
import { temporaryFolder } from "../../test/support/gpt2.ts";
import { families, parameterSpecs } from "./family.ts";
import { inspectModelFolder, readModelConfig } from "./hf-folder.ts";

type Json = Readonly<Record<string, unknown>>;

function read(json: Json) {
  const folder = mkdtempSync(join(temporaryFolder(), "model-"));
  writeFileSync(join(folder, "config.json"), JSON.stringify(json));
  return readModelConfig(folder);
}

const llama = {
  model_type: "llama",
  ...{ vocab_size: 32000, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 4 },
  max_position_embeddings: 128,
};
const of = (model_type: string, change: Json = {}): Json => ({ ...llama, model_type, ...change });

describe("published configurations", () => {
  test("SmolLM-135M", () => {
    const json = {
      ...{ architectures: ["LlamaForCausalLM"], attention_bias: false, attention_dropout: 0.0, bos_token_id: 0 },
      ...{ eos_token_id: 0, hidden_act: "silu", hidden_size: 576, initializer_range: 0.02, intermediate_size: 1536 },
      ...{ max_position_embeddings: 2048, mlp_bias: false, model_type: "llama", num_attention_heads: 9 },
      ...{ num_hidden_layers: 30, num_key_value_heads: 3, pretraining_tp: 1, rms_norm_eps: 1e-5, rope_scaling: null },
      ...{ rope_theta: 10000.0, tie_word_embeddings: true, torch_dtype: "float32", transformers_version: "4.42.3" },
      ...{ use_cache: true, vocab_size: 49152, is_llama_config: true, rope_interleaved: false },
    };
    expect(read(json)).toEqual({
      ...{ family: "llama", vocabularySize: 49152, context: 2048, width: 576, layers: 30, heads: 9, kvHeads: 3 },
      ...{ headDim: 64, innerWidth: 1536, tieEmbeddings: true },
      options: {
        ...{ hidden_act: "silu", rms_norm_eps: 1e-5, attention_bias: false, mlp_bias: false },
        rope_parameters: { rope_type: "default", rope_theta: 10000 },
      },
    });
  });

  test("Llama 3.2 1B", () => {
    const scaling = {
      ...{ factor: 32.0, high_freq_factor: 4.0, low_freq_factor: 1.0, original_max_position_embeddings: 8192 },
      rope_type: "llama3",
    };
    const json = {
      ...{ model_type: "llama", attention_bias: false, head_dim: 64, hidden_act: "silu", hidden_size: 2048 },
      ...{ intermediate_size: 8192, max_position_embeddings: 131072, mlp_bias: false, num_attention_heads: 32 },
      ...{
        num_hidden_layers: 16,
        num_key_value_heads: 8,
        pretraining_tp: 1,
        rms_norm_eps: 1e-5,
        rope_scaling: scaling,
      },
      ...{ rope_theta: 500000.0, tie_word_embeddings: true, torch_dtype: "bfloat16", vocab_size: 128256 },
      eos_token_id: [128001, 128008, 128009],
    };
    expect(read(json).options?.rope_parameters).toEqual({ ...scaling, rope_theta: 500000 });
  });

  test("Qwen2.5 0.5B and Qwen3 0.6B, whose windows are off", () => {
    const qwen2 = read({
      ...{ model_type: "qwen2", attention_dropout: 0.0, hidden_act: "silu", hidden_size: 896, intermediate_size: 4864 },
      ...{ max_position_embeddings: 32768, max_window_layers: 24, num_attention_heads: 14, num_hidden_layers: 24 },
      ...{ num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 1000000.0, sliding_window: 32768 },
      ...{ tie_word_embeddings: true, use_mrope: false, use_sliding_window: false, vocab_size: 151936 },
    });
    expect(qwen2).toMatchObject({ family: "qwen2", headDim: 64, kvHeads: 2, options: { sliding_window: null } });
    const qwen3 = read({
      ...{ model_type: "qwen3", attention_bias: false, head_dim: 128, hidden_act: "silu", hidden_size: 1024 },
      ...{ intermediate_size: 3072, max_position_embeddings: 40960, max_window_layers: 28, num_attention_heads: 16 },
      ...{ num_hidden_layers: 28, num_key_value_heads: 8, rms_norm_eps: 1e-6, rope_scaling: null, rope_theta: 1000000 },
      ...{ sliding_window: null, tie_word_embeddings: true, use_sliding_window: false, vocab_size: 151936 },
    });
    expect(qwen3).toMatchObject({ family: "qwen3", headDim: 128, kvHeads: 8, width: 1024 });
  });

  test("Gemma 3 1B", () => {
    const config = read({
      ...{ architectures: ["Gemma3ForCausalLM"], attention_bias: false, attn_logit_softcapping: null, head_dim: 256 },
      ...{ cache_implementation: "hybrid", final_logit_softcapping: null, hidden_activation: "gelu_pytorch_tanh" },
      ...{ hidden_size: 1152, intermediate_size: 6912, max_position_embeddings: 32768, model_type: "gemma3_text" },
      ...{ num_attention_heads: 4, num_hidden_layers: 26, num_key_value_heads: 1, query_pre_attn_scalar: 256 },
      ...{ rms_norm_eps: 1e-6, rope_local_base_freq: 10000, rope_scaling: null, rope_theta: 1000000 },
      ...{ sliding_window: 512, sliding_window_pattern: 6, vocab_size: 262144 },
    });
    const { layer_types, rope_parameters } = config.options as { layer_types: string[]; rope_parameters: unknown };
    expect(layer_types.flatMap((type, i) => (type === "full_attention" ? [i] : []))).toEqual([5, 11, 17, 23]);
    expect(rope_parameters).toEqual({
      full_attention: { rope_type: "default", rope_theta: 1000000 },
      sliding_attention: { rope_type: "default", rope_theta: 10000 },
    });
    expect(config).toMatchObject({ tieEmbeddings: true, kvHeads: 1, headDim: 256, options: { sliding_window: 512 } });
  });

  test("Pythia 70M, and Mistral 7B v0.3, which has no window", () => {
    const pythia = read({
      ...{ architectures: ["GPTNeoXForCausalLM"], bos_token_id: 0, eos_token_id: 0, hidden_act: "gelu" },
      ...{ hidden_size: 512, initializer_range: 0.02, intermediate_size: 2048, layer_norm_eps: 1e-5 },
      ...{ max_position_embeddings: 2048, model_type: "gpt_neox", num_attention_heads: 8, num_hidden_layers: 6 },
      ...{ rotary_emb_base: 10000, rotary_pct: 0.25, tie_word_embeddings: false, torch_dtype: "float16" },
      ...{ use_cache: true, use_parallel_residual: true, vocab_size: 50304 },
    });
    expect(pythia.options?.rope_parameters).toEqual({
      ...{ rope_type: "default", rope_theta: 10000, partial_rotary_factor: 0.25 },
    });
    const mistral = read({
      ...{ attention_dropout: 0.0, hidden_act: "silu", hidden_size: 4096, intermediate_size: 14336 },
      ...{ max_position_embeddings: 32768, model_type: "mistral", num_attention_heads: 32, num_hidden_layers: 32 },
      ...{ num_key_value_heads: 8, rms_norm_eps: 1e-5, rope_theta: 1000000.0, sliding_window: null },
      ...{ tie_word_embeddings: false, vocab_size: 32768 },
    });
    expect(mistral).toMatchObject({ family: "mistral", headDim: 128, innerWidth: 14336 });
  });
});

test("of both spellings, rope_parameters counts", () => {
  const both = {
    rope_parameters: { rope_type: "linear", rope_theta: 7, factor: 2 },
    rope_theta: 9,
    rope_scaling: { rope_type: "linear", factor: 3 },
  };
  expect(read({ ...llama, ...both }).options?.rope_parameters).toEqual(both.rope_parameters);
  const { rope_parameters: _, ...older } = both;
  expect(read({ ...llama, ...older }).options?.rope_parameters).toEqual({
    rope_type: "linear",
    rope_theta: 9,
    factor: 3,
  });
  // As in transformers, an empty object says nothing.
  expect(read({ ...llama, ...both, rope_parameters: {} })).toEqual(read({ ...llama, ...older }));
  const gemma = { rope_scaling: { rope_type: "linear", factor: 3 } };
  expect(read(of("gemma3_text", { ...gemma, rope_parameters: {} }))).toEqual(read(of("gemma3_text", gemma)));
  const mixed = { ...both, rope_parameters: { rope_type: "default" } };
  expect(read({ ...llama, ...mixed }).options?.rope_parameters).toEqual({ rope_type: "default", rope_theta: 9 });
});

test("a yarn's factor may follow from the two contexts, and its context from the file", () => {
  const yarn = { rope_type: "yarn", rope_theta: 10, factor: null, original_max_position_embeddings: 32 };
  expect(read({ ...llama, rope_parameters: yarn }).options?.rope_parameters).toMatchObject({ factor: 4 });
  const outside = { ...llama, rope_scaling: { type: "yarn", factor: 2 }, original_max_position_embeddings: 64 };
  expect(read(outside).options?.rope_parameters).toMatchObject({ factor: 2, original_max_position_embeddings: 64 });
});

const scaling = (rope_scaling: Json): Json => of("llama", { rope_scaling });
const dependent = /frequencies depend on the length that is read/;

test.each<[string, Json, RegExp]>([
  ["dynamic scaling", scaling({ rope_type: "dynamic", factor: 2 }), dependent],
  ["dynamic scaling, newer spelling", of("qwen3", { rope_parameters: { rope_type: "dynamic" } }), dependent],
  ["longrope", scaling({ type: "longrope", short_factor: [1], long_factor: [1] }), dependent],
  [
    "an unknown scaling",
    scaling({ rope_type: "proportional" }),
    /rope_scaling has the type "proportional"; only default/,
  ],
  ["multimodal positions", scaling({ type: "mrope", mrope_section: [2, 3, 3] }), /the type "mrope"/],
  ["sections of positions", scaling({ type: "default", mrope_section: [2, 3, 3] }), /mrope_section is not part of/],
  ["a factor that is no number", scaling({ type: "linear", factor: "2" }), /rope_scaling.factor must be a positive/],
  ["a scaling that is text", of("llama", { rope_scaling: "linear" }), /rope_scaling must be an object, found "linear"/],
  ["a scaling that is a list", of("gpt_neox", { rope_scaling: [2] }), /rope_scaling must be an object, found \[2\]/],
  ["parameters that are text", of("llama", { rope_parameters: "linear" }), /rope_parameters must be an object/],
  ["a missing factor", scaling({ type: "linear" }), /rope_scaling.factor must be a positive number, found null/],
  ["a factor below 1", scaling({ type: "linear", factor: 0.5 }), /factor is 0.5; it must be at least 1/],
  ["part of each head rotated", of("llama", { partial_rotary_factor: 0.5 }), /partial_rotary_factor is 0.5/],
  ["rotation of neighbours", of("llama", { rope_interleaved: true }), /rope_interleaved is true/],
  ["another activation", of("llama", { hidden_act: "relu2" }), /hidden_act is "relu2"; only silu, /],
  ["split weights", of("llama", { pretraining_tp: 2 }), /pretraining_tp is 2; only 1/],
  ["a window of Llama's", of("llama", { sliding_window: 64 }), /sliding_window is 64; only null/],
  ["sliding layers of Llama's", of("llama", { layer_types: Array(4).fill("sliding_attention") }), /no sliding layers/],
  [
    "a number of layer types",
    of("qwen2", { layer_types: ["full_attention"] }),
    /layer_types must be a list of 4 types/,
  ],
  ["linear attention", of("qwen3", { layer_types: Array(4).fill("linear_attention") }), /layer_types has "linear_att/],
  [
    "sliding layers with windows off",
    of("qwen2", { layer_types: Array(4).fill("sliding_attention") }),
    /use_sliding_window is off/,
  ],
  ["biases that Mistral lacks", of("mistral", { attention_bias: true }), /attention_bias is true/],
  ["capped logits", of("gemma3_text", { final_logit_softcapping: 30 }), /final_logit_softcapping is 30; only null/],
  ["capped scores", of("gemma3_text", { attn_logit_softcapping: 50 }), /attn_logit_softcapping is 50; only null/],
  ["sight of the future", of("gemma3_text", { use_bidirectional_attention: true }), /use_bidirectional_attention/],
  ["no cause", of("llama", { is_causal: false }), /is_causal is false/],
  ["one entry for two types", of("gemma3_text", { rope_parameters: { rope_theta: 5 } }), /no entries by type of layer/],
  [
    "what transformers ignores",
    of("gemma3_text", {
      rope_parameters: { full_attention: { rope_type: "yarn", factor: 2, truncate: false } },
    }),
    /rope_parameters.full_attention.truncate is false; transformers ignores it/,
  ],
  ["heads of another width", of("gpt_neox", { head_dim: 8 }), /head_dim is 8; only 16/],
  ["another family's base", of("gpt_neox", { rope_theta: 5 }), /rope_theta is 5; only 10000/],
  ["a share above 1", of("gpt_neox", { rotary_pct: 1.5 }), /rotary_pct is 1.5; it must be at most 1/],
  ["nothing to rotate", of("gpt_neox", { rotary_pct: 0.01 }), /leaves nothing to rotate/],
  ["an odd head", of("llama", { head_dim: 7 }), /head_dim 7 is odd/],
  [
    "heads that cannot be shared",
    of("llama", { num_key_value_heads: 3 }),
    /4 is not divisible by num_key_value_heads 3/,
  ],
  ["a width that heads do not divide", of("llama", { num_attention_heads: 3 }), /hidden_size 64 is not divisible/],
  ["a truth value that is text", of("llama", { mlp_bias: "no" }), /mlp_bias must be true or false, found "no"/],
  [
    "quantised weights",
    of("llama", { quantization_config: { bits: 4 } }),
    /weights are quantised \(quantization_config/,
  ],
  [
    "code of its own",
    of("llama", { auto_map: { AutoModel: "m.Model" } }),
    /wants Python code of its own to be run \(auto_map: \{"AutoModel":"m.Model"\}\), and Ballast runs none/,
  ],
  [
    "code of its own, and a family of its own",
    of("mine", { auto_map: { AutoModel: "m.Model" } }),
    /wants Python code of its own/,
  ],
  [
    "layers that differ",
    of("llama", { per_layer_config: { 0: { head_dim: 2 } } }),
    /per_layer_config is not supported/,
  ],
  ["more layers than any model", of("qwen2", { num_hidden_layers: 10 ** 12 }), /1000000000000 layers is too large/],
  ["another architecture", of("mixtral"), /model_type is "mixtral"; only gpt2, .*gpt_neox are supported/],
])("refused by name: %s", (_, json, message) => {
  expect(() => read(json)).toThrow(message);
});

test("a model of text and images is refused with the way to its text model, if that could be read", () => {
  const text = of("gemma3_text", { num_key_value_heads: 4 });
  const hintOf = (json: Json) => {
    try {
      read(json);
    } catch (error) {
      return (error as { hint?: string }).hint;
    }
    return "read";
  };
  const gemma = hintOf({ model_type: "gemma3", text_config: text, vision_config: {} });
  expect(gemma).toContain("Save its text model, a gemma3_text, in a folder of its own");
  expect(gemma).toContain("t.model = m.model.language_model");
  expect(hintOf({ model_type: "mistral3", text_config: of("mistral") })).toContain("Only its text model, a mistral,");
  expect(hintOf({ model_type: "llava", text_config: of("phi") })).toBeUndefined();
});

test("Mistral reads as many tokens as its window holds, and its file keeps both numbers", () => {
  const windowed = of("mistral", { sliding_window: 100, num_key_value_heads: 2 });
  const config = read(windowed);
  expect(config.context).toBe(100);
  const written = families.mistral.huggingFace.write(config);
  expect(written).toMatchObject({ sliding_window: 100, max_position_embeddings: 128 });
  expect(read({ ...written, model_type: "mistral" })).toEqual(config);
  // The class's window, if the file says nothing of one.
  const long = of("mistral", { max_position_embeddings: 32768, num_key_value_heads: 2 });
  expect([read(long).context, read({ ...long, sliding_window: null }).context]).toEqual([4096, 32768]);
  expect(read(of("mistral", { num_key_value_heads: 2, sliding_window: 128 }))).toMatchObject({
    context: 128,
    options: { sliding_window: 128 },
  });
});

test("GPT-2's n_inner is the width inside its MLP, and its embeddings are tied unless the file says no", () => {
  const gpt2 = { model_type: "gpt2", vocab_size: 23, n_positions: 12, n_embd: 8, n_layer: 1, n_head: 2 };
  expect([read(gpt2).innerWidth, read({ ...gpt2, n_inner: 32 }).innerWidth]).toEqual([undefined, undefined]);
  const narrow = read({ ...gpt2, n_inner: 24 });
  expect(families.gpt2.huggingFace.write(narrow)).toMatchObject({ n_inner: 24 });
  const shapes = Object.fromEntries(parameterSpecs(narrow, ["lm"]).map(({ name, shape }) => [name, shape]));
  expect(shapes["transformer.h.0.mlp.c_fc.weight"]).toEqual([8, 24]);
  expect(() => read({ ...gpt2, n_inner: 0 })).toThrow("n_inner must be a positive integer, found 0");
  expect([{}, { tie_word_embeddings: null }].map((tied) => read({ ...gpt2, ...tied }).tieEmbeddings)).toEqual([
    true,
    true,
  ]);
  expect(() => read({ ...gpt2, tie_word_embeddings: "false" })).toThrow(/tie_word_embeddings must be true or false/);
});

test("what is refused would be read without that", () => {
  for (const family of ["llama", "qwen2", "qwen3", "gemma3_text", "gpt_neox"])
    expect(read(of(family, { num_key_value_heads: 4 })).family).toBe(family);
  expect(read(of("mistral", { num_key_value_heads: 2, sliding_window: 128 })).family).toBe("mistral");
});

describe("tensors of which config.json knows nothing", () => {
  const one = familyCases.find(({ title }) => title.startsWith("llama: grouped"))!;
  const withTensor = (name: string, config: Json = {}) => {
    const parameters = new Map([...one.parameters, [name, { shape: [2], data: new Float32Array(2) }]]);
    return writeCase({ ...one, parameters }, { ...one.config, ...config });
  };

  test("are refused in blocks: biases, norms, more layers", () => {
    for (const name of ["0.self_attn.q_proj.bias", "1.self_attn.q_norm.weight", "2.input_layernorm.weight"])
      expect(() => inspectModelFolder(withTensor(`model.layers.${name}`))).toThrow(
        `has model.layers.${name}, for which the model of config.json has no place`,
      );
    expect(() => inspectModelFolder(withTensor("v_head.summary.bias", { num_hidden_layers: 1 }))).toThrow(
      /has model\.layers\.1\.\S+ and 8 more such tensors/,
    );
  });

  test("are refused outside of blocks: biases of the head and of the last norm, what no class has", () => {
    for (const name of ["lm_head.bias", "model.norm.bias", "model.embed_positions.weight", "extra"])
      expect(() => inspectModelFolder(withTensor(name))).toThrow(`has ${name}, for which the model of config.json`);
  });

  test("are left alone if nothing that the model computes depends on them, as in older files", () => {
    const frequencies = "rotary_emb.inv_freq";
    for (const name of [`model.layers.0.self_attn.${frequencies}`, `model.${frequencies}`, "v_head.summary.weight"])
      expect(inspectModelFolder(withTensor(name)).heads).toEqual(["lm"]);
    // A classifier may have kept the head with which it was a language model.
    const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
    const parameters = new Map(one.parameters)
      .set("score.weight", zeros(1, Number(one.config.hidden_size)))
      .set("lm_head.bias", zeros(2));
    expect(inspectModelFolder(writeCase({ ...one, parameters }, one.config)).heads).toEqual(["scalar"]);
  });
});
