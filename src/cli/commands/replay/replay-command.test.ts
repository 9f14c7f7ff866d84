import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { type TestRun, workspaceWithRun } from "../../../../test/support/workspace.ts";
import { parseRules } from "../../../control/rules/load-rules.ts";
import { firstControlState } from "../../../control/state.ts";
import { controlSchema } from "../../../settings/config-schema.ts";
import { Control } from "../../../trainer/controller.ts";
import { testRules } from "../rules/index.ts";
import { replay } from "./index.ts";

const own =
  "rules: [{id: rise, tier: 2, when: {signal: kl/old_new_k3_token, above: 0.05}, action: {clip: 0.8}, source: test}]";

/** A run whose controller saw this KL, one value per iteration, as a trainer would have recorded it. */
function runWith(kl: readonly number[]): TestRun {
  const run = workspaceWithRun({ control: { profile: "adaptive" } });
  const rules = parseRules(own, "rules.yaml");
  writeFileSync(join(run.folder, "rules.json"), JSON.stringify(rules));
  const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
  const settings = controlSchema.parse({ profile: "adaptive" });
  const control = new Control({ rules, settings, state: firstControlState, iteration: 0, recorder });
  const base = {
    policyRate: 1e-3,
    criticRate: 2e-3,
    clipLow: 0.2,
    clipHigh: 0.2,
    klCoef: 0.05,
    valueUpdates: 1,
    embeddingsRate: 1,
    slowCriticDecay: 0,
    clipWide: 0,
  };
  for (const [iteration, value] of kl.entries()) {
    control.afterScoring(iteration, { "entropy/mean": 1 }, base);
    const shown = { "entropy/mean": 1, "kl/old_new_k3_token": value, "kl/old_new_k3_token_rest": value };
    control.afterUpdate(iteration, shown, base);
    recorder.metrics("ppo", iteration, { "kl/old_new_k3_token": value });
    recorder.commit();
  }
  return run;
}

const file = ({ workspace }: TestRun, text: string) => {
  const path = join(workspace, "mine.yaml");
  writeFileSync(path, text);
  return path;
};

const kl = [0.01, 0.06, Number.NaN, 0.01, 0.2, 0.01];

describe("replay", () => {
  it("of a run's own rules says the same, through the database", async () => {
    const { workspace } = runWith(kl);
    const terminal = keptTerminal();
    await replay({ run: "tiny-1", workspace, json: true, terminal });
    const { same, decided, replayed } = JSON.parse(terminal.lines[0]!);
    expect(same).toBe(true);
    expect(decided).toEqual(replayed);
    expect(decided.map((one: { kind: string; iteration: number }) => [one.kind, one.iteration])).toEqual([
      ["alert", 1],
      ["intervention", 1],
    ]);
    const told = keptTerminal();
    await replay({ run: "tiny-1", workspace, terminal: told });
    expect(told.lines.at(-1)).toBe("The decisions are the same, to the last bit.");
  });

  it("shows other rules beside what was decided", async () => {
    const run = runWith(kl);
    const rules = file(run, own.replace("0.05", "0.1"));
    const terminal = keptTerminal({ width: 160 });
    await replay({ run: "tiny-1", rules, workspace: run.workspace, terminal });
    const text = terminal.lines.join("\n");
    expect(text).toMatch(/^ *1 +kl_hard +0 +1 \(1 acted on\)$/m);
    expect(text).toMatch(/^ *1 +kl\/old_new_k3_token 0.06 > 0.05.* nothing$/m);
    expect(text).toMatch(/^ *4 +nothing +kl\/old_new_k3_token 0.2 > 0.1.*clip range x0.8/m);
    expect(terminal.lines.at(-1)).toBe("The first difference is in iteration 1.");
  });

  it("of a run that holds no record says so", async () => {
    const { workspace, folder } = workspaceWithRun();
    const options = { run: "tiny-1", workspace, terminal: keptTerminal() };
    await expect(replay(options)).rejects.toThrow("run tiny-1 has no PPO iterations yet");
    writeFileSync(join(folder, "rules.json"), "[]");
    await expect(replay(options)).rejects.toThrow("has no record of what its controller was shown");
  });
});

it("rules test says what a file's rules would have said and done", async () => {
  const run = runWith(kl);
  const text =
    "rules:\n  - {id: mine, tier: 2, when: {signal: kl/old_new_k3_token, above: 0.1}, action: {clip: 0.5}, source: test}\n" +
    "  - {id: unused, tier: 3, when: {signal: entropy/mean, above: 0}, scale: {entropy: absolute}, source: test}\n";
  const terminal = keptTerminal();
  await testRules({ file: file(run, text), on: "tiny-1", workspace: run.workspace, json: true, terminal });
  expect(JSON.parse(terminal.lines[0]!)).toMatchObject({
    rules: [
      { rule: "mine", use: "acts", spoke: 1, acted: 1 },
      { rule: "unused", use: "not used: entropy absolute", spoke: 0 },
    ],
    tiers: { tier1: 0, tier2: 1, tier3: 0 },
    said: [{ iteration: 4, rule: "mine" }],
  });
  const told = keptTerminal();
  await testRules({ file: file(run, text), on: "tiny-1", workspace: run.workspace, terminal: told });
  expect(told.lines).toContain("In all: tier 1 0, tier 2 1, tier 3 0.");
});
