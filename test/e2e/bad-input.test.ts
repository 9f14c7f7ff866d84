/** Bad input through the command line: a message with what and where, the right exit code, never a stack. */
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ballast, tinyFolder, typed } from "./ballast.ts";

const folder = tinyFolder();
afterAll(() => rmSync(folder, { recursive: true }));

const files: Record<string, string> = {
  "empty.jsonl": "",
  "malformed.jsonl": '{"prompt":"a","completion":"b"}\n{"prompt": oops}\n',
  "missing.jsonl": '{"prompt":"a"}\n',
  "unanswered.jsonl": '{"prompt":"a","completion":""}\n',
  "long.jsonl": `${JSON.stringify({ prompt: `say ${"red ".repeat(60)}`, completion: "red" })}\n{"prompt":"say red","completion":"red"}\n`,
  "refused.jsonl":
    '{"prompt":"say red"}\n{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"say red"}]}\n',
  "one.jsonl": '{"prompt":"say red cat"}\n',
  "throws.mjs": 'export default () => { throw new Error("no \\x1b[2J judge"); };',
  "nan.mjs": "export default () => Number.NaN;",
  "ones.mjs": "export default () => 1;",
  "wrong.yaml": "sft:\n  steps: many\n  batchsize: 3\n",
  "broken.yaml": "sft: [1, 2\nppo: }",
  "ppo.yaml": `
name: ppo
objective: When asked anything, prefer a short answer over a long one.
threads: 1
model: {layers: 1, width: 16, heads: 2, context: 24}
tokenizer: {kind: word}
ppo: {prompts: {path: prompts.jsonl}, iterations: 2, sequences: 8, maxNewTokens: 6, rewards: [{kind: function, path: ones.mjs}]}
evaluation: {samples: 8}
`,
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);

const sft = ["sft", "tiny.yaml", "sft.steps=2", "sft.evaluationShare=0"];
const cases: [what: string, args: string[], code: number, ...messages: (string | RegExp)[]][] = [
  ["an empty file", [...sft, "sft.data.path=empty.jsonl"], 1, "empty.jsonl is empty"],
  ["a malformed line", [...sft, "sft.data.path=malformed.jsonl"], 1, "malformed.jsonl:2: not valid JSON"],
  ["a missing field", [...sft, "sft.data.path=missing.jsonl"], 1, 'missing.jsonl:1: the field "completion" is missing'],
  ["an empty response", [...sft, "sft.data.path=unanswered.jsonl"], 1, 'unanswered.jsonl:1: "completion" is empty'],
  ["a missing file", [...sft, "sft.data.path=nowhere.jsonl"], 2, "there is no file nowhere.jsonl"],
  ["long prompts, cut", [...sft, "sft.data.path=long.jsonl"], 0, /of 2 rows, .*1 prompts? cut/],
  ["long prompts, skipped", [...sft, "sft.data.path=long.jsonl", "sft.longPrompts=skip"], 0, /of 2 rows, .*1 skipped/],
  [
    "long prompts, refused",
    [...sft, "sft.data.path=long.jsonl", "sft.longPrompts=error"],
    1,
    "more than the context of 24",
  ],
  [
    "values of the wrong type and unknown keys",
    ["sft", "wrong.yaml"],
    2,
    "wrong.yaml:2: sft.steps: expected a whole number",
    'wrong.yaml:3: unknown key "batchsize" in sft; did you mean batchSize?',
  ],
  [
    "an evaluation row that the template refuses",
    [
      "run",
      "tiny.yaml",
      "evaluation.prompts.path=refused.jsonl",
      `tokenizer.chatTemplate="{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}{{ messages[0].content }}"`,
      "workspace=unused",
    ],
    1,
    /refused\.jsonl:2: the chat template refused a conversation \(system, user\): .*no system turn.*: "say red"/,
  ],
  ["a file that is no YAML", ["sft", "broken.yaml"], 2, "broken.yaml:"],
  ["an override that is none", ["sft", "tiny.yaml", "fast"], 2, "fast"],
  [
    "a batch that does not divide",
    ["run", "tiny.yaml", "ppo.minibatches=3"],
    2,
    "ppo.sequences 16 is not divisible by 3 minibatches; try 15 or 18",
  ],
  [
    "a reward function that throws",
    ["ppo", "ppo.yaml", "ppo.rewards.0.path=throws.mjs", "ppo.rewards.0.retries=0"],
    1,
    "the reward function throws.mjs failed on the prompt",
  ],
  [
    "a reward function that returns NaN",
    ["ppo", "ppo.yaml", "ppo.rewards.0.path=nan.mjs"],
    1,
    "the reward function nan.mjs returned NaN for the prompt",
  ],
  ["all rewards equal", ["ppo", "ppo.yaml"], 0, "all 8 scores are equal (1)"],
  ["a single prompt", ["ppo", "ppo.yaml", "ppo.prompts.path=one.jsonl"], 0, "there is a single prompt"],
  [
    "a model that is not there",
    ["ppo", "ppo.yaml", "ppo.policy=nowhere", "tokenizer=null", "model=null"],
    2,
    "ppo.policy: there is no folder nowhere",
    "an earlier stage makes such a folder",
  ],
];

