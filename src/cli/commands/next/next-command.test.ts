import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import { differences, loadConfig } from "../../../config/index.ts";
import { experimentFindings, partOf } from "../../../control/doctor/experiment.ts";
import { configOf } from "../../../inspect/places.ts";
import { runProgram } from "../../program.ts";

const columns = ["quick", "slow", "plain", "loud"];
const rows = Array.from({ length: 40 }, (_, i) => `say something ${columns[i % 4]} about number ${i},${i}\n`).join("");

/** A run of one round with an evaluation in which the reward rose by `rise`. */
function runOf({ stage, rise = 0.4, ppo = {} }: { stage?: number; rise?: number; ppo?: object }) {
  const place = workspaceWithRun({
    ppo: {
      rewards: [{ kind: "exact" }],
      ...{ prompts: { path: "prompts.csv", fields: { prompt: "ask", reference: "number" } }, ...ppo },
    },
  });
  place.store.close();
  const { folder, workspace } = place;
  const file = join(folder, "config.json");
  // As if the policy's folder had been there: its tokenizer is its own.
  const { tokenizer: _, ...recorded } = JSON.parse(readFileSync(file, "utf8"));
  recorded.ppo.prompts.path = "prompts.csv";
  writeFileSync(file, JSON.stringify({ ...recorded, workspace, ...(stage && { experiment: { stage } }) }));
  writeFileSync(join(folder, "prompts.csv"), `ask,number\n${rows}`);
  const estimate = (mean: number) => ({ mean, low: mean - 0.1, high: mean + 0.1, n: 40 });
  writeFileSync(
    join(folder, "evaluation.json"),
    JSON.stringify({
      ...{ objective: "", samples: 40, temperature: 1, seed: 1, shares: [], transcripts: [] },
      before: { folder: "a", figures: { reward: estimate(0) } },
      after: { folder: "b", figures: { reward: estimate(rise) } },
      differences: { reward: { difference: rise, low: rise - 0.1, high: rise + 0.1 } },
    }),
  );
  return place;
}

async function next({ folder, workspace }: { folder: string; workspace: string }, ...args: string[]) {
  const out = join(workspace, "round.yaml");
  const terminal = keptTerminal({ width: 90 });
  const code = await runProgram(["next", folder, "--workspace", workspace, "--out", out, ...args], terminal);
  return { code, out, text: terminal.lines.join("\n") };
}

it("says by which numbers, and writes a file that changes one subject against the run it extends", async () => {
  const place = runOf({});
  const { code, out, text } = await next(place);
  expect(code).toBe(0);
  expect(text).toContain("✓ it succeeded");
  expect(text).toMatch(/reward +0\.00 {3}0\.40 {2}\+0\.40 \[\+0\.30, \+0\.50\] {2}up/);
  expect(text).toContain("round.yaml is round 2; it extends tiny-1 and changes the reward");
  const { config, warnings } = loadConfig(out);
  expect(warnings.filter((line) => !line.includes("no folder"))).toEqual([]);
  writeFileSync(join(place.workspace, "same.yaml"), "extends: tiny-1/config.json\n");
  const changed = differences(loadConfig(join(place.workspace, "same.yaml")).config, config).map(({ key }) => key);
  expect(new Set(changed.map(partOf).filter((part) => part !== null))).toEqual(new Set(["reward"]));
  expect(config.ppo!.rewards.map(({ kind }) => kind)).toEqual(["exact", "length"]);
  expect(config.experiment).toEqual({ stage: 2, previous: "tiny-1" });
  // The doctor agrees that stage 2 may change it, and nothing else changed.
  const previous = { name: "tiny-1", changedKeys: changed };
  const findings = experimentFindings({ experiment: { stage: 2, previous } } as never);
  expect(findings.map(({ id }) => id)).toEqual(["experiment/stage"]);
  expect(readFileSync(out, "utf8")).toContain("# Round 1 (tiny-1): it succeeded; reward rose by +0.40 [+0.30, +0.50].");
  await expect(next(place)).rejects.toThrow("there is already a file");
});

it("a round that did not move tries one setting; JSON has the judgement and the file", async () => {
  const { out, text } = await next(runOf({ rise: 0.05 }), "--json");
  const judged = JSON.parse(text);
  expect(judged).toMatchObject({ round: 1, verdict: "flat", file: out, next: { subject: "settings", stage: 1 } });
  expect(loadConfig(out).config.ppo!.iterations).toBe(200);
});

it("wider data waits for the operator's files, which are added to the run's", async () => {
  const place = runOf({ stage: 2 });
  const asked = await next(place);
  expect(asked.text).toMatch(/--prompts\s+FILE/);
  expect(existsSync(asked.out)).toBe(false);
  const more = join(place.workspace, "more.csv");
  writeFileSync(more, "ask,number\nwhat else,1\n");
  await expect(next(place, "--prompts", "gone.csv")).rejects.toThrow("there is no file gone.csv");
  const { out } = await next(place, "--prompts", more);
  const { prompts } = loadConfig(out).config.ppo!;
  expect([prompts!.path].flat().map((path) => path.split("/").at(-1))).toEqual(["prompts.csv", "more.csv"]);
  expect(prompts!.fields).toEqual({ prompt: "ask", reference: "number" });
});

it("a harder evaluation asks the run's own evaluation prompts with noise, and trains on none of them", async () => {
  const place = runOf({ stage: 3 });
  const { out } = await next(place);
  const { config } = loadConfig(out);
  const lines = readFileSync(String(config.evaluation.prompts!.path), "utf8").trim().split("\n");
  const written = lines.map((line) => JSON.parse(line));
  expect(new Set(written.map(({ kind }) => kind))).toEqual(
    new Set(["typos", "case", "paraphrase", "distractor", "injection"]),
  );
  expect(written.every(({ ask, number }) => typeof ask === "string" && number !== undefined)).toBe(true);
  expect(config.ppo).toEqual(configOf(place).ppo);
});

it("a run without an evaluation is not judged", async () => {
  const place = workspaceWithRun();
  place.store.close();
  const { code, text } = await next(place);
  expect(code).toBe(1);
  expect(text).toContain("it has not ended");
  expect(text).toContain("resume");
});
