import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { loadConfig, recordedConfig } from "../../../config/index.ts";
import { examine, unexplained } from "../../../control/doctor/index.ts";
import { createEmbeddedEngine } from "../../../engine/embedded/index.ts";
import { completed } from "../../../run/completed-config.ts";
import { gatherFacts } from "../../../run/doctor-facts.ts";
import { buildTokenizer } from "../../../text/index.ts";
import { doctor } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-doctor-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const prompts = join(folder, "prompts.jsonl");
writeFileSync(
  prompts,
  Array.from(
    { length: 600 },
    (_, i) => `${JSON.stringify({ prompt: `ask ${i} please ${i * i} ?`, reference: "1", kind: `k${i % 4}` })}\n`,
  ).join(""),
);

async function examined(file: string, ...overrides: string[]) {
  const terminal = keptTerminal({ width: 80 });
  const options = { subject: file, overrides, workspace: folder, model: true, terminal };
  const exitCode = await doctor({ ...options, json: true });
  const { findings, unexplained } = JSON.parse(terminal.lines.pop() as string);
  await doctor(options);
  const byId = new Map<string, { severity: string; explained: string | null; what: string }>(
    findings.map((finding: { id: string }) => [finding.id, finding]),
  );
  return { exitCode, byId, unexplained, lines: terminal.lines };
}

function configuration(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const mine = `objective: when asked, prefer brief over long
model: {layers: 2, width: 32, heads: 2, context: 64}
ppo:
  prompts: {path: prompts.jsonl}
  rewards: [{kind: exact}, {kind: length, max: 9}]
  learningRate: 2e-4
  maxNewTokens: 16
`;

describe("shipped examples have no finding that they do not explain", () => {
  const files = readdirSync("examples", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".yaml"));
  it.each(files)("%s", async (file) => {
    // The data of GSM8K is not shipped.
    const data = file.includes("gsm8k/ppo")
      ? [`ppo.prompts.path=${prompts}`, "ppo.prompts.fields={}"]
      : file.includes("gsm8k/sft")
        ? [`sft.data.path=${prompts}`]
        : file.includes("gsm8k/reward")
          ? [`reward.data.path=${prompts}`]
          : [];
    const { byId, exitCode } = await examined(join("examples", file), ...data);
    const left = [...byId.values()].filter(({ severity, explained }) => severity !== "note" && explained === null);
    expect(left).toEqual([]);
    expect(exitCode).toBe(0);
  });
});

it.each([
  ["just", 1.5e9],
  ["small", 2e9],
  ["large", 1e10],
  ["staged", 1.5e9],
  ["laptop", 0.8e6],
  ["gpu24", 3e9],
])("the template %s has no finding that it does not explain, at %d parameters", async (name, parameters) => {
  const own = "model: {path: .}\nevaluation: {prompts: {path: others.jsonl}}\n";
  const file = configuration(`${name}.yaml`, mine.replace(/model: .*\n/, own).replace(/ {2}learningRate.*\n/, ""));
  writeFileSync(join(folder, "others.jsonl"), '{"prompt": "what else is there", "reference": "1"}\n');
  const { config, warnings } = loadConfig(file, [`extends=${name}`]);
  expect(warnings).toEqual([]);
  const { facts } = await gatherFacts({ config, ppo: config.ppo!, tokenBudget: null, measure: false });
  const found = examine({ ...facts, model: { ...facts.model, parameters } });
  expect(unexplained(found)).toEqual([]);
  expect(found.some(({ id }) => id === "batch/corner")).toBe(true);
});

it("a budget of tokens a step is the number of sequences that the findings speak of", async () => {
  const file = configuration("budget.yaml", `${mine}  tokensPerStep: 20000\n`);
  const { config } = loadConfig(file);
  const { facts } = await gatherFacts({ config, ppo: config.ppo!, tokenBudget: null, measure: false });
  expect(facts.ppo.sequences).toBe(Math.floor(20000 / (facts.promptTokens! + 16)));
  expect(facts.tokenBudget).toBe(20000);
});

it("a configuration's own fields: an explanation, the reward's grain, the experiment before it", async () => {
  const file = configuration("mine.yaml", mine);
  // A tenth of the file's prompts is held out for the evaluation, unless all of them train.
  expect((await examined(file)).byId.has("evaluation/is_training")).toBe(false);
  const plain = await examined(file, "ppo.evaluationShare=0");
  expect([...plain.byId.keys()].sort()).toEqual([
    "batch/corner",
    "evaluation/is_training",
    "policy/stops",
    "policy/untrained",
  ]);
  expect(plain.byId.get("policy/stops")?.what).toBe("a response stops at <eos> (1); fine-tuning teaches <eos> (1)");
  expect(plain.byId.get("batch/corner")?.what).toContain("0.036 million parameters");
  expect(plain.exitCode).toBe(0);

  const explained = await examined(file, "doctor.explain={policy/untrained: it is a test}");
  expect(explained.byId.get("policy/untrained")?.explained).toBe("it is a test");
  expect(explained.unexplained).toBe(0);
  expect(explained.lines).toContain("✓ warning, explained  policy/untrained");

  const late = await examined(file, "doctor.grain=late", "ppo.lambda=0.99");
  expect(late.byId.has("credit/lambda_high")).toBe(true);
  expect((await examined(file, "ppo.lambda=0.99")).byId.has("credit/lambda_high")).toBe(false);

  const after = await examined(
    file,
    "experiment={stage: 3, previous: mine.yaml}",
    `experiment.previous=${file}`,
    "ppo.rewards.0.weight=2",
  );
  expect(after.byId.get("experiment/outside_stage")?.what).toContain(
    "reward (ppo.rewards.0.weight) changed in stage 3",
  );
  const allowed = await examined(file, `experiment={stage: 2, previous: ${file}}`, "ppo.rewards.0.weight=2");
  expect(allowed.byId.has("experiment/outside_stage")).toBe(false);
  await expect(examined(file, "experiment={stage: 2, previous: no-such-run}")).rejects.toThrow(
    "there is no run no-such-run",
  );
});

