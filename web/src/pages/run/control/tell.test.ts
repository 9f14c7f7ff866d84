// @vitest-environment happy-dom
import { beforeEach, expect, it } from "vitest";
import type { WorkspaceAnswer } from "../../../../../src/types/page.ts";
import { workspace } from "../../../state/workspace.ts";
import { fateOf, givenWords, tellCommand, typedValue } from "./tell.ts";

beforeEach(() => {
  workspace.value = { self: "ballast", option: "" } as WorkspaceAnswer;
});

it("writes the command that does the same", () => {
  expect(tellCommand({ kind: "pause", run: "demo-1" })).toBe("ballast tell demo-1 pause");
  expect(
    tellCommand({ kind: "set", run: "my run", payload: { key: "ppo.kl.coef", value: "0.1" }, reason: "it drifts" }),
  ).toBe("ballast tell 'my run' set ppo.kl.coef=0.1 --reason 'it drifts'");
  expect(tellCommand({ kind: "undo", run: "demo-1", payload: { intervention: 4 } })).toBe("ballast tell demo-1 undo 4");
});

it("reads a value as a command line does", () => {
  expect(["1e-4", " 0.1 ", "true", "null", "best", "1,5", "Infinity"].map(typedValue)).toEqual([
    1e-4,
    0.1,
    true,
    null,
    "best",
    "1,5",
    "Infinity",
  ]);
});

it("tells what becomes of a command, and shows no text that acts", () => {
  const waiting = { appliedIteration: null, appliedStage: null };
  expect(fateOf(waiting, { isAlive: false }).word).toBe("waiting for the run to continue");
  expect(fateOf({ appliedIteration: 0, appliedStage: "ppo" }, { isAlive: true }).word).toBe("applied before ppo it 0");
  expect(givenWords({ kind: "set", payload: { key: "ppo.keep\u202e", value: "best" } })).toBe(
    "set ppo.keep⟨U+202E⟩ to best",
  );
});
