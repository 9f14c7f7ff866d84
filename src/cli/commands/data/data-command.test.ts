/** `ballast data` on a file and on a configuration: exit codes, names of columns, the page. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { runProgram } from "../../program.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-data-command-"));
afterAll(() => rmSync(folder, { recursive: true }));
const csv = join(folder, "my.csv");
writeFileSync(csv, 'question,answer\nWhat is 2+2?,4\n"<b>bold</b> & more",yes\n');

async function data(...args: string[]): Promise<{ code: number; out: string }> {
  const terminal = keptTerminal();
  const code = await runProgram(["data", ...args], terminal);
  return { code, out: terminal.lines.join("\n") };
}

it("proposes names as it takes them, and shows what they make", async () => {
  await expect(data(csv)).rejects.toMatchObject({
    hint: expect.stringContaining("here: --field prompt=question --field completion=answer"),
  });
  const names = ["--field", "prompt=question", "--field", "completion=answer"];
  const page = join(folder, "page.html");
  const { code, out } = await data(csv, ...names, "--html", page);
  expect(code).toBe(0);
  expect(out).toContain("2 rows as demonstrations");
  expect(out).toContain("user: What is 2+2?");
  const html = readFileSync(page, "utf8");
  expect(html).toContain("&#60;b&#62;bold&#60;/b&#62; &#38; more");
  expect(html).not.toContain("<b>bold");
  expect(JSON.parse((await data(csv, ...names, "--json")).out).surveys[0]).toMatchObject({
    rows: 2,
    use: "demonstrations",
  });
});

it("reads a configuration's files as the run will, and ends with 1 if a row cannot be used", async () => {
  const yaml = join(folder, "run.yaml");
  const fields = "fields: {prompt: question, completion: answer}";
  writeFileSync(
    yaml,
    `model: {context: 24}\nsft:\n  data: {path: my.csv, ${fields}}\nobjective: when asked, prefer an answer\nppo:\n  maxNewTokens: 4\n  rewards: [{kind: length, max: 3}]\n  prompts: {path: 'm*.csv', fields: {prompt: question}}\n`,
  );
  const good = await data(yaml);
  expect(good.code).toBe(0);
  expect(good.out).toMatch(/sft\.data\n.*my\.csv: CSV/);
  expect(good.out).toContain("<user>\u00b7W\u00b7h\u00b7a\u00b7t");
  expect(good.out).toContain("ppo.prompts");
  writeFileSync(join(folder, "bad.csv"), "question,answer\na,b\nc\n");
  writeFileSync(yaml, `sft:\n  data: {path: bad.csv, ${fields}}\n`);
  const bad = await data(yaml);
  expect(bad.code).toBe(1);
  expect(bad.out).toMatch(/1 row cannot be used\n.*bad\.csv:3: the row has 1 cells, and the header has 2/);
});

it.each([
  ["hh", { "sft.data": 32, "reward.data": 32, "ppo.prompts": 32 }],
  ["tldr", { "sft.data": 16, "reward.data": 16, "ppo.prompts": 16 }],
  ["ultrafeedback", { "sft.data": 32, "reward.data": 32, "ppo.prompts": 32 }],
])("the example %s is understood whole", async (name, rows) => {
  const { code, out } = await data(join(import.meta.dirname, `../../../../examples/${name}/pipeline.yaml`), "--json");
  const surveys = JSON.parse(out).surveys as { name: string; rows: number; context: string | null }[];
  expect(code).toBe(0);
  expect(Object.fromEntries(surveys.map((one) => [one.name, one.rows]))).toEqual(rows);
  expect(surveys.map(({ context }) => context)).toEqual([null, null, null]);
});
