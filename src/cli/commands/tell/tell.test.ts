import { describe, expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import { type TellOptions, tell } from "./index.ts";

function begun() {
  const clock = { now: 1_000_000 };
  const { workspace, store } = workspaceWithRun({ now: () => clock.now });
  const recorder = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  recorder.metrics("ppo", 5, { x: 1 });
  recorder.commit();
  const terminal = keptTerminal();
  const ask = (what: string, details: readonly string[] = [], more: Partial<TellOptions> = {}) =>
    tell({ run: "tiny-1", what, details, workspace, terminal, ...more });
  const given = () => store.commands("tiny-1").map(({ kind, payload, reason }) => ({ kind, payload, reason }));
  return { terminal, ask, given };
}

describe("ballast tell", () => {
  it("writes commands, with their reason, and says what follows", async () => {
    const { terminal, ask, given } = begun();
    await ask("set", ["ppo.kl.coef=0.1", "ppo.dualClip=3"], { reason: "KL runs away" });
    await ask("save");
    expect(given()).toEqual([
      { kind: "set", payload: { key: "ppo.kl.coef", value: 0.1 }, reason: "KL runs away" },
      { kind: "set", payload: { key: "ppo.dualClip", value: 3 }, reason: "KL runs away" },
      { kind: "save", payload: {}, reason: "" },
    ]);
    // The clock of the test's recorder stands still, long ago: no process is running.
    expect(terminal.lines.slice(0, 2)).toEqual([
      "command 1: set ppo.kl.coef to 0.1",
      "command 2: set ppo.dualClip to 3",
    ]);
    expect(terminal.lines.at(-1)).toMatch(
      /^No process trains tiny-1; it is applied when you resume the run: .* resume \S+tiny-1$/,
    );
  });

  it("gives programs one line of JSON", async () => {
    const { terminal, ask } = begun();
    await ask("stop", [], { json: true, reason: "enough", as: " Ann " });
    expect(JSON.parse(terminal.lines[0]!)).toEqual({
      run: "tiny-1",
      commands: [{ id: 1, kind: "stop", reason: "enough", operator: "Ann" }],
      next: expect.stringContaining("No process trains tiny-1"),
    });
  });

  it.each([
    ["puase", [], "Did you mean pause?"],
    ["set", [], "tiny-1 set ppo.kl.coef=0.1"],
    ["set", ["ppo.kl.coef"], "For example: ppo.epochs=2"],
    ["set", ["ppo.kl.coef=0.1", "ppo.kl.ceof=0.1"], "Did you mean ppo.kl.coef?"],
    ["pause", ["ppo.kl.coef=0.1"], "Did you mean: set ppo.kl.coef=0.1?"],
    ["stop", ["now"], "Say why with --reason TEXT."],
    ["undo", [], "tiny-1 undo 3. `ballast history "],
    ["undo", ["1", "2"], "tiny-1 undo 3. `ballast history "],
    ["undo", ["kl_soft"], "None is in force now."],
    ["undo", ["3"], "None is in force now."],
  ])("refuses %s %j, writes nothing, and says what to type instead", async (what, details, hint) => {
    const { ask, given } = begun();
    await expect(ask(what, details)).rejects.toMatchObject({ exitCode: 2, hint: expect.stringContaining(hint) });
    expect(given()).toEqual([]);
  });

  it("needs a run", async () => {
    await expect(begun().ask("save", [], { run: "tiny-2" })).rejects.toThrow("there is no run tiny-2");
  });
});
