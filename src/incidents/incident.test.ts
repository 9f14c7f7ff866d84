import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Killed, killedAt } from "../../test/support/killed.ts";
import { rule } from "../../test/support/rules.ts";
import { runPpo } from "../../test/support/run-ppo.ts";
import { newWorld, type World } from "../../test/support/stage.ts";
import { RolledBack, StoppedByController } from "../util/errors.ts";

const ppo = { iterations: 6, checkpointEvery: 1, keep: 2 };
/** Stops at the end of iteration 3, whatever happens, because the length of the history is known. */
const afterUpdate = rule("tier: 1, says: epochs, when: {signal: update/epochs, above: 0}, minHistory: 4", "fourth");
const afterScoring = rule(
  "tier: 1, says: length, when: {signal: response/length_mean, above: 0}, minHistory: 4",
  "fourth",
);
const state = (world: World) => readdirSync(join(world.folder, "ppo")).filter((name) => !name.endsWith(".json"));

describe("tier 1", () => {
  it("after the update keeps the state before the iteration and the present one, and ends with code 3", async () => {
    const world = newWorld();
    const stopped = await runPpo({ world, ppo, rules: [afterUpdate] }).catch((error) => error);
    expect(stopped).toBeInstanceOf(StoppedByController);
    expect(stopped.exitCode).toBe(3);
    expect(stopped.message).toBe("stopped by the controller: incident 1, epochs 2 > 0");
    expect([...world.store.curve("ppo").keys()]).toEqual([0, 1, 2, 3]);
    const [incident] = world.store.incidents;
    expect(incident).toMatchObject({ id: 1, rule: "fourth", iteration: 3, decision: null });
    const { evidence } = incident!;
    expect(evidence.iterations.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3]);
    expect(evidence.worstSamples).toHaveLength(5);
    expect(evidence.worstSamples[0]!.score).toBeLessThanOrEqual(evidence.worstSamples[4]!.score);
    for (const [name, step] of [
      ["before", 3],
      ["present", 4],
    ] as const) {
      expect(evidence.checkpoints[name]).toMatch(new RegExp(`checkpoint-00000${step}$`));
      expect(existsSync(evidence.checkpoints[name]!)).toBe(true);
    }
    expect(world.store.messages("incident")[0]).toMatch(/^epochs 2 > 0 {2}-> {2}saved, paused: incident 1$/);
  });

  it("after scoring stops before anything reaches the weights", async () => {
    const world = newWorld();
    await expect(runPpo({ world, ppo, rules: [afterScoring] })).rejects.toThrow(StoppedByController);
    expect([...world.store.curve("ppo").keys()]).toEqual([0, 1, 2]);
    const { iterations, checkpoints } = world.store.incidents[0]!.evidence;
    expect(iterations.at(-1)!.iteration).toBe(3);
    expect(checkpoints).toMatchObject({ before: expect.stringMatching(/checkpoint-000003$/), present: null });
  });

  it("with interventions off is an alert, and the run is the one without rules", async () => {
    const off = { interventions: "off" };
    const watched = await runPpo({ ppo, rules: [afterUpdate], control: off });
    const alone = await runPpo({ ppo, control: off });
    expect(watched.world.store.messages("alert")).toHaveLength(3);
    expect(watched.world.store.incidents).toEqual([]);
    expect(watched.weights).toBe(alone.weights);
  });

  it.each([
    ["after the update", afterUpdate],
    ["after scoring", afterScoring],
  ])(
    "%s: a run that an operator lets go on ends as one that was not stopped, waiting or resumed",
    async (_, stopping) => {
      const whole = await runPpo({ ppo });
      const resumed = newWorld();
      await expect(runPpo({ world: resumed, ppo, rules: [stopping] })).rejects.toThrow("incident 1");
      await expect(runPpo({ world: resumed, ppo, rules: [stopping], context: { resume: true } })).rejects.toThrow(
        "incident 1 waits for a decision",
      );
      resumed.store.decide(1, { action: "resume", reason: "as it should be" });
      const after = await runPpo({ world: resumed, ppo, rules: [stopping], context: { resume: true } });
      expect(after.weights).toBe(whole.weights);
      expect([...after.curve]).toEqual([...whole.curve]);

      const waiting = newWorld();
      const decides = setInterval(() => {
        if (waiting.store.incidents.length > 0) waiting.store.decide(1, { action: "resume", reason: "go on" });
      }, 20);
      const waited = await runPpo({ world: waiting, ppo, rules: [stopping], context: { wait: true } });
      clearInterval(decides);
      expect(waited.weights).toBe(whole.weights);
      expect(waiting.store.states).toEqual(expect.arrayContaining(["paused", "running"]));
      expect(waiting.store.incidents).toHaveLength(1);
    },
  );

  it("an operator stops the run for good", async () => {
    const world = newWorld();
    await expect(runPpo({ world, ppo, rules: [afterUpdate] })).rejects.toThrow("incident 1");
    world.store.decide(1, { action: "stop", reason: "enough" });
    await expect(runPpo({ world, ppo, rules: [afterUpdate], context: { resume: true } })).rejects.toThrow(
      "stopped by an operator's decision on incident 1: enough",
    );
  });
});

