/** `ballast tokenizer train`, and a run whose configuration asks for byte-level BPE. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { loadTokenizer } from "../../../text/index.ts";
import { runProgram } from "../../program.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-tokenizer-command-"));
afterAll(() => rmSync(folder, { recursive: true }));
const rows = join(folder, "rows.jsonl");
const words = ["open the file", "close the file", "open the other file", "read the other file"];
writeFileSync(rows, words.map((prompt) => JSON.stringify({ prompt, completion: `${prompt} now` })).join("\n"));

async function ballast(...args: string[]) {
  const terminal = keptTerminal();
  const code = await runProgram(args, terminal);
  return { code, out: terminal.lines.join("\n"), notes: terminal.notes.join("\n") };
}

it("writes a folder from rows, says how well it compresses, and never overwrites", async () => {
  const output = join(folder, "made");
  const template = join(folder, "chat.jinja");
  writeFileSync(template, "{% for m in messages %}<user>{{ m.content }}<tool>{% endfor %}");
  const args = ["tokenizer", "train", rows, "--vocab", "284", "--special", "<tool>", "--chat-template", template];
  const { code, out, notes } = await ballast(...args, "--output", output);
  expect(code).toBe(0);
  expect(out).toMatch(/^284 tokens from 8 texts in .*\na token is [2-9]\.\d+ bytes of these texts$/);
  expect(notes).toContain("tokenizer: {kind: file, path:");
  const tokenizer = loadTokenizer(output);
  expect(tokenizer.decode(tokenizer.encode("the file"))).toBe("the file");
  expect(tokenizer.encode("open the file").length).toBeLessThan(8);
  expect(tokenizer.encodePrompt([{ role: "user", content: "x" }]).at(-1)).toBe(6);
  await expect(ballast(...args, "--output", output)).rejects.toThrow("exists already");
  const again = join(folder, "again");
  await ballast(...args, "--output", again);
  expect(readFileSync(join(again, "tokenizer.json"))).toEqual(readFileSync(join(output, "tokenizer.json")));
  const csv = join(folder, "asked.csv");
  writeFileSync(csv, "question,answer\nopen it,done\n");
  await expect(
    ballast("tokenizer", "train", csv, "--vocab", "300", "--output", join(folder, "c")),
  ).rejects.toMatchObject({
    hint: expect.stringContaining("here: --field prompt=question --field completion=answer"),
  });
  const few = await ballast("tokenizer", "train", rows, "--vocab", "5000", "--output", join(folder, "few"));
  expect(few.notes).toMatch(/no pair of tokens occurs 2 times any more: \d+ of the 5000 tokens were made/);
});

it("refuses a chat template that leaves the message out, and writes nothing", async () => {
  const template = join(folder, "empty.jinja");
  writeFileSync(template, "{% for m in message %}{{ m.content }}{% endfor %}answer:");
  const output = join(folder, "refused");
  const args = ["tokenizer", "train", rows, "--vocab", "284", "--chat-template", template, "--output", output];
  await expect(ballast(...args)).rejects.toThrow('leaves a user\'s message out: it renders "a question" as "answer:"');
  expect(existsSync(output)).toBe(false);
});

it("trains a model from scratch on it: tokenizer.kind bpe, with the size that the file gives", async () => {
  const yaml = join(folder, "run.yaml");
  writeFileSync(
    yaml,
    "model: {layers: 1, width: 16, heads: 2, context: 32}\ntokenizer: {kind: bpe, vocabularySize: 280}\nsft: {steps: 1, batchSize: 2, data: {path: rows.jsonl}}\n",
  );
  const workspace = join(folder, "runs");
  expect((await ballast("run", yaml, `workspace=${workspace}`, "threads=1")).code).toBe(0);
  const { model } = JSON.parse(readFileSync(join(workspace, "run-1", "tokenizer", "tokenizer.json"), "utf8"));
  expect(Object.keys(model.vocab)).toHaveLength(280);
  expect(model.merges).toHaveLength(280 - 262);
  const config = JSON.parse(readFileSync(join(workspace, "run-1", "sft", "final", "config.json"), "utf8"));
  expect(config.vocab_size).toBe(280);
});
