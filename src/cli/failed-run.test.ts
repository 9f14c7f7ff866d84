/** A run that fails says so for good: in its record, and wherever runs are shown; mended, it goes on. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import { keptTerminal } from "../../test/support/terminal.ts";
import { type Config, checkedConfig } from "../config/index.ts";
import { knownRun } from "../run/known-run.ts";
import { newRun } from "../run/new-run.ts";
import { openRun, type RunFacts } from "../run/open-run.ts";
import { runPipeline } from "../run/pipeline.ts";
import { pageEvent } from "../server/event-fields.ts";
import { withStore } from "../store/index.ts";
import { runProgram } from "./program.ts";

let workspace: string;
beforeEach(() => {
  workspace = temporaryFolder();
});

const rewardFile = (body: string) => {
  const path = join(workspace, "reward.ts");
  const count = `appendFileSync(${JSON.stringify(join(workspace, "calls"))}, response + "\\n"); calls++;`;
  writeFileSync(
    path,
    `import { appendFileSync } from "node:fs";\nlet calls = 0;\nexport default ({ response }) => { ${count} ${body} };\n`,
  );
  return path;
};

const configOf = (body: string): Config => checkedConfig(inputOf(body)).config;

function inputOf(body: string) {
  const rows = join(workspace, "rows.jsonl");
  const words = ["red", "green", "blue", "grey"];
  writeFileSync(rows, words.map((word) => `${JSON.stringify({ prompt: `say ${word}`, completion: word })}\n`).join(""));
  return {
    objective: "say it",
    workspace,
    seed: 3,
    threads: 1,
    model: { layers: 1, width: 16, heads: 2, context: 16 },
    tokenizer: { kind: "word" },
    sft: { data: { path: rows }, steps: 8, batchSize: 4, evaluationShare: 0 },
    ppo: {
      prompts: { path: rows },
      rewards: [{ kind: "function", path: rewardFile(body) }],
      ...{ iterations: 2, sequences: 8, minibatches: 1, epochs: 1, maxNewTokens: 4, evaluationShare: 0 },
    },
    control: { monitor: { every: 0 }, probes: { every: 0 }, noise: { every: 0 }, robustness: { every: 0 } },
    evaluation: { samples: 4 },
  };
}

const train = (facts: RunFacts) => openRun(facts).train(runPipeline);

async function said(...args: string[]) {
  const terminal = keptTerminal({ width: 100 });
  await runProgram([...args, "--workspace", workspace], terminal);
  const shown = args[0] === "resume" ? terminal.notes : terminal.lines;
  return shown.join("\n").replace(/\s+/g, " ");
}

// More than the trial before SFT asks for.
const laterUndefined = "return calls > 4 ? undefined : response.length";

it("after a finished SFT, the record has the reason, and every command and the page show it", async () => {
  const facts = newRun({ config: configOf(laterUndefined), name: "late" });
  const reason = /reward\.ts returned undefined for the prompt "say \w+"/;
  await expect(train(facts)).rejects.toThrow(reason);
  const { id } = facts.place;
  const events = withStore(workspace, (store) => store.events(id, { kind: "error" }).rows);
  expect(events).toMatchObject([{ stage: "ppo", iteration: 0, message: expect.stringMatching(reason) }]);
  expect(pageEvent(events[0]!, id).hint).toMatch(
    /must return a finite number.*ballast resume late-1 --allow-changed-reward$/,
  );
  const list = await said("runs");
  expect(list).toMatch(/late-1 +✗ failed +sft +8\/8/);
  expect(list).toMatch(/late-1 failed: .*returned undefined .*It must return a finite number/);
  expect(JSON.parse(await said("runs", "--json"))).toMatchObject({ failure: { message: events[0]!.message } });
  expect(await said("diagnose", id)).toMatch(/It failed: .*returned undefined .*must return a finite number/);
  const next = await said("next", id);
  expect(next).toMatch(/✗ it failed - .*returned undefined/);
  expect(next).toMatch(/Next It must return a finite number .*resume .*late-1/);
  expect(next).not.toContain("has not ended");
});

it("mended before its first iteration is done, it goes on without a flag; a failed resume keeps what SFT did", async () => {
  const { place } = await failed(laterUndefined);
  rewardFile("throw new Error(`still ` + (response.length < 0));");
  await expect(train(await knownRun(place))).rejects.toThrow("still false");
  const list = await said("runs");
  expect(list).toMatch(/✗ failed +sft +8\/8/);
  expect(list).toContain("still false");
  expect(list).not.toContain("undefined");
  rewardFile("return 100 * response.length;");
  await train(await knownRun(place));
  expect(await said("runs")).toMatch(/✓ done +ppo +2\/2/);
  expect(await said("diagnose", place.id)).not.toContain("It failed");
  expect(await said("resume", place.id)).toMatch(
    /late-1 was done already: nothing was left to do\. To train it further: .*resume .*late-1 ppo\.iterations=4 \(it had 2\)/,
  );
  const { errors, iterations } = withStore(workspace, (store) => ({
    errors: store.events(place.id, { kind: "error", current: true }).rows,
    iterations: store.series(place.id, "ppo", "reward/score_mean", {}).points.length,
  }));
  expect([errors.length, iterations]).toEqual([0, 2]);
});

it("after its first iteration a changed function needs the flag", async () => {
  const { place } = await failed("return calls > 270 ? undefined : response.length", 8);
  rewardFile("return response.length + 1;");
  await expect(train(await knownRun(place))).rejects.toThrow("has changed since the checkpoint");
});

it.each([
  ["undefined", "return undefined;", "returned undefined"],
  ["NaN", "return Number.NaN;", "returned NaN"],
  ["a text", 'return "good";', 'returned the text "good"'],
  ["an error", 'throw new Error("no key");', "no key"],
])("a function that gives %s stops the run before SFT, after a few calls", async (_, body, says) => {
  const file = join(workspace, "early.yaml");
  writeFileSync(file, JSON.stringify({ ...inputOf(body), name: "early" }));
  const terminal = keptTerminal({ width: 100 });
  await expect(runProgram(["run", file], terminal)).rejects.toThrow(says);
  expect(terminal.notes.join("\n")).toContain("nothing was trained, and no run is left behind");
  expect(existsSync(join(workspace, "early-1"))).toBe(false);
  const asked = readFileSync(join(workspace, "calls"), "utf8").trim().split("\n");
  expect(["red", "green", "blue", "grey"]).toEqual(expect.arrayContaining(asked));
  expect(asked.length).toBeLessThanOrEqual(body.startsWith("throw") ? 12 : 4);
});

async function failed(body: string, iterations = 2): Promise<RunFacts> {
  const config = configOf(body);
  const facts = newRun({ config: { ...config, ppo: { ...config.ppo!, iterations } }, name: "late" });
  await expect(train(facts)).rejects.toThrow("undefined");
  return facts;
}