describe("a rollback", () => {
  it("that an operator asks for goes back, moves what it abandons away, and takes other random streams", async () => {
    const world = newWorld();
    await expect(runPpo({ world, ppo, rules: [afterUpdate] })).rejects.toThrow("incident 1");
    world.store.decide(1, { action: "rollback", to: 3, reason: "before it" });
    const again = (more = {}) => runPpo({ world, ppo, rules: [{ ...afterUpdate, minHistory: 99 }], ...more });
    await expect(again({ context: { resume: true } })).rejects.toThrow(RolledBack);
    const after = await again({ context: { resume: true } });
    expect(state(world)).toContain(`abandoned-${world.store.events.at(-1)!.attempt}-checkpoint-000004`);
    expect(world.store.messages("rollback")).toEqual(["rolled back from iteration 3 to 3: incident 1"]);
    expect([...after.curve.keys()]).toEqual([0, 1, 2, 3, 4, 5]);
    const whole = await runPpo({ ppo });
    expect(after.curve.get(2)).toEqual(whole.curve.get(2));
    expect(after.curve.get(3)!["reward/score_mean"]).not.toBe(whole.curve.get(3)!["reward/score_mean"]);
  });

  it("of a rule goes to the last healthy checkpoint with a changed setting, once; then an operator is called", async () => {
    const world = newWorld();
    const back = rule(
      "tier: 2, says: epochs, when: {signal: update/epochs, above: 0}, minHistory: 4, action: {rollback: {ppo.clipLow: 0.1}}, cooldown: 0",
      "back",
    );
    const options = { world, ppo, rules: [back], control: { profile: "adaptive" } };
    await expect(runPpo(options)).rejects.toThrow(RolledBack);
    // Only iterations before the rule held are healthy: three are done.
    await expect(runPpo({ ...options, context: { resume: true } })).rejects.toThrow("incident 1");
    expect(world.store.messages("rollback")).toEqual(["rolled back from iteration 3 to 3: back"]);
    expect(world.store.curve("ppo").get(3)!["settings/clip_low"]).toBe(0.1);
    expect(world.store.curve("ppo").get(2)!["settings/clip_low"]).toBe(0.2);
  });

  it("of a rule changes what something else than the settings holds too, and says so in their history", async () => {
    const world = newWorld();
    const back = rule(
      "tier: 2, says: epochs, when: {signal: update/epochs, above: 0}, minHistory: 4, action: {rollback: {ppo.kl.coef: 0.5, ppo.minibatches: 3}}, cooldown: 0",
      "back",
    );
    const options = { world, ppo, rules: [back], control: { profile: "adaptive" } };
    await expect(runPpo(options)).rejects.toThrow(RolledBack);
    await expect(runPpo({ ...options, context: { resume: true } })).rejects.toThrow("incident 1");
    expect(world.store.curve("ppo").get(3)!["kl/coef"]).toBe(0.5);
    expect(world.store.settings.filter(({ cause }) => cause === "intervention")).toMatchObject([
      { iteration: 3, key: "ppo.kl.coef", before: 0.05, value: 0.5 },
    ]);
    // 16 sequences cannot be split into three minibatches.
    expect(world.store.messages("warning")).toEqual([
      expect.stringMatching(/^the rollback leaves ppo.minibatches as it was: /),
    ]);
  });

  it.each([
    ["in the first iteration", "minHistory: 1", "0 to 0", 0],
    ["with a window that reaches back to it", "window: 3", "2 to 0", 0],
    ["right after it held for the first time", "minHistory: 3", "2 to 2", 2],
  ])("%s has a state to go back to, whatever is kept", async (_, window, from, to) => {
    const world = newWorld();
    const early = rule(`tier: 1, says: epochs, when: {signal: update/epochs, above: 0}, ${window}`, "early");
    const options = { world, ppo: { ...ppo, iterations: 4, checkpointEvery: 0, keep: 1 } };
    await expect(runPpo({ ...options, rules: [early] })).rejects.toThrow("incident 1");
    const { lastHealthy } = world.store.incidents[0]!.evidence.checkpoints;
    expect(lastHealthy).toMatch(new RegExp(`checkpoint-00000${to}$`));
    expect(existsSync(lastHealthy!)).toBe(true);
    world.store.decide(1, { action: "rollback", to, reason: "too fast" });
    const resumed = { ...options, rules: [], context: { resume: true } };
    await expect(runPpo(resumed)).rejects.toThrow(RolledBack);
    const after = await runPpo(resumed);
    expect(world.store.messages("rollback")).toEqual([`rolled back from iteration ${from}: incident 1`]);
    expect([...after.curve.keys()]).toEqual([0, 1, 2, 3]);
    // The random streams are others, or the run would walk into the same wall.
    const whole = await runPpo({ ppo: { ...ppo, iterations: 4 } });
    expect(after.curve.get(to)!["reward/score_mean"]).not.toBe(whole.curve.get(to)!["reward/score_mean"]);
  });

  it("killed on the way ends as one that was not", async () => {
    const run = async (kill: boolean) => {
      const world = newWorld();
      await expect(runPpo({ world, ppo, rules: [afterUpdate] })).rejects.toThrow("incident 1");
      world.store.decide(1, { action: "rollback", to: 2, reason: "further back" });
      const options = { world, ppo: { ...ppo, checkpointEvery: 0 }, rules: [], context: { resume: true } };
      await expect(runPpo(options)).rejects.toThrow(RolledBack);
      // The attempt that carries it out reseeds; the next one continues from the same checkpoint with the same seed.
      if (kill) {
        await expect(runPpo({ ...options, prepare: killedAt(40) })).rejects.toThrow(Killed);
      }
      return runPpo(options);
    };
    const [whole, killed] = [await run(false), await run(true)];
    expect(killed.weights).toBe(whole.weights);
    expect([...killed.curve]).toEqual([...whole.curve]);
  });
});
