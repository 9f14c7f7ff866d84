// @vitest-environment happy-dom
import { expect, it } from "vitest";
import { changesSince, type Seen } from "./changes-since.ts";

const seen = {
  run: { state: "paused", attempt: 1 },
  control: { incidents: [{ id: 3, summary: "approx KL 0.3 > 0.15", decision: null }], commands: [], active: [] },
} as unknown as Seen;

it("is silent if nothing has changed", () => {
  expect(changesSince(seen, seen)).toEqual([]);
});

it("tells of the state, of decisions and of commands, whoever made them", () => {
  const now = {
    run: { state: "running", attempt: 2 },
    control: {
      incidents: [
        {
          id: 3,
          summary: "approx KL 0.3 > 0.15",
          decision: { action: "rollback", to: 20, changes: [], reason: "too fast" },
        },
        { id: 4, summary: "entropy 0.01 < 0.1", decision: null },
      ],
      commands: [{ id: 7, kind: "set", payload: { key: "ppo.kl.coef", value: 0.1 }, reason: "it drifts" }],
      active: [],
    },
  } as unknown as Seen;
  expect(changesSince(seen, now)).toEqual([
    "The run was paused and is running.",
    "It continues as attempt 2.",
    "Incident 3 was decided: roll back to iteration 20 (too fast).",
    "Incident 4 opened: entropy 0.01 < 0.1.",
    "Someone gave a command: set ppo.kl.coef to 0.1 (it drifts).",
  ]);
});
