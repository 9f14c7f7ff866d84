/** Incidents on the command line: what operators read, and every decision that cannot be carried out. */
import { describe, expect, it } from "vitest";
import { evidence, incidentRecord } from "../../../../test/support/incident.ts";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../../test/support/workspace.ts";
import type { IncidentEvidence } from "../../../types/alerts.ts";
import { StoreError, UsageError } from "../../../util/errors.ts";
import { selfName } from "../../find-run.ts";
import { listIncidents, resolveIncident, showIncident } from "./index.ts";

function opened(changes: Partial<IncidentEvidence> = {}) {
  const run = workspaceWithRun({ checkpoints: [50, 77, 78] });
  const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
  const id = recorder.incident(incidentRecord({ evidence: { ...evidence, ...changes } }))!;
  recorder.state("stopped");
  recorder.close();
  const terminal = keptTerminal();
  return { ...run, id, terminal, options: { id, workspace: run.workspace, terminal } };
}

describe("list", () => {
  it("says if there is nothing, and if nothing is open", async () => {
    const { workspace, options, terminal } = opened();
    const list = (more: object) => listIncidents({ workspace, terminal, ...more });
    await list({ open: true });
    expect(terminal.lines[1]).toMatch(/^ +1 {2}● open +tiny-1 +77 .*kl_stop +approx KL 0.31 > 0.15$/);
    expect(terminal.lines.at(-1)).toBe(`\nSee one with: ${selfName()} incidents show 1 --workspace ${workspace}`);
    await resolveIncident({ ...options, stop: true, reason: "enough" });
    terminal.lines.length = 0;
    await list({ open: true });
    expect(terminal.lines).toEqual([expect.stringMatching(/^There are no open incidents in /)]);
    await list({});
    expect(terminal.lines[2]).toContain("✓ decided");
    expect(terminal.lines[2]).toContain("→  stop: enough");
    await expect(list({ run: "other" })).rejects.toThrow("there is no run other");
  });
});

describe("show", () => {
  it("prints the evidence readably, with nothing that acts on the terminal", async () => {
    const { options, terminal } = opened();
    await showIncident(options);
    const text = terminal.lines.join("\n");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]/);
    expect(text).toContain("incident 1  ● open  run tiny-1, attempt 1, ppo iteration 77");
    expect(text).toContain("rule kl_stop: kl/old_new_k3_token > 0.15; it saw 0.31");
    const rows = terminal.lines.filter((line) => /^(5[89]|6\d|7[0-7]) /.test(line));
    expect(rows).toHaveLength(20);
    expect(rows[19]!.split(/ {2,}/)).toEqual(["77", "0.31", "0.95", "0"]);
    expect(rows[0]!.split(/ {2,}/)).toEqual(["58", "0.01", "0", "–"]);
    expect(text).toContain("score -Inf  what is 7 plus 5 ?");
    expect(text).toContain("it 70  ppo.learningRate  3e-5 → 0.001  (operator)");
    expect(text).toContain("it 74 to 84  approx KL 0.08 > 0.05 for 3 iterations");
    expect(text).toMatch(/last healthy: .*tiny-1\/ppo\/checkpoint-000050$/m);
    for (const decision of ["--rollback last-healthy", "--rollback before", "--resume", "--stop"])
      expect(terminal.lines).toContain(
        `  ${selfName()} incidents resolve 1 ${decision} --reason "..." --workspace ${options.workspace}`,
      );
    expect(text).toMatch(/and then: .* resume /);
  });

  it("fits a narrow terminal, and gives programs every signal", async () => {
    const { options } = opened();
    const narrow = keptTerminal({ width: 30 });
    await showIncident({ ...options, terminal: narrow });
    const header = narrow.lines.find((line) => line.startsWith("it"))!;
    expect(header).toMatch(/^it +KL of step +reward$/);
    const { lines, ...rest } = keptTerminal();
    await showIncident({ ...options, terminal: { lines, ...rest } as typeof narrow, json: true });
    expect(JSON.parse(lines[0]!).evidence.iterations[18].values["policy/grad_norm"]).toBe("NaN");
  });

  it("says which checkpoints are gone, and which incidents there are", async () => {
    const { options, terminal } = opened({
      checkpoints: { before: "/x/checkpoint-000070", present: null, lastHealthy: null },
    });
    await showIncident(options);
    expect(terminal.lines.join("\n")).toMatch(
      /before it: .*checkpoint-000070 \(gone\)\nas it is now: none\nlast healthy: none/,
    );
    const unknown = await showIncident({ ...options, id: 9 }).catch((error) => error);
    expect(unknown).toBeInstanceOf(UsageError);
    expect(unknown.message + unknown.hint).toMatch(/there is no incident 9 in .*Open: 1\./);
  });
});

