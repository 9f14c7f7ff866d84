/** A model answers on the engine of its run unless a different one is asked for, whose settings the run may have. */
import { expect, test } from "vitest";
import { workspaceWithRun } from "../../test/support/workspace.ts";
import { answeringEngine } from "./answering-engine.ts";

const torch = { kind: "torch", dtype: "bf16", python: "/their/python", processes: 2 };

test.each([
  ["its own", "torch", undefined, { kind: "torch", dtype: "bf16", python: "/their/python" }],
  ["the same by name", "torch", "torch", { kind: "torch", dtype: "bf16", python: "/their/python" }],
  ["a different one", "torch", "embedded", { kind: "embedded" }],
  ["its own, the default", "embedded", undefined, { kind: "embedded" }],
  ["PyTorch without settings", "embedded", "torch", { kind: "torch" }],
] as const)("%s", (_, kind, asked, expected) => {
  const { folder, workspace } = workspaceWithRun({ engine: kind === "torch" ? torch : {} });
  expect(answeringEngine({ target: folder, workspace, folders: [], asked })).toEqual(expected);
});

test("a folder that is no run's answers on the embedded engine, or the one that is asked for", () => {
  const { workspace } = workspaceWithRun();
  const some = { target: "somewhere/final", workspace, folders: ["somewhere/final"] };
  expect(answeringEngine(some)).toEqual({ kind: "embedded" });
  expect(answeringEngine({ ...some, asked: "torch" })).toEqual({ kind: "torch" });
});
