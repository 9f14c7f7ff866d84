// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import type { WorkspaceAnswer } from "../../../../../src/types/page.ts";
import { workspace } from "../../../state/workspace.ts";
import {
  bodyOf,
  type DecisionDraft,
  decidedWords,
  firstDraft,
  missingOf,
  resolveCommand,
  targetsOf,
} from "./decision.ts";

const incident = {
  iteration: 25,
  evidence: {
    checkpoints: {
      before: "/runs/a/ppo/checkpoint-000025",
      present: "/runs/a/ppo/checkpoint-000026",
      lastHealthy: "/runs/a/ppo/checkpoint-000020",
    },
  },
} as Parameters<typeof targetsOf>[0];
const there = (...iterations: number[]) => iterations.map((iteration) => ({ iteration, healthy: iteration === 10 }));
const draft: DecisionDraft = { action: "rollback", to: "last-healthy", set: [], reason: "too fast" };

beforeEach(() => {
  workspace.value = { self: "./bin/ballast", option: "--workspace /tmp/r" } as WorkspaceAnswer;
});

describe("where a rollback can lead", () => {
  it("names what the incident knows, then the others, the newest first", () => {
    expect(targetsOf(incident, there(10, 15, 20, 25)).map(({ to }) => to)).toEqual([
      "last-healthy",
      "before",
      "15",
      "10",
    ]);
  });
  it("says of a named checkpoint that it is gone", () => {
    expect(targetsOf(incident, there(25))[0]).toMatchObject({ to: "last-healthy", iteration: 20, isThere: false });
  });
  it("begins with what is there, and with resuming if nothing is", () => {
    expect(firstDraft(targetsOf(incident, there(25)))).toMatchObject({ action: "rollback", to: "before" });
    expect(firstDraft(targetsOf(incident, [])).action).toBe("resume");
  });
});

describe("a decision", () => {
  it("misses its reason, though there are spaces in it, and values of settings", () => {
    expect(missingOf(draft)).toBeNull();
    expect(missingOf({ ...draft, reason: " \n" })).toMatch(/reason/);
    expect(missingOf({ ...draft, set: [{ key: "ppo.clipLow", value: " " }] })).toMatch(/value/);
    expect(missingOf({ ...draft, to: "" })).toMatch(/checkpoint/);
  });
  it("is sent as the command says it", () => {
    const set = [{ key: "ppo.learningRate", value: " 1e-4" }];
    expect(bodyOf({ ...draft, set })).toEqual({
      action: "rollback",
      to: "last-healthy",
      set: ["ppo.learningRate=1e-4"],
      reason: "too fast",
    });
    expect(resolveCommand(3, { ...draft, set })).toBe(
      "./bin/ballast incidents resolve 3 --rollback last-healthy --set ppo.learningRate=1e-4 --reason 'too fast' --workspace /tmp/r",
    );
  });
  it("to resume or stop has no place to go to, and to stop no settings", () => {
    const set = [{ key: "ppo.clipLow", value: "0.1" }];
    expect(bodyOf({ ...draft, action: "resume", set })).toEqual({
      action: "resume",
      set: ["ppo.clipLow=0.1"],
      reason: "too fast",
    });
    expect(bodyOf({ ...draft, action: "stop", set })).toEqual({ action: "stop", reason: "too fast" });
    expect(missingOf({ ...draft, action: "stop", set: [{ key: "ppo.clipLow", value: "" }] })).toBeNull();
  });
  it("is quoted for a shell, whatever is typed", () => {
    const reason = "it's $(rm -rf /) `too` fast";
    expect(resolveCommand(3, { ...draft, action: "stop", reason })).toContain(
      "--stop --reason 'it'\\''s $(rm -rf /) `too` fast'",
    );
    expect(resolveCommand(3, { ...draft, action: "stop", reason: "" })).toContain('--reason "..."');
    expect(resolveCommand(3, { ...draft, set: [{ key: "ppo.keep", value: "a; b" }] })).toContain(
      "--set 'ppo.keep=a; b'",
    );
  });
  it("that was made is told in words", () => {
    const changes = [{ key: "ppo.clipLow", value: 0.1 }];
    expect(decidedWords({ action: "rollback", to: 20, changes })).toBe(
      "roll back to iteration 20 with ppo.clipLow=0.1",
    );
    expect(decidedWords({ action: "stop", to: null, changes: [] })).toBe("stop");
  });
});
