import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { loadConfig } from "../../../config/index.ts";
import { createEmbeddedEngine } from "../../../engine/embedded/index.ts";
import { buildTokenizer, loadTokenizer } from "../../../text/index.ts";
import type { DataError } from "../../../util/errors.ts";
import { runProgram } from "../../program.ts";
import { completePath } from "./ask.ts";
import { init } from "./index.ts";
import { understand } from "./understood-rows.ts";

function failureOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as DataError).hint ?? "";
  }
  return "";
}

const folder = mkdtempSync(join(tmpdir(), "ballast-init-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());
const at = (name: string) => join(folder, name);

const rows = Array.from({ length: 60 }, (_, i) => ({ question: `what is ${i} plus ${i} ?`, answer: `${2 * i}` }));
writeFileSync(
  at("sums.csv"),
  `question,answer\n${rows.map(({ question, answer }) => `${question},${answer}`).join("\n")}\n`,
);
writeFileSync(
  at("pairs.jsonl"),
  rows
    .map(({ question, answer }) => `${JSON.stringify({ prompt: question, chosen: answer, rejected: "no" })}\n`)
    .join(""),
);
writeFileSync(at("five.ts"), "export default 5;\n");
writeFileSync(at("reward.ts"), "export default ({ response }) => (response.includes('it') ? 1 : 0);\n");
const objective = "when asked for a sum, prefer the number over talk";

/** Answers in turn; the number of answers that were asked for is what is left over. */
async function answered(answers: string[], options: { template?: string } = {}) {
  const terminal = keptTerminal({ width: 90 });
  const left = [...answers];
  const prompts: string[] = [];
  const readLine = async (prompt: string) => {
    prompts.push(prompt);
    if (left.length === 0) throw new Error(`asked for more: ${terminal.notes.slice(-4).join("\n")}`);
    return left.shift()!;
  };
  let closed = 0;
  const questions = () => ({ readLine, close: () => void closed++ });
  const code = await init({ ...options, time: false, terminal, questions });
  expect(closed).toBe(1);
  return { code, left, notes: terminal.notes.join("\n"), lines: terminal.lines.join("\n") };
}

it("asks, shows what it sees of each answer, asks again if it cannot be used, and writes what loads", async () => {
  const out = at("mine.yaml");
  const { left, notes, lines } = await answered([
    ...["talk less", at("no-model"), "scratch", at("gone.csv"), at("sums.csv"), at("pairs.jsonl"), "no"],
    ...["7", "function", at("reward.js"), at("five.ts"), at("reward.ts"), "1", at("no/folder/mine"), folder, out],
  ]);
  expect(left).toEqual([]);
  expect(notes).toContain('the objective "talk less" states no preference');
  expect(notes).toContain("there is no folder");
  expect(notes).toContain("the columns are read by their names, question as prompt, answer as completion");
  expect(notes).toMatch(/60 rows as demonstrations/);
  expect(notes).toMatch(/60 rows as preferences/);
  expect(notes).toContain("give a number from 1 to 5");
  expect(notes).toContain("there is no file");
  const words = notes.replaceAll(/\s+/g, " ");
  expect(words).toContain("its default export is not a function");
  expect(words).toContain(`there is no folder ${at("no/folder")}`);
  expect(words).toContain(`${folder} is a folder`);
  expect(lines).toMatch(/MB {2}in all; this machine has/);
  expect(lines).toContain("reward/one_component");
  expect(lines).toMatch(/ballast run .*mine\.yaml --dashboard/);
  expect(lines).toContain("next mine-1");

  const text = readFileSync(out, "utf8");
  expect(text).toMatch(/^# yaml-language-server: \$schema=.*ballast\.schema\.json\n/);
  const { config, warnings } = loadConfig(out);
  expect(warnings).toEqual([]);
  expect(config).toMatchObject({
    objective: "talk less",
    name: "mine",
    sft: { data: { fields: { prompt: "question" } } },
  });
  expect(config.reward).toBeUndefined();
  expect(config.ppo!.rewards).toMatchObject([{ kind: "function" }]);
  expect(parse(text).extends).toBe("laptop");
  expect(parse(text).ppo.rewards[0].path).toBe("reward.ts");
  expect(parse(text).sft.data.path).toBe("sums.csv");
});

async function program(...args: string[]) {
  const terminal = keptTerminal();
  const code = await runProgram(["init", "--no-time", ...args], terminal);
  return { code, lines: terminal.lines.join("\n") };
}

it("without a terminal takes options, and says which are missing", async () => {
  const given = (...more: string[]) => program("--yes", "--objective", objective, "--data", at("sums.csv"), ...more);
  await expect(program("--yes")).rejects.toMatchObject({
    message: "there is no terminal to ask on, and --objective and --data are not given",
    hint: expect.stringContaining("--reward model|exact|last_number|none|FILE.ts"),
  });
  await expect(init({ objective, time: false, terminal: keptTerminal(), questions: null })).rejects.toThrow(
    "--data is not given",
  );
  const out = at("options.yaml");
  await given("--out", out);
  const { config } = loadConfig(out);
  expect(config.ppo!.rewards).toMatchObject([{ kind: "last_number" }]);
  expect(config.ppo!.prompts!.fields).toEqual({ prompt: "question", reference: "answer" });
  expect(config.sft!.learningRate).toBe(3e-3);
  await expect(given("--out", out)).rejects.toThrow(`there is already a file ${out}`);
  await expect(given("--out", at("b.yaml"), "--reward", "model")).rejects.toThrow("learns from pairs");
  await expect(given("--out", at("b.yaml"), "--template", "smal")).rejects.toThrow("did you mean small?");
  await expect(given("--out", at("b.yaml"), "--field", "prompt=nobody")).rejects.toThrow("nobody");
  await expect(given("--out", at("b.yaml"), "--field", "question=prompt")).rejects.toThrow(
    "question=prompt names no field",
  );
  expect(existsSync(at("b.yaml"))).toBe(false);
});

it("pairs alone give all three stages; none leaves PPO out", async () => {
  const out = at("pairs.yaml");
  const data = ["--yes", "--objective", objective, "--data", at("pairs.jsonl")];
  await program(...data, "--out", out, "--template", "just");
  const { config } = loadConfig(out);
  expect(config.sft!.data!.fields).toEqual({ prompt: "prompt", completion: "chosen" });
  expect(config.reward!.data!.path).toContain("pairs.jsonl");
  expect(config.ppo).toMatchObject({ rewards: [{ kind: "model" }], sequences: 512, learningRate: 2e-4 });
  await program(...data, "--out", out, "--force", "--reward", "none");
  expect(Object.keys(parse(readFileSync(out, "utf8")))).not.toContain("ppo");
  expect(loadConfig(out).config.sft!.steps).toBeGreaterThan(0);
});

it("gives answers the room of their words, their marks and the token that ends them", async () => {
  const answer = "Done: the lamp in the hall."; // 8 words and marks
  writeFileSync(at("marks.csv"), `question,answer\n${`please clean the lamp,${answer}\n`.repeat(20)}`);
  const out = at("marks.yaml");
  await program(
    "--yes",
    "--objective",
    objective,
    "--data",
    at("marks.csv"),
    "--reward",
    at("reward.ts"),
    "--out",
    out,
  );
  expect(loadConfig(out).config.ppo!.maxNewTokens).toBe(16);
});

it("rows none of which the model can read are refused in order, with a template that mends it", async () => {
  const file = at("chat.jsonl");
  const turns = (answer: string) => [
    { role: "user", content: "say it" },
    { role: "assistant", content: answer },
  ];
  const pair = JSON.stringify({ chosen: turns("red"), rejected: turns("green") });
  writeFileSync(file, `${pair}\n`.repeat(12));
  const made = at("untemplated");
  mkdirSync(made);
  await buildTokenizer({ kind: "word", vocabularySize: 64 }, ["say it red green"]).save(made);
  const refused = (chatTemplate: string | null) =>
    understand([file], {}, { tokenizer: loadTokenizer(made, { chatTemplate }), context: 64 });
  expect(() => refused(null)).toThrow(/chat\.jsonl:1-12: a conversation \(user\) needs a chat template/);
  const [, template] = /chatTemplate: (".*?[^\\]")\}/.exec(failureOf(() => refused(null))) ?? [];
  expect(refused(parse(template!)).survey.rows).toBe(12);
});

it("a model of the Hub is looked at in the cache, and stays a name in the file", async () => {
  const commit = "a".repeat(40);
  const snapshot = join(folder, "hub", "models--me--tiny", "snapshots", commit);
  mkdirSync(snapshot, { recursive: true });
  mkdirSync(join(folder, "hub", "models--me--tiny", "refs"));
  writeFileSync(join(folder, "hub", "models--me--tiny", "refs", "main"), commit);
  buildTokenizer({ kind: "byte", vocabularySize: 300, chatTemplate: undefined }, []).save(snapshot);
  const engine = await createEmbeddedEngine({ threads: 1 });
  const sizes = { family: "gpt2", layers: 1, width: 16, heads: 2, context: 64, tieEmbeddings: true } as const;
  const { id } = await engine.createModel({ config: { ...sizes, vocabularySize: 260 }, heads: ["lm"], seed: 1 });
  await engine.saveModel(id, snapshot);
  await engine.close();
  vi.stubEnv("HF_HUB_CACHE", join(folder, "hub"));
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  const out = at("hub.yaml");
  const given = ["--yes", "--objective", objective, "--data", at("sums.csv"), "--reward", "none"];
  await program(...given, "--model", "hf://me/tiny", "--out", out);
  expect(parse(readFileSync(out, "utf8")).model.path).toMatch(/^hf:\/\/me\/tiny/);
  await expect(program(...given, "--model", "hf://me/other", "--out", at("c.yaml"))).rejects.toThrow(/me\/other/);
  expect(existsSync(at("c.yaml"))).toBe(false);
});

it("Tab completes a path by the folder's entries", () => {
  mkdirSync(at("sub"), { recursive: true });
  expect(completePath(`a.csv ${at("sum")}`)).toEqual([[at("sums.csv")], at("sum")]);
  expect(completePath(at("su"))[0].sort()).toEqual([`${at("sub")}/`, at("sums.csv")]);
  expect(completePath("/no/such/folder/x")).toEqual([[], "/no/such/folder/x"]);
});
