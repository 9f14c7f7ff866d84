/** The folder that examples/smollm/make.ts writes by default has the published sizes of SmolLM-135M, and answers. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { ballast } from "./ballast.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ballast-smollm-full-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("134,515,008 parameters in bf16", async () => {
  const args = ["--import", import.meta.resolve("tsx"), join(root, "examples/smollm/make.ts"), "random"];
  const env = { ...process.env, TSX_TSCONFIG_PATH: join(root, "tsconfig.json") };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (data) => {
    out += data;
  });
  expect(await once(child, "close")).toEqual([0, null]);
  expect(out).toContain("134,515,008 random parameters");
  const written = await ballast(folder, "export", "random", "--format", "model", "--dtype", "bf16", "--out", "base");
  expect(written.code, written.stderr).toBe(0);
  // HuggingFaceTB/SmolLM-135M's config.json.
  expect(JSON.parse(readFileSync(join(folder, "base", "config.json"), "utf8"))).toMatchObject({
    ...{ architectures: ["LlamaForCausalLM"], hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30 },
    ...{ num_attention_heads: 9, num_key_value_heads: 3, vocab_size: 49_152, max_position_embeddings: 2048 },
    ...{
      rope_theta: 10_000,
      rms_norm_eps: 1e-5,
      tie_word_embeddings: true,
      hidden_act: "silu",
      torch_dtype: "bfloat16",
    },
  });
  const answer = await ballast(folder, "generate", "base", "what is 2 plus 3?", "--max-tokens", "4");
  expect(answer.code, answer.stderr).toBe(0);
  expect(answer.stdout).not.toBe("");
}, 600_000);
