import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sampleRecord } from "../../../../test/support/store.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { type TestRun, workspaceWithRun } from "../../../../test/support/workspace.ts";
import { pairsOf, readPreferenceRows, readRatings } from "../../../data/index.ts";
import { rate } from "./index.ts";
import type { KeyStream } from "./rating-keys.ts";
import { keysOf } from "./rating-keys.ts";

/** A run whose samples are these responses by prompt, one per iteration. */
function runWith(responses: Readonly<Record<string, readonly string[]>>): TestRun {
  const run = workspaceWithRun();
  const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
  for (const [prompt, list] of Object.entries(responses))
    for (const [iteration, response] of list.entries())
      recorder.samples("ppo", iteration, [sampleRecord({ prompt, response })]);
  recorder.metrics("ppo", 9, { "reward/score_mean": 1 });
  recorder.commit();
  return run;
}

async function* typed(...chunks: string[]): AsyncGenerator<string> {
  yield* chunks;
}

function options({ workspace }: TestRun, keys: KeyStream = typed()) {
  return { run: "tiny-1", workspace, count: 20, rater: "ann", keys, terminal: keptTerminal({ width: 60 }) };
}

describe("rating one by one", () => {
  it("stores each answer, skips, and ends with q", async () => {
    const run = runWith({ "say red": ["red", "blue", "red"], "say cat": ["dog"] });
    const given = options(run, typed("5\ns", "x2", "q"));
    await rate({ ...given, json: true });
    const ratings = run.store.ratings("tiny-1");
    expect(ratings.map((one) => one.kind === "rating" && one.score)).toEqual([5, 2]);
    expect(new Set(ratings.map((one) => one.kind === "rating" && one.response)).size).toBe(2);
    expect(JSON.parse(given.terminal.lines[0]!)).toEqual({ run: "tiny-1", given: 2, rater: "ann" });
    expect(given.terminal.notes.join("\n")).toContain("Unknown key. Use: 1 (bad) to 5 (good), s skips, q ends");
    // Three different ones in all; when the keys end, so do the questions.
    await rate(options(run, typed("3")));
    expect(run.store.ratings("tiny-1")).toHaveLength(3);
    await expect(rate(options(run))).rejects.toThrow("every stored sample is rated");
    const other = { ...options(run, typed("1")), rater: "bob", count: 1 };
    await rate(other);
    expect(run.store.ratings("tiny-1").at(-1)).toMatchObject({ rater: "bob", score: 1 });
    expect(other.terminal.notes).toContain("1 of 1");
  });

  it("shows what a model wrote without its control characters", async () => {
    const run = runWith({ "say\u001b[31m red": ["\u001b]0;owned\u0007line one\nline two"], other: [""] });
    const given = options(run, typed("q"));
    await rate(given);
    await rate({ ...options(run, typed("ss")), terminal: given.terminal });
    const shown = given.terminal.notes.join("\n");
    expect(shown).toContain("say red");
    expect(shown).toMatch(/response {2}line one\n {10}line two/);
    expect(shown).toContain("(nothing)");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the subject
    expect(shown).not.toMatch(/[\u001b\u0007]|owned/);
  });

  it("needs samples", async () => {
    await expect(rate(options(workspaceWithRun()))).rejects.toThrow("the run has no stored samples");
  });
});

describe("pairs", () => {
  it("are two different responses to one prompt, asked once", async () => {
    const run = runWith({ "say red": ["red", "blue", "red"], "say cat": ["dog"] });
    const given = options(run, typed("1"));
    await rate({ ...given, pairs: true });
    const [preference] = run.store.ratings("tiny-1");
    expect(preference).toMatchObject({ kind: "preference", prompt: "say red" });
    const shown = given.terminal.notes.find((line) => line.startsWith("1  "))!;
    expect(shown.endsWith((preference as { chosen: string }).chosen)).toBe(true);
    await expect(rate({ ...options(run), pairs: true })).rejects.toThrow("no prompt is left");
  });

  it("2 prefers the other", async () => {
    const choose = async (key: string) => {
      const run = runWith({ "say red": ["red", "blue"] });
      await rate({ ...options(run, typed(key)), pairs: true });
      return (run.store.ratings("tiny-1")[0] as { chosen: string }).chosen;
    };
    expect(new Set([await choose("1"), await choose("2")])).toEqual(new Set(["red", "blue"]));
  });
});