describe("resolve", () => {
  it.each([
    [{ rollback: "last-healthy" }, { action: "rollback", to: 50 }],
    [{ rollback: "before" }, { action: "rollback", to: 77 }],
    [{ rollback: "78" }, { action: "rollback", to: 78 }],
    [{ resume: true }, { action: "resume", to: null }],
    [{ stop: true }, { action: "stop", to: null }],
  ])("writes %j as a decision", async (decision, expected) => {
    const { options, store } = opened();
    await resolveIncident({ ...options, ...decision, reason: " tried " });
    expect(store.incident(1)!.decision).toMatchObject({ ...expected, changes: [], reason: "tried" });
  });

  it("takes settings, checked with one another", async () => {
    const { options, store, terminal } = opened();
    const set = ["ppo.learningRate=1e-4", "ppo.dualClip=null", "ppo.minibatches=4"];
    await resolveIncident({ ...options, resume: true, set, reason: "slower" });
    expect(store.incident(1)!.decision!.changes).toEqual([
      { key: "ppo.learningRate", value: 1e-4 },
      { key: "ppo.dualClip", value: null },
      { key: "ppo.minibatches", value: 4 },
    ]);
    expect(terminal.lines[0]).toBe(
      "incident 1: resume with ppo.learningRate=0.0001, ppo.dualClip=null, ppo.minibatches=4: slower",
    );
    expect(terminal.lines[1]).toMatch(/^Next: .* resume /);
  });

  it.each([
    [{}, "the decision is missing"],
    [{ resume: true, stop: true }, "--resume and --stop cannot be combined"],
    [{ resume: true, reason: "  " }, "a decision needs a reason"],
    [{ stop: true, set: ["ppo.gamma=1"] }, "a stopped run has no settings to change"],
    [{ rollback: "49" }, "there is no checkpoint of 49 iterations"],
    [{ rollback: "healthy" }, "expected last-healthy, before or a number of iterations"],
    [{ rollback: "toString" }, "expected last-healthy, before or a number of iterations"],
    [{ resume: true, set: ["ppo.learningRat=1"] }, "ppo.learningRat cannot be changed while ppo runs"],
    [{ resume: true, set: ["sft.learningRate=1"] }, "sft.learningRate cannot be changed while ppo runs"],
    [{ resume: true, set: ["ppo.learningRate=-1"] }, "ppo.learningRate: expected a number above 0, found -1"],
    [{ resume: true, set: ["ppo.learningRate=fast"] }, "expected a number above 0, found fast"],
    [{ resume: true, set: ["ppo.learningRate=[1]"] }, "expected a number, a word, true, false or null"],
    [{ resume: true, set: ["ppo.minibatches=7"] }, "is not divisible by 7 minibatches"],
    [{ resume: true, set: ["learningRate"] }, "expected key=value"],
  ])("refuses %j", async (decision, message) => {
    const { options, store } = opened();
    const failure = await resolveIncident({ reason: "tried", ...options, ...decision }).catch((error) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect(failure.message).toContain(message);
    expect(store.incident(1)!.decision).toBeNull();
  });

  it("says which checkpoints are left if the one that is meant is gone", async () => {
    const { options } = opened({ checkpoints: { before: "/x/checkpoint-000070", present: null, lastHealthy: null } });
    const failure = (rollback: string) =>
      resolveIncident({ ...options, rollback, reason: "r" }).catch((error) => error);
    expect(await failure("before")).toMatchObject({
      message: expect.stringContaining("the checkpoint before, of 70 iterations, is gone"),
      hint: "There are: 50, 77, 78.",
    });
    expect(await failure("last-healthy")).toMatchObject({ message: "incident 1 has no checkpoint last-healthy" });
  });

  it("a second time is an error that says what was decided", async () => {
    const { options, store, folder } = opened();
    await resolveIncident({ ...options, rollback: "before", reason: "first" });
    const failure = await resolveIncident({ ...options, rollback: "9", reason: "second" }).catch((error) => error);
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure.message).toMatch(/^incident 1 was decided .*: rollback to 77, "first"$/);
    expect(failure.hint).toBe(`The first decision holds; to continue the run: ${selfName()} resume ${folder}`);
    expect(store.incident(1)!.decision).toMatchObject({ reason: "first" });
  });
});
