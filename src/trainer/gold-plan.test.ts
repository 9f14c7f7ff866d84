import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { openJudge, type Scored } from "../reward/index.ts";
import { type Config, configSchema } from "../settings/config-schema.ts";
import { buildTokenizer } from "../text/index.ts";
import { RewardError, UsageError } from "../util/errors.ts";
import { goldPlan } from "./gold-plan.ts";
import { openGold } from "./open-gold.ts";
import type { Rollout } from "./rollout.ts";
import { openRows } from "./run-rows.ts";

const tokenizer = buildTokenizer({ kind: "byte", vocabularySize: 0 }, []);
const folder = mkdtempSync(join(tmpdir(), "ballast-gold-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function file(content: string, ending = "jsonl"): string {
  const path = join(folder, `${files++}.${ending}`);
  writeFileSync(path, content);
  return path;
}

const rowsFile = (rows: readonly object[]) => file(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
const sums = (count: number, reference: (i: number) => string | null = (i) => `so it is\n#### ${i}`) =>
  rowsFile(Array.from({ length: count }, (_, i) => ({ prompt: `what is ${i}?`, reference: reference(i) })));

function configured(ppo: object, more: object = {}): Config {
  return configSchema.parse({
    objective: "prefer right over wrong",
    ppo: { rewards: [{ kind: "length", max: 9 }], ...ppo },
    ...more,
  });
}

const planOf = (config: Config) => goldPlan(config, openRows(config));

/** Answers to the first prompts of a configuration. */
function answers(config: Config, texts: readonly string[]): Rollout {
  const prompts = openRows(config)
    .prompts()
    .slice(0, texts.length)
    .map((row) => ({ row, tokens: [1] }));
  return {
    prompts,
    responses_B_T: texts.map((text) => tokenizer.encodeCompletion(text)),
    stopReasons: texts.map(() => "stop"),
    endsWithEos: texts.map(() => true),
    texts: [...texts],
    sequences: [],
    samplerLogprobs_B_T: [],
  };
}

async function judged(config: Config, texts: readonly string[]) {
  const opened = await openGold({ config, rows: openRows(config), engine: {} as Engine, tokenizer });
  try {
    return { ...opened, verdicts: await opened.gold!.check(answers(config, texts)) };
  } finally {
    await opened.close();
  }
}

describe("the gold check of a run", () => {
  it("comes from the rows by itself if their references are answers", async () => {
    const config = configured({ prompts: { path: sums(8) } });
    expect(planOf(config)).toMatchObject({ check: { kind: "last_number" }, independent: true });
    const { verdicts, gold } = await judged(config, ["#### 0", "I think 7"]);
    expect(verdicts).toEqual([{ last_number: true }, { last_number: false }]);
    expect(gold!.everyRollout).toBe(true);
    expect(planOf(configured({ prompts: { path: sums(8, (i) => `$${i}.50`) } })).check).toMatchObject({
      kind: "last_number",
    });
  });

  it.each([
    ["no references", sums(8, () => null), "give one: ppo.gold"],
    ["one without a number", sums(8, (i) => (i === 3 ? "no number" : "#### 1")), "more than a number"],
    ["sentences", sums(8, (i) => `it is ${i} or so`), "more than a number"],
  ])("is none with %s, and the run says loudly what that means", (_, path, why) => {
    const plan = planOf(configured({ prompts: { path } }));
    expect(plan.check).toBeNull();
    expect(plan.says).toMatch(/^REWARD HACKING CANNOT BE SEEN in this run/);
    expect(plan.says).toContain(why);
  });

  it("can be switched off", () => {
    expect(planOf(configured({ prompts: { path: sums(8) }, gold: { kind: "none" } })).check).toBeNull();
  });

  it("shows overfitting and nothing else if it is the reward itself", () => {
    const prompts = { path: sums(8) };
    const verifier = { kind: "last_number", requireMarker: true };
    const same = planOf(configured({ prompts, rewards: [verifier] }));
    expect(same).toMatchObject({ check: { kind: "last_number" }, independent: false });
    expect(same.says).toMatch(/HACKING CANNOT BE SEEN: the check is the reward itself/);
    const part = planOf(configured({ prompts, rewards: [verifier, { kind: "length", max: 9 }] }));
    expect(part).toMatchObject({ independent: true });
    expect(part.says).toMatch(/part of the reward/);
    // A component that is only recorded trains nothing.
    const watched = planOf(
      configured({
        prompts,
        rewards: [
          { ...verifier, weight: 0 },
          { kind: "length", max: 9 },
        ],
      }),
    );
    expect(watched.says).not.toMatch(/part of the reward|itself/);
    const path = file("export default () => 1;", "ts");
    const own = configured({ prompts, rewards: [{ kind: "function", path }], gold: { kind: "function", path } });
    expect(planOf(own).independent).toBe(false);
  });

  it("is the help desk's for the help desk's objective, and for no other", async () => {
    const demo = { demo: { task: "helpdesk" } };
    const config = configSchema.parse({ ...demo, ppo: {} });
    expect(planOf(config)).toMatchObject({ check: { kind: "task" }, independent: true });
    const { verdicts } = await judged(config, ["what?"]);
    expect(Object.keys(verdicts[0]!)).toHaveLength(1);
    const other = configSchema.parse({ ...demo, objective: "prefer long answers over short ones", ppo: {} });
    expect(planOf(other)).toMatchObject({ check: null });
    expect(planOf(other).says).toMatch(/objective is not the help desk's/);
    // Rows of a file are not judged by the task's check, whatever their kind.
    const path = rowsFile(
      Array.from({ length: 8 }, (_, i) => ({ prompt: `hello ${i}`, kind: "sums", reference: null })),
    );
    const file_ = configSchema.parse({ ...demo, ppo: { prompts: { path } } });
    expect(planOf(file_).check).toBeNull();
    expect(await openRows(file_).task!.check(answers(file_, ["12"]))).toEqual([{}]);
  });

  it("is the reference, a pattern, or a function with its threshold", async () => {
    const prompts = { path: sums(8, (i) => (i === 2 ? null : `yes ${i}`)) };
    const texts = ["Yes 0 ", "no", "yes 2"];
    const of = async (gold: object) => (await judged(configured({ prompts, gold }), texts)).verdicts;
    expect(await of({ kind: "exact" })).toEqual([{ exact: true }, { exact: false }, {}]);
    expect(await of({ kind: "pattern", pattern: "^yes", flags: "i" })).toEqual([
      { pattern: true },
      { pattern: false },
      { pattern: true },
    ]);
    const path = file("export default ({ response }) => response.trim().length / 5;", "ts");
    expect(await of({ kind: "function", path })).toEqual([{ function: true }, { function: false }, { function: true }]);
    expect(await of({ kind: "function", path, threshold: 1 })).toEqual(Array(3).fill({ function: false }));
  });

  it("is a second reward model, whose normalised score passes above its threshold", async () => {
    const calls: string[] = [];
    const engine = {
      loadModel: async (state: string) => {
        calls.push(`load ${state}`);
        return { id: "m", config: { vocabularySize: tokenizer.vocabularySize }, heads: ["scalar"] };
      },
      forward: async (_: string, { sequences }: { sequences: readonly unknown[] }) => ({
        scores: sequences.map((_, i) => i - 0.5),
      }),
      disposeModel: async () => calls.push("dispose"),
    } as unknown as Engine;
    const config = configured({ prompts: { path: sums(8) }, gold: { kind: "model", path: "gold-model" } });
    const opened = await openGold({ config, rows: openRows(config), engine, tokenizer });
    expect(await opened.gold!.check(answers(config, ["a", "b"]))).toEqual([{ model: false }, { model: true }]);
    await opened.close();
    expect(calls).toEqual(["load gold-model", "dispose"]);
  });
});

describe("held-out prompts", () => {
  const rows = (count: number, ppo: object = {}, more: object = {}) =>
    openRows(configured({ prompts: { path: sums(count) }, ...ppo }, more));

  it("are a tenth of a file's, half for monitoring and half for the report, and never train", () => {
    const { prompts, monitoring, evaluation } = rows(200);
    expect([prompts().length, monitoring().length, evaluation().rows.length]).toEqual([180, 10, 10]);
    expect(evaluation().seen).toBe(false);
    const all = [...prompts(), ...monitoring(), ...evaluation().rows].map(({ prompt }) => prompt[0]!.content);
    expect(new Set(all).size).toBe(200);
  });

  it("are as many as ppo.evaluationShare says; none if that is 0, or if there are too few", () => {
    expect(rows(200, { evaluationShare: 0.25 }).prompts()).toHaveLength(150);
    for (const few of [rows(200, { evaluationShare: 0 }), rows(79)]) {
      expect(few.monitoring()).toEqual([]);
      expect(few.evaluation()).toEqual({ rows: few.prompts(), seen: true });
    }
    expect(rows(80).prompts()).toHaveLength(72);
    expect(rows(6000).prompts()).toHaveLength(6000 - 512);
  });

  it("are all for one purpose if the other has prompts of its own, and none if both have", () => {
    const path = sums(5);
    const reported = rows(200, {}, { evaluation: { prompts: { path } } });
    expect([reported.monitoring().length, reported.evaluation().rows.length]).toEqual([20, 5]);
    const both = rows(200, {}, { evaluation: { prompts: { path } }, control: { monitor: { prompts: { path } } } });
    expect(both.prompts()).toHaveLength(200);
  });
});

describe("a judge over HTTP", () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  const row = { prompt: "2 + 2?", messages: [], response: "4", reference: "4" } as unknown as Scored;

  async function judge(answer: (body: Record<string, unknown>, asked: number) => [number, string], retries = 1) {
    const seen: { body: Record<string, unknown>; token: string | undefined }[] = [];
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (part) => (text += part));
      request.on("end", () => {
        const body = JSON.parse(text) as Record<string, unknown>;
        seen.push({ body, token: request.headers.authorization });
        const [status, content] = answer(body, seen.length);
        response.writeHead(status).end(content);
      });
    });
    servers.push(server);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const env = { JUDGE: `http://127.0.0.1:${port}/secret-path`, TOKEN: "secret-token" };
    const options = {
      urlEnv: "JUDGE",
      tokenEnv: "TOKEN",
      timeoutMs: 2000,
      retries,
      objective: "prefer 4",
      backoffMs: 1,
    };
    return { seen, ask: openJudge({ ...options, env }) };
  }

  it("is asked about each response, with the objective, and answers in order", async () => {
    const { seen, ask } = await judge(({ response }) => [200, JSON.stringify({ score: Number(response) / 4 })]);
    const rows = Array.from({ length: 20 }, (_, i) => ({ ...row, response: String(i) }));
    expect(await ask(rows)).toEqual(rows.map((_, i) => i / 4));
    expect(seen[0]!.token).toBe("Bearer secret-token");
    expect(seen[0]!.body).toEqual({
      objective: "prefer 4",
      prompt: "2 + 2?",
      messages: [],
      response: "0",
      reference: "4",
    });
  });

  it("is asked again after a fault of the service", async () => {
    const { ask } = await judge((_, asked) => (asked === 1 ? [503, ""] : [200, '{"score": 1}']));
    expect(await ask([row])).toEqual([1]);
  });

  it.each([
    [() => [500, ""] as [number, string], /answered 500, after 2 tries/],
    [() => [404, ""] as [number, string], /answered 404, after 1 try/],
    [() => [200, "oh"] as [number, string], /not JSON/],
    [() => [200, '{"score": "good"}'] as [number, string], /no finite number/],
    [() => [200, "null"] as [number, string], /no finite number/],
  ])("fails with a reason and without its address (%#)", async (answer, reason) => {
    const { ask } = await judge(answer);
    const error = await ask([row]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RewardError);
    expect((error as Error).message).toMatch(reason);
    expect((error as Error).message).not.toMatch(/secret/);
  });

  it("needs its variables before the run", () => {
    const options = { urlEnv: "JUDGE", timeoutMs: 1, retries: 0, objective: "" };
    expect(() => openJudge({ ...options, env: {} })).toThrow(UsageError);
    expect(() => openJudge({ ...options, tokenEnv: "TOKEN", env: { JUDGE: "http://127.0.0.1:1" } })).toThrow(
      /TOKEN is not set/,
    );
  });
});
