import { describe, expect, it } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import { workspaceWithRun } from "../../test/support/workspace.ts";
import { configOf } from "../inspect/places.ts";
import type { Intervention, InterventionOutcome } from "../types/alerts.ts";
import { UsageError } from "../util/errors.ts";
import { type CommandRequest, checkedCommand, commandContext, whatFollows } from "./command.ts";

/** A run in its PPO iteration 5. */
function running({ ppo = {} }: { ppo?: object } = {}) {
  const clock = { now: 1_000_000 };
  const { store, folder } = workspaceWithRun({ now: () => clock.now, ppo });
  const recorder = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  recorder.metrics("ppo", 5, { x: 1 });
  recorder.commit();
  const context = () =>
    commandContext(store, {
      run: store.run("tiny-1")!,
      config: configOf({ folder }),
      typed: { resume: "ballast resume tiny-1", show: (incident) => `ballast incidents show ${incident}` },
    });
  const tell = (kind: string, payload?: CommandRequest["payload"], reason?: string) => {
    const request = { kind, ...(payload && { payload }), ...(reason !== undefined && { reason }) };
    const command = checkedCommand(request, context());
    store.addCommand("tiny-1", command);
    return command;
  };
  return { store, recorder, clock, context, tell };
}

/** The error as users read it. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof UsageError) return `${error.message} | ${error.hint ?? ""}`;
    throw error;
  }
  return "accepted";
}

const set = (key: unknown, value: unknown) => ["set", { key, value }] as const;

describe("a command", () => {
  it("is what was asked, its reason without spaces around", () => {
    const { tell } = running();
    expect(tell("save", undefined, " before lunch ")).toEqual({ kind: "save", reason: "before lunch" });
    expect(tell(...set("ppo.kl.coef", 0.1))).toEqual({
      kind: "set",
      payload: { key: "ppo.kl.coef", value: 0.1 },
      reason: "",
    });
  });

  it("that is none is refused, with the one that was meant", () => {
    const { tell, store } = running();
    expect(refusal(() => tell("status"))).toMatch(
      /^unknown command "status" \| To see where runs stand: ballast runs\. /,
    );
    expect(refusal(() => tell("puase"))).toBe('unknown command "puase" | Did you mean pause?');
    expect(refusal(() => tell("explode"))).toContain("pause, resume, save, stop, set, undo");
    expect(refusal(() => tell("stop", { key: "x" }))).toBe("stop has no key | stop takes only a reason.");
    expect(store.commands("tiny-1")).toEqual([]);
  });

  it("is refused if the run is done", () => {
    const { tell, recorder } = running();
    recorder.state("done");
    expect(refusal(() => tell("save"))).toContain("tiny-1 is done");
  });
});

describe("set", () => {
  it.each([
    [set("ppo.kl.coeff", 0.1), "cannot be changed while ppo runs | Did you mean ppo.kl.coef?"].flat(1),
    [set("klCoef", 0.1), "has no setting klCoef"].flat(1),
    [set("learningRate", 0.1), "Did you mean ppo.learningRate?"].flat(1),
    [set("sft.learningRate", 0.1), "tiny-1 has no setting sft.learningRate"].flat(1),
    [set("ppo.iterations", 5), "ppo.iterations cannot be changed while ppo runs"].flat(1),
    [set("ppo.clipLow", "wide"), "ppo.clipLow: expected"].flat(1),
    [set("ppo.clipLow", -1), "ppo.clipLow: expected"].flat(1),
    [set("ppo.clipLow", Number.NaN), "ppo.clipLow: expected"].flat(1),
    [set("ppo.minibatches", 7), "not divisible"].flat(1),
    [set("ppo.clipLow", [0.1]), "set needs a key"].flat(1),
    [set(3, 0.1), "set needs a key"].flat(1),
    [["set", { key: "ppo.clipLow", value: 0.1, now: true }], "set has no now"].flat(1),
    [["set", {}], "set needs a key"].flat(1),
  ])("%s %j: %s", (kind, payload, said) => {
    const { tell } = running();
    expect(refusal(() => tell(kind as string, payload as CommandRequest["payload"]))).toContain(said);
  });

  it("goes past older ones that the trainer refuses", () => {
    const { tell, store } = running();
    for (const payload of [{ key: "ppo.clipLow", value: "wide" }, { key: "ppo.nothing", value: 1 }, {}])
      store.addCommand("tiny-1", { kind: "set", payload });
    expect(refusal(() => tell(...set("ppo.clipLow", 0.1)))).toBe("accepted");
  });
});

describe("resume", () => {
  it("needs a run that is paused, or will be", () => {
    const { tell, recorder } = running();
    expect(refusal(() => tell("resume"))).toBe("run tiny-1 is not paused | There is nothing to resume.");
    tell("pause");
    tell("resume");
    expect(refusal(() => tell("resume"))).toContain("is not paused");
    for (const { id } of recorder.pendingCommands()) recorder.markApplied(id, "ppo", 6);
    recorder.commit();
    recorder.state("paused");
    expect(refusal(() => tell("resume"))).toBe("accepted");
  });

  it("is none of a dead run, and no way around an incident", () => {
    const { tell, recorder, clock } = running();
    clock.now += 60_000;
    expect(refusal(() => tell("resume"))).toContain("continue it with: ballast resume tiny-1");
    recorder.incident(incidentRecord());
    expect(refusal(() => tell("resume"))).toBe(
      "incident 1 of tiny-1 waits for a decision | How to decide: ballast incidents show 1",
    );
  });
});

describe("undo", () => {
  const intervention: Intervention = {
    id: 1,
    rule: "kl_soft",
    tier: 2,
    action: "learningRate",
    factor: 0.7,
    signal: "kl/old_new_k3_token",
    condition: "> 0.05",
    values: [0.07],
    from: 5,
    until: 15,
    reason: "approx KL 0.07 > 0.05  ->  learning rate x0.7 for 10 iterations (kl_soft)",
  };

  function withInterventions(...more: Partial<Intervention>[]) {
    const run = running();
    for (const one of [{}, ...more]) {
      const whole = { ...intervention, ...one };
      run.recorder.event({
        kind: "intervention",
        stage: "ppo",
        iteration: 5,
        message: whole.reason,
        data: { intervention: whole },
      });
    }
    run.recorder.commit();
    return run;
  }

  it("takes one that is in force, once", () => {
    const { tell } = withInterventions();
    expect(tell("undo", { intervention: 1 }).payload).toEqual({ intervention: 1 });
    expect(refusal(() => tell("undo", { intervention: 1 }))).toContain("is being undone already");
  });

  it("says what is in force if that one is not", () => {
    const { tell, recorder } = withInterventions(
      { id: 2, action: "skip", factor: null, until: null },
      { id: 3, until: 6 },
      { id: 4 },
    );
    const outcome: InterventionOutcome = {
      intervention: 4,
      iteration: 5,
      result: "replaced",
      after: null,
      message: "outcome of kl_soft: replaced by an operator",
    };
    recorder.event({ kind: "outcome", stage: "ppo", iteration: 5, message: outcome.message, data: { outcome } });
    recorder.commit();
    const undo = (id: unknown) => refusal(() => tell("undo", { intervention: id }));
    expect(undo(9)).toMatch(/^run tiny-1 has no intervention 9 \| In force: 1 \(approx KL .*\)\.$/);
    expect(undo(2)).toContain("intervention 2 (skip) was a one-time action");
    expect(undo(3)).toContain("intervention 3 ended before iteration 6");
    expect(undo(4)).toContain("intervention 4 has ended: outcome of kl_soft: replaced by an operator");
    expect(undo("1")).toContain('undo needs the number of an intervention, not "1"');
    expect(undo(JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`))).toContain("not a list or an object");
    expect(undo(undefined)).toContain("undo needs the number");
  });
});

describe("what follows", () => {
  it("depends on who is there to do it", () => {
    const { context, clock, recorder } = running();
    const follows = (kind: "save" | "set", payload = {}) => whatFollows({ kind, payload }, context());
    const whileOneWaits = () => whatFollows({ kind: "save" }, { ...context(), openIncident: 3 });
    expect(follows("save")).toBe("Run tiny-1 applies it before its next iteration.");
    recorder.state("paused");
    expect(follows("save")).toBe("Run tiny-1 is paused and applies it now.");
    expect(whileOneWaits()).toBe("Run tiny-1 waits for the decision on incident 3, and applies it after that.");
    clock.now += 60_000;
    expect(follows("save")).toBe(
      "No process trains tiny-1; it is applied when you resume the run: ballast resume tiny-1",
    );
  });
});
