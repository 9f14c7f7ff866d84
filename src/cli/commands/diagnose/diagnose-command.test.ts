import { beforeEach, describe, expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import type { SampleRecord } from "../../../types/records.ts";
import { doctor } from "../doctor/index.ts";
import { diagnose } from "./index.ts";

const sample: SampleRecord = {
  index: 0,
  prompt: "say\u001b[2J it",
  response: "no\nno",
  score: 0.5,
  components: {},
  kl: 0,
  stopReason: "stop",
  ...{ tokens: [], logprobs: [], refLogprobs: [], values: [], advantages: [] },
  reason: "chosen",
};

/** A run of 30 of 40 iterations whose reward does not rise. */
function flatRun() {
  const run = workspaceWithRun({ ppo: { iterations: 40, rewards: [{ kind: "exact" }] } });
  const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
  for (let i = 0; i < 30; i++) {
    recorder.metrics("ppo", i, {
      "reward/score_mean": 0.01 * (i % 2),
      "reward/score_std": 1,
      "reward/score_p5": -1,
      "reward/score_p95": 2,
      "kl/old_new_k3_token": 0.01,
      "entropy/ratio_to_first": i < 20 ? 0.7 : Number.NaN,
    });
    recorder.samples("ppo", i, [sample]);
    recorder.commit();
  }
  recorder.event({ kind: "error", stage: "ppo", iteration: 29, message: "cannot allocate 3 GB" });
  recorder.close();
  return run;
}

let workspace = "";
beforeEach(() => {
  workspace = flatRun().workspace;
});

describe("diagnose", () => {
  it("reads a run's metrics, messages and samples", async () => {
    const terminal = keptTerminal({ width: 80 });
    await diagnose({ run: "tiny-1", workspace, terminal });
    const text = terminal.lines.join("\n");
    expect(terminal.lines[0]).toBe("tiny-1, 30 iterations");
    expect(text).toContain("● likely  the reward or its verifier is wrong  (the reward does not rise)");
    expect(text).toContain("    0.50  say it → no no");
    expect(text).toContain("cannot allocate 3 GB");
    expect(text).toContain("too many sequences in one pass  (out of memory)");
    // Nothing was recorded about prompts that are trained on, and the lack of evaluation.prompts does not mean it (ppo.evaluationShare).
    expect(text).not.toContain("the evaluation asks the prompts that are trained on");
    expect(text).not.toContain("\u001b");
    expect(Math.max(...terminal.lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("says of a run without a PPO iteration that there is nothing to judge yet", async () => {
    const run = workspaceWithRun({ ppo: { rewards: [{ kind: "exact" }] } });
    const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
    recorder.metrics("sft", 3, { "sft/loss": 1 });
    recorder.commit();
    const said = async () => {
      const terminal = keptTerminal({ width: 80 });
      await diagnose({ run: "tiny-1", workspace: run.workspace, terminal });
      return terminal.lines.join("\n");
    };
    expect(await said()).toMatch(/^tiny-1, no PPO iteration yet\n/);
    expect(await said()).toContain("There is no PPO iteration to judge yet");
    expect(await said()).not.toMatch(/No symptom|[●◐○]/);
    recorder.event({ kind: "error", stage: "sft", iteration: 3, message: "cannot allocate 3 GB" });
    recorder.close();
    expect(await said()).toContain("There is no PPO iteration to judge yet");
    expect(await said()).toContain("cannot allocate 3 GB");
  });

  it("gives programs all of it on one line", async () => {
    const terminal = keptTerminal();
    await diagnose({ run: "tiny-1", workspace, json: true, terminal });
    const { run, iterations, diagnoses } = JSON.parse(terminal.lines.join());
    expect({ run, iterations }).toEqual({ run: "tiny-1", iterations: 30 });
    expect(diagnoses[0]).toMatchObject({ symptom: "reward_flat", likelihood: 0.9 });
  });
});

describe("doctor of a run", () => {
  it("goes through the checklist up to where it is", async () => {
    const terminal = keptTerminal({ width: 80 });
    const options = { subject: "tiny-1", overrides: [], workspace, model: true, terminal };
    await doctor(options);
    expect(terminal.lines[0]).toBe("tiny-1, 30 of 40 iterations");
    expect(terminal.lines).toContain("first eighth, iterations 0 to 4");
    expect(terminal.lines).toContain("the rest, iterations 20 to 39 (it is here)");
    expect(terminal.lines).toContain("  ✗ not ok  entropy 0.75 to 1.1 of iteration 0's: 0.7 of it");
    expect(terminal.lines).toContain("  ✓ ok      entropy 0.5 to 0.75 of iteration 0's: 0.7 of it");
    expect(terminal.lines.join("\n")).toContain(
      "? unknown entropy 0.4 to 0.6 of iteration 0's: not enough was recorded",
    );
    expect(Math.max(...terminal.lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    await doctor({ ...options, json: true });
    expect(JSON.parse(terminal.lines.at(-1) as string)).toMatchObject({ run: "tiny-1", done: 30, iterations: 40 });
  });
});