describe("bad input", () => {
  it.concurrent.each(cases)("%s", async (_what, args, code, ...messages) => {
    const { code: actual, stdout, stderr } = await ballast(folder, ...args);
    for (const message of messages) expect(stderr).toMatch(typeof message === "string" ? literally(message) : message);
    expect(stderr).not.toMatch(/^ {4}at |bug in Ballast/m);
    expect(stderr).not.toContain("\x1b");
    expect(actual, stderr).toBe(code);
    if (code !== 0) expect(stdout).toBe("");
  });

  it("in the rows leaves no run behind", async () => {
    const bad = ["name=bad", "workspace=clean"];
    for (const file of ["empty.jsonl", "malformed.jsonl", "unanswered.jsonl"])
      expect((await ballast(folder, ...sft, ...bad, `sft.data.path=${file}`)).code).toBe(1);
    expect(
      (await ballast(folder, "ppo", "ppo.yaml", ...bad, "ppo.rewards=[{kind: exact}]", "ppo.prompts.path=one.jsonl"))
        .code,
    ).toBe(1);
    expect(existsSync(join(folder, "clean"))).toBe(false);
    expect(existsSync(join(folder, "unused"))).toBe(false);
  });

  it("that ends a run before its first step leaves no run behind, and its number free", async () => {
    const args = [
      "ppo",
      "ppo.yaml",
      "name=never",
      "workspace=never",
      "ppo.rewards.0.path=throws.mjs",
      "ppo.rewards.0.retries=0",
    ];
    for (let i = 0; i < 2; i++) {
      const { code, stderr } = await ballast(folder, ...args);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/run never-1 in .*start it again/s)]);
      expect(stderr).not.toContain("resume never-1");
      expect(readdirSync(join(folder, "never")).filter((name) => name.includes("never"))).toEqual([]);
      expect((await ballast(folder, "runs", "--workspace", "never")).stdout).toContain("There are no runs in never");
    }
  });

  it("stops before a loss that is not finite reaches the weights, and keeps the minibatch", async () => {
    const { code, stderr } = await ballast(folder, ...sft, "name=nan", "sft.learningRate=1e30", "sft.steps=20");
    expect(code).toBe(1);
    expect(stderr).toContain("not finite");
    const [dump] = readdirSync(join(folder, "runs", "nan-1", "sft", "dumps"));
    expect(stderr).toContain(`runs/nan-1/sft/dumps/${dump}`);
  });

  it("of a reward function that throws says once how to go on, which works when it is mended", async () => {
    const file = join(folder, "fickle.mjs");
    // It fails after the first iteration: a run that has not trained leaves nothing to resume. Nothing is sampled before.
    writeFileSync(
      file,
      'let calls = 0; export default ({ response }) => { if (++calls > 20) throw new Error("no judge"); return response.length; };',
    );
    const settings = ["ppo.rewards.0.path=fickle.mjs", "ppo.rewards.0.retries=0", "ppo.rewardSamples=0", "name=fickle"];
    const failed = await ballast(folder, "ppo", "ppo.yaml", ...settings);
    expect(failed.stderr.match(/resume fickle-1/g), failed.stderr).toHaveLength(1);
    writeFileSync(file, "export default ({ response }) => response.length;");
    const done = await typed(folder, /then continue with: (.+)$/m.exec(failed.stderr)![1]!);
    expect(done.code, done.stderr).toBe(0);
  });

  it("names model and tokenizer if their vocabularies do not match", async () => {
    expect((await ballast(folder, ...sft, "name=small", "sft.data.path=long.jsonl")).code).toBe(0);
    expect((await ballast(folder, ...sft, "name=large")).code).toBe(0);
    const wrong = ["model={path: runs/small-1/sft/final}", "tokenizer={kind: file, path: runs/large-1/sft/final}"];
    const { code, stderr } = await ballast(folder, ...sft, ...wrong);
    expect(stderr).toMatch(/vocabulary of \d+ tokens; the tokenizer writes \d+/);
    expect(code).toBe(2);
  });
});

function literally(text: string): RegExp {
  return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
}