describe("files", () => {
  it("what is exported is what the reward model's reader takes, and can be imported", async () => {
    const run = runWith({ "say red": ["red", "blue"], "say cat": ["cat", "dog", "sun"] });
    await rate({ ...options(run, typed("12")), pairs: true });
    await rate(options(run, typed("12345")));
    const path = join(run.workspace, "pairs.jsonl");
    const given = options(run);
    await rate({ ...given, export: path });
    const rows = readPreferenceRows({ path, fields: {}, limit: 0 });
    // Every pair of the three and of the two that was rated differently, including the explicit preferences.
    expect(rows).toHaveLength(4);
    expect(given.terminal.lines).toEqual([`4 preferences of tiny-1 are in ${path}.`]);

    const other = runWith({ x: ["y"] });
    const imported = options(other);
    await rate({ ...imported, import: path });
    await rate({ ...imported, import: path });
    expect(imported.terminal.lines).toEqual(["4 added to tiny-1.", "0 added to tiny-1; 4 were there already."]);
    const lines = readFileSync(path, "utf8").trim().split("\n");
    expect(pairsOf(other.store.ratings("tiny-1")).map((pair) => JSON.stringify(pair))).toEqual(lines);
  });

  it("of a pair judged twice the newest judgement counts, of each rater", () => {
    const said = (chosen: string, rejected: string, rater: string) =>
      ({ kind: "preference", prompt: "p", chosen, rejected, rater }) as const;
    const pairs = pairsOf([said("a", "b", "ann"), said("b", "a", "ann"), said("a", "b", "bob")]);
    expect(pairs.map(({ chosen }) => chosen)).toEqual(["b", "a"]);
  });

  it.each([
    ['{"prompt": "p", "chosen": "a"}', /bad.jsonl:1: the field "rejected" is missing/],
    ['{"prompt": "p", "chosen": "a", "rejected": "a"}', "bad.jsonl:1: chosen and rejected are the same"],
    ['{"prompt": "p", "response": "a", "score": 6}', "bad.jsonl:1: the score 6 is not a whole number from 1 to 5"],
    ['{"prompt": ', /bad.jsonl:1: not valid JSON/],
  ])("%s is refused, and nothing of the file is taken", async (line, message) => {
    const run = runWith({ x: ["y"] });
    const path = join(run.workspace, "bad.jsonl");
    writeFileSync(path, `${line}\n{"prompt": "p", "chosen": "a", "rejected": "b"}\n`);
    await expect(rate({ ...options(run), import: path })).rejects.toThrow(message);
    expect(run.store.ratings("tiny-1")).toEqual([]);
  });

  it("ratings are exported as they were given, for a probe of the reward", async () => {
    const run = runWith({ "say red": ["red", "blue"] });
    await rate(options(run, typed("52")));
    const path = join(run.workspace, "ratings.jsonl");
    const given = options(run);
    await rate({ ...given, exportRatings: path });
    expect(readRatings(path, "nobody")).toEqual(
      run.store.ratings("tiny-1").map(({ id: _, runId: __, at: ___, operator: ____, ...rating }) => rating),
    );
    expect(given.terminal.lines[0]).toContain(`control.probes.ratings=${path}`);
    await expect(rate({ ...given, export: path, exportRatings: path })).rejects.toThrow("cannot be combined");
  });

  it("without a preference there is nothing to export", async () => {
    const run = runWith({ x: ["y"] });
    await expect(rate({ ...options(run), export: join(run.workspace, "x.jsonl") })).rejects.toThrow(
      "run tiny-1 has no preference to export",
    );
  });
});

it("keys of a terminal are read one by one, and the terminal is given back", async () => {
  const modes: boolean[] = [];
  const stream = Object.assign(typed("1", " 2\u0003", "3"), {
    isTTY: true,
    setRawMode: (raw: boolean) => modes.push(raw),
  });
  const keys: string[] = [];
  for await (const key of keysOf(stream)) keys.push(key);
  expect(keys).toEqual(["1", "2"]);
  expect(modes).toEqual([true, false]);
});