it("loads the policy if it is there, and sees by its answers that it was never trained", async () => {
  const policy = join(folder, "random");
  mkdirSync(policy);
  const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 300, chatTemplate: undefined }, []);
  tokenizer.save(policy);
  const engine = await createEmbeddedEngine({ threads: 1 });
  const sizes = { family: "gpt2", layers: 1, width: 16, heads: 2, context: 64, tieEmbeddings: true } as const;
  const { vocabularySize } = tokenizer;
  const { id } = await engine.createModel({ config: { ...sizes, vocabularySize }, heads: ["lm"], seed: 1 });
  await engine.saveModel(id, policy);
  await engine.close();
  const file = configuration("policy.yaml", mine.replace(/model: .*\n/, "threads: 1\n"));
  const { byId } = await examined(file, `ppo.policy=${policy}`);
  expect(byId.get("policy/untrained")?.what).toMatch(
    /nats of the 5\.5\d of a uniform choice \(measured on 64 samples\)/,
  );
  expect(byId.get("batch/corner")?.what).toContain("0.009 million parameters");

  // The record of a run has the sizes of the model's folder, which the next round's file does not.
  const run = join(folder, "earlier-1");
  mkdirSync(run);
  const { config } = loadConfig(file, [`ppo.policy=${policy}`]);
  writeFileSync(join(run, "config.json"), recordedConfig(completed(config), run));
  const next = configuration(
    "next.yaml",
    "extends: earlier-1/config.json\nexperiment: {stage: 2, previous: earlier-1}\n",
  );
  const after = await examined(next, `workspace=${folder}`);
  expect([...after.byId.keys()].filter((id) => id.startsWith("experiment/"))).toEqual(["experiment/stage"]);
});

it("what is wrong is an error with the exit code 1; every line fits", async () => {
  const { exitCode, byId, lines } = await examined(
    configuration("wrong.yaml", mine),
    "ppo.sequences=8",
    "ppo.prompts.path=gone.jsonl",
  );
  expect(exitCode).toBe(1);
  expect([...byId.entries()].filter(([, { severity }]) => severity === "error").map(([id]) => id)).toEqual([
    "files/missing",
    "batch/tiny_step",
  ]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.at(-1)).toMatch(/^2 errors, 1 warning, 2 notes, 0 explained\.$/);
});

it("rows that the run would stop with are one error, with their lines and what to do", async () => {
  const pairs = join(folder, "unusable.jsonl");
  writeFileSync(pairs, '{"prompt": "a", "chosen": "", "rejected": "b"}\n'.repeat(2));
  const template =
    "{% if messages|length > 1 %}{{ raise_exception('one turn only') }}{% endif %}{{ messages[0].content }}";
  const asked = join(folder, "two-turns.jsonl");
  writeFileSync(
    asked,
    '{"prompt": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], "reference": "1"}\n',
  );
  const file = configuration("rows.yaml", mine);
  const read = await examined(file, `reward.data.path=${pairs}`);
  expect(read.byId.get("rows/unusable")?.what).toMatch(/unusable\.jsonl:1-2: "chosen" is empty$/);
  expect(read.exitCode).toBe(1);
  const encoded = await examined(
    file,
    `evaluation.prompts.path=${asked}`,
    `tokenizer.chatTemplate=${JSON.stringify(template)}`,
  );
  expect(encoded.byId.get("rows/unusable")?.what).toMatch(/two-turns\.jsonl:1: .*one turn only/);
  const policy = await examined(
    file,
    `ppo.prompts.path=${asked}`,
    `tokenizer.chatTemplate=${JSON.stringify(template)}`,
  );
  expect([...policy.byId.keys()]).toContain("rows/unusable");
  expect([...policy.byId.keys()]).not.toContain("files/missing");
  expect(Math.max(...encoded.lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});

it("escape sequences of prompts and explanations do not reach the terminal", async () => {
  const file = configuration("evil.yaml", `${mine}doctor: {explain: {policy/untrained: "\\u001b[2Jgone"}}\n`);
  const { lines } = await examined(file);
  expect(lines.join("\n")).not.toContain("\u001b");
  expect(lines.join("\n")).toContain("because gone");
});

it("says so if there is no PPO, no file and no run", async () => {
  const { lines } = await examined(configuration("sft.yaml", "sft: {}\ndemo: {}\n"));
  expect(lines.at(-1)).toBe("It has no section ppo, and the doctor checks only PPO.");
  expect(existsSync("nowhere.yaml")).toBe(false);
  await expect(examined("nowhere.yaml")).rejects.toThrow("there is no configuration nowhere.yaml");
  await expect(examined("nowhere")).rejects.toThrow("there is no run nowhere");
});
