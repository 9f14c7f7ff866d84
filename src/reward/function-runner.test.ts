import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { RewardError } from "../util/errors.ts";
import { type FunctionOptions, FunctionRunner } from "./function-runner.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-function-"));
const runners: FunctionRunner[] = [];
afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function runnerOf(
  source: string,
  { suffix = ".ts", ...options }: Partial<FunctionOptions> & { suffix?: string } = {},
): FunctionRunner {
  const path = join(folder, `reward-${files++}${suffix}`);
  writeFileSync(path, source);
  const runner = new FunctionRunner({ path, timeoutMs: 2000, retries: 0, ...options });
  runners.push(runner);
  return runner;
}

const input = (response: string) => ({
  prompt: "why ?",
  response,
  reference: null,
  messages: [{ role: "user" as const, content: "why ?" }],
  row: {},
});

async function failureOf(work: Promise<unknown>): Promise<RewardError> {
  const error = await work.then(
    () => null,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(RewardError);
  return error;
}

describe("a function", () => {
  it.each([
    [
      "TypeScript",
      ".ts",
      "export default async ({ response }: { response: string }): Promise<number> => response.length;",
    ],
    ["an ES module", ".mjs", "export default ({ response }) => response.length;"],
    ["JavaScript without a package", ".js", "export default ({ response }) => response.length;"],
    ["CommonJS", ".cjs", "module.exports = ({ response }) => response.length;"],
  ])("in %s is called", async (_, suffix, source) => {
    expect(await runnerOf(source, { suffix }).score([input("abc"), input("")])).toEqual([3, 0]);
  });

  it("may reward steps, whose sum is the score, for some responses and as a batch", async () => {
    const one =
      "({ response }) => response === '' ? 0.5 : { steps: [{ end: 1, reward: 0.25, why: () => 0 }, { end: 3, reward: -1 }] }";
    const steps = [
      { end: 1, reward: 0.25 },
      { end: 3, reward: -1 },
    ];
    for (const source of [
      `export default ${one}`,
      `export const batch = true; const one = ${one}; export default (all) => all.map(one);`,
    ]) {
      const runner = runnerOf(source, { suffix: ".mjs" });
      expect(await runner.steps([input("abc"), input("")])).toEqual([{ steps }, 0.5]);
      expect(await runner.score([input("abc"), input("")])).toEqual([-0.75, 0.5]);
    }
  });

  it.each([
    ["{ steps: 3 }", "an object"],
    ["{ steps: [{ end: 1.5, reward: 1 }] }", "steps of which number 1 has end 1.5 and reward 1"],
    ["{ steps: [{ end: 1, reward: 0 }, { end: -1, reward: 1 }] }", "steps of which number 2 has end -1 and reward 1"],
    ["{ steps: [{ end: 1 }] }", "steps of which number 1 has end 1 and reward undefined"],
    ["{ steps: [null] }", "steps of which number 1 has end undefined and reward undefined"],
    ["{ steps: [{ end: 1, reward: NaN }] }", "steps with a sum of NaN"],
  ])("that returns %s is refused", async (value, what) => {
    const error = await failureOf(runnerOf(`export default () => (${value});`, { suffix: ".mjs" }).score([input("a")]));
    expect(error.message).toMatch(new RegExp(`returned ${what} for the prompt`));
    expect(error.hint).toContain("{ steps: [{ end, reward }] } with whole numbers");
  });

  it("is given prompt, response, reference and messages, and may import", async () => {
    writeFileSync(join(folder, "helper.ts"), "export const weight: number = 10;");
    const runner = runnerOf(
      'import { weight } from "./helper.ts";\n' +
        "export default ({ prompt, response, reference, messages }: any) =>\n" +
        '  prompt === "why ?" && reference === null && messages[0].role === "user" ? weight * response.length : -1;',
    );
    expect(await runner.score([input("ab")])).toEqual([20]);
  });

  it("is asked for many answers at once, which come back in order", async () => {
    const runner = runnerOf(
      "let now = 0, most = 0;\n" +
        "export default async ({ response }: any) => {\n" +
        "  most = Math.max(most, ++now);\n" +
        "  await new Promise((done) => setTimeout(done, 40 - Number(response)));\n" +
        "  now--;\n" +
        '  return response === "39" ? most : Number(response);\n' +
        "};",
    );
    const scores = await runner.score(Array.from({ length: 40 }, (_, i) => input(String(i))));
    expect(scores.slice(0, 39)).toEqual([...Array(39).keys()]);
    expect(scores[39]).toBeGreaterThan(8);
    expect(await runner.score([])).toEqual([]);
  });

  it("that is slow is not late because it waited for its turn", async () => {
    const source =
      "export default ({ response }: any) => { const end = Date.now() + 60; while (Date.now() < end); return Number(response); };";
    const runner = runnerOf(source, { timeoutMs: 500 });
    await runner.ready();
    expect(await runner.score(Array.from({ length: 12 }, (_, i) => input(String(i))))).toEqual([...Array(12).keys()]);
  });

  it("that fails at times is asked again", async () => {
    const runner = runnerOf(
      'const calls = new Map();\nexport default ({ response }: any) => {\n  calls.set(response, (calls.get(response) ?? 0) + 1);\n  if (calls.get(response) < 3) throw new Error("busy");\n  return calls.get(response);\n};',
      { retries: 2 },
    );
    expect(await runner.score([input("a"), input("b")])).toEqual([3, 3]);
  });

  it("that hangs costs its own call an attempt, and the others nothing", async () => {
    const flag = join(folder, "hung");
    const runner = runnerOf(
      'import { existsSync, writeFileSync } from "node:fs";\n' +
        "export default async ({ response }: any) => {\n" +
        `  if (response === "hang" && !existsSync(${JSON.stringify(flag)})) { writeFileSync(${JSON.stringify(flag)}, ""); for (;;); }\n` +
        "  return response.length;\n" +
        "};",
      { timeoutMs: 300, retries: 1 },
    );
    expect(await runner.score([input("a"), input("hang"), input("abc"), input("")])).toEqual([1, 4, 3, 0]);
  });
});

describe("a function of batches", () => {
  const lengths =
    "export const batch = true;\nexport default (rows: any[]) => rows.map(({ response }) => response.length);";
  it.each([
    ["TypeScript", ".ts", lengths],
    [
      "an async one with typed numbers",
      ".mjs",
      "export const batch = true; export default async (rows) => Float32Array.from(rows, (row) => row.response.length);",
    ],
    [
      "CommonJS",
      ".cjs",
      "module.exports = (rows) => rows.map(({ response }) => response.length); module.exports.batch = true;",
    ],
  ])("in %s is asked once for all", async (_, suffix, source) => {
    const runner = runnerOf(source, { suffix });
    expect(await runner.score(["abc", "", "a"].map(input))).toEqual([3, 0, 1]);
    expect(await runner.score([])).toEqual([]);
  });

  it("sees all responses in one call, and one by one without the export or with false", async () => {
    const counting = (batch: string) =>
      `let calls = 0;\n${batch}\nexport default (rows: any) => { calls++; return Array.isArray(rows) ? rows.map(() => calls * 100 + rows.length) : calls; };`;
    const forty = Array.from({ length: 40 }, (_, i) => input(String(i)));
    expect(await runnerOf(counting("export const batch = true;")).score(forty)).toEqual(Array(40).fill(140));
    for (const batch of ["", "export const batch = false;"])
      expect((await runnerOf(counting(batch)).score(forty)).sort((a, b) => a - b)).toEqual(
        [...Array(40).keys()].map((i) => i + 1),
      );
  });

  it.each([
    [
      "rows.slice(1).map(() => 1)",
      'returned a list of 2 for a batch of 3, the first prompt "why ?"',
      "a list of 3 numbers",
    ],
    ["[...rows.map(() => 1), 2]", "returned a list of 4 for a batch of 3", "a list of 3 numbers"],
    ["0.5", "returned 0.5 for a batch of 3", "a list of 3 numbers"],
    ["({ scores: [1, 2, 3] })", "returned an object for a batch of 3", "a list of 3 numbers"],
    ["[1, NaN, 2]", 'returned NaN for the prompt "why ?" (2 of 3)', "a finite number"],
    ["[1, 2, '3']", 'returned the text "3" for the prompt "why ?" (3 of 3)', "a finite number"],
    ["[1, 2n, 3]", 'returned the BigInt 2n for the prompt "why ?" (2 of 3)', "a finite number"],
    ["new BigInt64Array(3)", 'returned the BigInt 0n for the prompt "why ?" (1 of 3)', "a finite number"],
    ["rows.splice(1).map(() => 1)", "returned a list of 2 for a batch of 3", "a list of 3 numbers"],
    ["[1, , 2]", 'returned undefined for the prompt "why ?" (2 of 3)', "a finite number"],
  ])("that returns %s is told what was wrong", async (expression, message, hint) => {
    const runner = runnerOf(`export const batch = true;\nexport default (rows: any[]): unknown => ${expression};`);
    const error = await failureOf(runner.score(["a", "b", "c"].map(input)));
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  it("may change the list that it is given", async () => {
    const consuming =
      "const scores = []; while (rows.length > 0) scores.push(rows.shift().response.length); return scores;";
    const runner = runnerOf(`export const batch = true;\nexport default (rows: any[]) => { ${consuming} };`);
    expect(await runner.score(["a", "bcd"].map(input))).toEqual([1, 3]);
  });

  it("that throws is asked again, whole; batch is true or false", async () => {
    const runner = runnerOf(
      'let calls = 0;\nexport const batch = true;\nexport default (rows: any[]) => { if (calls++ === 0) throw new Error("busy"); return rows.map(() => calls); };',
      { retries: 1 },
    );
    expect(await runner.score(["a", "b"].map(input))).toEqual([2, 2]);
    const odd = runnerOf('export const batch = "yes";\nexport default () => [];');
    expect((await failureOf(odd.ready())).message).toContain('its export batch is the text "yes", not true or false');
  });
});

it("the examples are functions that can be used", async () => {
  const example = async (name: string, inputs: Parameters<FunctionRunner["score"]>[0]) => {
    const path = fileURLToPath(new URL(`../../examples/rewards/${name}`, import.meta.url));
    const runner = new FunctionRunner({ path, timeoutMs: 5000, retries: 0 });
    runners.push(runner);
    return runner.score(inputs);
  };
  const asked = [{ ...input("a red door"), word: "Red" }, { ...input("a door"), word: "red" }, input("red")];
  expect(await example("contains.ts", asked)).toEqual([1, 0, 0]);
  expect(await example("distinct.ts", ["a", "b", "a"].map(input))).toEqual([-0.5, 0, -0.5]);
});

describe("what a function says", () => {
  it("in its errors is text, on one line, and cut", async () => {
    const runner = runnerOf(
      'export default () => { throw new Error("\\x1b[2J\\x1b]0;owned\\x07red\\r\\nline\\x9b31m \\u202e" + "x".repeat(5000)); };',
    );
    const { message } = await failureOf(runner.score([input("a")]));
    expect(message).toContain("Error: red line xxx");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
    expect(message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
    expect(message.length).toBeLessThan(1300);
    const other = runnerOf('export default () => "\\x9b31m\\u202e";');
    expect((await failureOf(other.score([input("a")]))).message).toContain('returned the text "" for');
    const unusable = runnerOf('throw new Error("\\x1b[31mno key\\x1b[0m");');
    expect((await failureOf(unusable.ready())).message).toMatch(/Error: no key$|Error: no key \(at/);
  });

  it("in print is text, and no more of it a rollout than can be read", async () => {
    const written: string[] = [];
    const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => written.push(String(text)) > 0);
    try {
      const runner = runnerOf(
        'export default ({ response }: any) => { console.log("\\x1b[31mred\\x1b[0m\\x1b]52;c;cm0\\x07" + "y".repeat(1000)); return 1; };',
      );
      for (const _ of [1, 2]) {
        written.length = 0;
        await runner.score(Array.from({ length: 50 }, () => input("a")));
        const text = written.join("");
        expect(text.startsWith("redyyy")).toBe(true);
        expect(text).not.toContain("\x1b");
        expect(text.length).toBeLessThan(17_000);
        expect(text.match(/prints more, which is left out/g)).toHaveLength(1);
      }
    } finally {
      spy.mockRestore();
    }
  });
});

describe("a failure names the file, the prompt and the remedy", () => {
  it("when it throws", async () => {
    const runner = runnerOf("export default () => {\n  return missing.length;\n};", { suffix: ".mts", retries: 1 });
    const { message, hint } = await failureOf(runner.score([input("a")]));
    expect(message).toMatch(
      /^the reward function \S+\.mts failed on the prompt "why \?": ReferenceError: missing is not defined \(at reward-\d+\.mts:2:\d+\) \(2 attempts\)$/,
    );
    expect(hint).toMatch(/correct it, then continue with: ballast resume RUN --allow-changed-reward$/);
  });

  it("when it is late", async () => {
    const runner = runnerOf("export default () => new Promise(() => {});", { timeoutMs: 50 });
    const { message, hint } = await failureOf(runner.score([input("a")]));
    expect(message).toMatch(/failed on the prompt "why \?": no answer within 50 ms$/);
    expect(hint).toMatch(/^Raise timeoutMs \(50\).* ballast resume RUN --allow-changed-reward$/);
  });

  it.each([
    ["NaN", "NaN"],
    ["1 / 0", "Infinity"],
    ["undefined", "undefined"],
    ["'5'", 'the text "5"'],
    ["() => 5", "a function"],
    ["[5]", "a list"],
    ["1n", "the BigInt 1n"],
  ])("when it returns %s, without asking again", async (expression, words) => {
    const runner = runnerOf(
      `let calls = 0;\nexport default () => { if (calls++) throw new Error("again"); return ${expression}; };`,
      { retries: 5 },
    );
    const { message } = await failureOf(runner.score([input("a")]));
    expect(message).toContain(`returned ${words} for the prompt "why ?"`);
  });

  it("when it ends its thread", async () => {
    const runner = runnerOf("export default () => process.exit(7);");
    expect((await failureOf(runner.score([input("a")]))).message).toContain("its thread ended with code 7");
    const rejecting = runnerOf(
      'export default () => { void Promise.reject(new Error("lost")); return new Promise(() => {}); };',
    );
    expect((await failureOf(rejecting.score([input("a")]))).message).toContain("Error: lost");
  });

  it.each([
    ["does not parse", "export default (", /cannot be used: .*(TransformError|SyntaxError)/s],
    ["throws while it loads", 'throw new Error("no key");', /cannot be used: Error: no key/],
    ["exports something else", "export const score = 3;", /cannot be used: its default export is not a function/],
    ["ends its thread", "process.exit(3);", /cannot be used: its thread ended with code 3/],
  ])("when the file %s", async (_, source, message) => {
    const runner = runnerOf(source);
    expect((await failureOf(runner.ready())).message).toMatch(message);
    expect((await failureOf(runner.score([input("a")]))).message).toMatch(message);
  });

  it("after it was closed", async () => {
    const runner = runnerOf("export default () => 1;");
    expect(await runner.score([input("a")])).toEqual([1]);
    await runner.close();
    expect((await failureOf(runner.score([input("a")]))).message).toContain("after it was closed");
  });
});

it("what a function prints goes to standard error, and its idle thread holds no process", async () => {
  const path = join(folder, "loud.ts");
  writeFileSync(path, 'export default () => { console.log("hear me"); return 5; };');
  const code =
    `import { FunctionRunner } from ${JSON.stringify(new URL("./function-runner.ts", import.meta.url).href)};\n` +
    `const runner = new FunctionRunner({ path: ${JSON.stringify(path)}, timeoutMs: 5000, retries: 0 });\n` +
    `console.log(await runner.score([${JSON.stringify(input("a"))}]));`;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", code],
    {
      timeout: 30_000,
    },
  );
  expect(stdout).toBe("[ 5 ]\n");
  expect(stderr).toContain("hear me");
});
