/** The history of hyperparameters: causes, attempts, and superseded changes. */
import { expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import type { SettingRecord } from "../../../types/records.ts";
import { history } from "./index.ts";

function recorded() {
  const { store, workspace } = workspaceWithRun();
  const change = (key: string, iteration: number, before: number | null, value: number, more: object = {}) =>
    ({ stage: "ppo", iteration, key, before, value, cause: "schedule", ...more }) as SettingRecord;
  const first = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  first.setting(change("ppo.gamma", 0, null, 1, { cause: "config" }));
  first.setting(change("ppo.learningRate", 0, null, 3e-5, { cause: "config" }));
  for (let i = 1; i < 10; i++) first.setting(change("ppo.learningRate", i, 3e-5 / i, 3e-5 / (i + 1)));
  first.setting(change("ppo.learningRate", 12, 3e-6, 2e-6, { cause: "intervention", intervention: 4 }));
  const command = store.addCommand("tiny-1", {
    kind: "set",
    payload: { key: "ppo.learningRate", value: Number.NaN },
    reason: "too\x1b[2J slow",
  });
  first.commit();
  first.close();
  const second = store.recorder("tiny-1", store.startAttempt("tiny-1", { begins: { stage: "ppo", iteration: 12 } }));
  second.markApplied(command, "ppo", 12);
  second.setting(change("ppo.learningRate", 12, 3e-6, Number.NaN, { cause: "operator" }));
  second.commit();
  const terminal = keptTerminal({ width: 120 });
  return { terminal, options: { run: "tiny-1", workspace, terminal } };
}

it("shows each change with its cause, what a schedule did as one line, and what never changed", async () => {
  const { terminal, options } = recorded();
  await history(options);
  expect(terminal.lines.map((line) => line.split(/ {2,}/))).toEqual([
    ["hyperparameter", "iteration", "attempt", "before", "after", "cause"],
    ["ppo.learningRate", "ppo 0", "1", "–", "3e-5", "config"],
    ["", "ppo 1 to 9", "1", "3e-5", "3e-6", "schedule, 9 changes"],
    ["", "ppo 12", "1", "3e-6", "2e-6", "intervention 4, superseded"],
    ["", "ppo 12", "2", "3e-6", "NaN", "operator: too slow"],
    [""],
    ["As configured from the start: ppo.gamma 1"],
  ]);
});

it("of one key has every row, as text and as JSON", async () => {
  const { terminal, options } = recorded();
  await history({ ...options, key: "ppo.learningRate" });
  expect(terminal.lines).toHaveLength(1 + 12);
  terminal.lines.length = 0;
  await history({ ...options, key: "ppo.learningRate", json: true });
  expect(JSON.parse(terminal.lines.at(-1)!)).toMatchObject({
    iteration: 12,
    attempt: 2,
    before: 3e-6,
    value: "NaN",
    cause: "operator",
    superseded: false,
  });
  expect(JSON.parse(terminal.lines.at(-2)!)).toMatchObject({ intervention: 4, superseded: true });
});

it("knows what was meant", async () => {
  const failure = await history({ ...recorded().options, key: "ppo.learningrate" }).catch((error) => error);
  expect(failure).toMatchObject({ exitCode: 2, hint: "Did you mean ppo.learningRate?" });
});
