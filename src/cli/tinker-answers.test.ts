/** Models of a run on a Tinker server answer there: in `generate`, in a chat, on the page. Without the server each says so in one sentence. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { FakeTinker } from "../../test/support/fake-tinker.ts";
import { sizes, temporaryFolder, tokenizer } from "../../test/support/stage.ts";
import { keptTerminal } from "../../test/support/terminal.ts";
import { workspaceWithRun } from "../../test/support/workspace.ts";
import { createTinkerEngine } from "../engine/tinker/index.ts";
import { writeModelConfig } from "../models/hf-folder.ts";
import { writeFolder } from "../trainer/atomic-folder.ts";
import { saveModelFolder } from "../trainer/model-folder.ts";
import type { ReplyLine } from "../types/playground-page.ts";
import { type ChatOptions, chat } from "./commands/chat/index.ts";
import { type GenerateOptions, generate } from "./commands/generate/index.ts";
import { createPlayground } from "./commands/serve/playground.ts";

let server: FakeTinker;
let run: string;
let workspace: string;
/** A run whose policy was trained for a step: after it the base model and the policy differ. */
beforeEach(async () => {
  server = new FakeTinker(sizes);
  const url = await server.start();
  onTestFinished(() => server.stop().catch(() => {}));
  const base = temporaryFolder();
  writeModelConfig(base, { config: sizes, heads: ["lm"] });
  tokenizer.save(base);
  const section = { kind: "tinker", url, model: "tiny", backend: "skyrl-jax" } as const;
  ({ folder: run, workspace } = workspaceWithRun({ engine: section, model: { path: base }, ppo: { policy: base } }));
  const engine = await createTinkerEngine({ ...section, base });
  const { id } = await engine.loadModel(base, { adapter: { rank: 4, alpha: 32 } });
  const prompt = tokenizer.encodePrompt([{ role: "user", content: "a" }]);
  const [b] = tokenizer.encode("b") as [number];
  await engine.forwardBackward(id, {
    name: "cross_entropy",
    sequences: [{ tokens: [...prompt, b, b], start: prompt.length }],
    weights: [[1, 1]],
  });
  const adam = { learningRate: 50, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0, maxGradNorm: null };
  await engine.optimStep(id, adam);
  mkdirSync(join(run, "ppo"), { recursive: true });
  const write = (folder: string) => saveModelFolder({ engine, tokenizer, model: id, folder });
  await writeFolder({ folder: join(run, "ppo", "final"), state: {}, write });
  await engine.close();
});

const sampling = { temperature: 1, topK: 1, topP: 1, maxTokens: 4, seed: 1, threads: 1 };

async function generated(model: string, options: Partial<GenerateOptions> = {}): Promise<readonly string[]> {
  const terminal = keptTerminal();
  await generate({ ...sampling, samples: 1, model, prompts: ["a"], workspace, terminal, ...options });
  return terminal.lines;
}

async function chatted(options: Partial<ChatOptions> = {}) {
  const terminal = keptTerminal();
  async function* typed() {
    yield "a";
  }
  const lines = { typed: false, ready() {}, stopped: () => false, close() {}, [Symbol.asyncIterator]: typed };
  await chat({ ...sampling, target: run, workspace, terminal, lines, ...options });
  return terminal.lines;
}

async function played() {
  const playground = createPlayground({ workspace, threads: 1 });
  onTestFinished(() => playground.close());
  const lines: ReplyLine[] = [];
  const [offered] = playground.offers().models;
  const request = { ...{ temperature: 1, maxTokens: 4, seed: 1 }, messages: [{ role: "user" as const, content: "a" }] };
  await playground.reply(
    { ...request, model: offered!.path },
    (line) => lines.push(line),
    new AbortController().signal,
  );
  return { lines, close: () => playground.close() };
}

test("generate, by the run and by the model's folder", async () => {
  const [text] = await generated(run);
  expect(text).toMatch(/^b b b b/);
  expect(await generated(join(run, "ppo", "final"))).toEqual([text]);
  // Nothing holds a slot of the server any longer.
  expect(server.models.size).toBe(0);
});

test("a chat with the policy before and after PPO, side by side", async () => {
  const [before, after] = await chatted({ model: ["before", "after"] });
  expect(after).toMatch(/^after: b b b b/);
  expect(before).toMatch(/^before: /);
  expect(before!.slice(8)).not.toBe(after!.slice(7));
});

test("while a chat lasts, a signal that ends the process frees its slots first", async () => {
  const before = process.listenerCount("SIGTERM");
  let during = 0;
  const typed = async function* () {
    during = process.listenerCount("SIGTERM");
    yield "a";
  };
  const lines = { typed: false, ready() {}, stopped: () => false, close() {}, [Symbol.asyncIterator]: typed };
  await chatted({ lines });
  expect([during, process.listenerCount("SIGTERM")]).toEqual([before + 1, before]);
  expect(server.models.size).toBe(0);
});

test("the page", async () => {
  const { lines, close } = await played();
  expect(lines.at(-1)).toMatchObject({ kind: "done", text: "b b b b" });
  expect(server.models.size).toBe(1);
  await close();
  expect(server.models.size).toBe(0);
}, 30_000);

test("without the server, or without the state, each says so in one sentence", async () => {
  const reached = /^the server at http:\/\/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)$/;
  await server.stop();
  await expect(generated(run)).rejects.toThrow(reached);
  await expect(chatted()).rejects.toThrow(reached);
  expect((await played()).lines.at(-1)).toMatchObject({ kind: "problem", error: expect.stringMatching(reached) });
}, 40_000);

test("a server that lacks the state says which", async () => {
  server.states.clear();
  await expect(generated(run)).rejects.toThrow(/^the server has no state tinker:/);
});

test("an engine of this machine, or a copy outside the run, cannot load it", async () => {
  await expect(generated(run, { engine: "embedded" })).rejects.toThrow(/a server keeps the model in .*final \(tinker:/);
  const copy = join(temporaryFolder(), "copy");
  cpSync(join(run, "ppo", "final"), copy, { recursive: true });
  await expect(generated(copy)).rejects.toThrow("the folder is in no run that says which");
});
