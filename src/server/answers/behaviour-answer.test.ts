/** The monitoring set across iterations: shares with intervals, what changed, what agrees. */
import { expect, it } from "vitest";
import { asked, served } from "../../../test/support/server.ts";
import { workspaceWithRun } from "../../../test/support/workspace.ts";
import { shareInterval95 } from "../../rl/interval.ts";
import type { AnswersAnswer, BehaviourAnswer } from "../../types/page.ts";
import type { AnswerRecord } from "../../types/records.ts";

/** Four answers to two prompts. */
function answers(responses: readonly string[], passed: readonly boolean[]): AnswerRecord[] {
  return responses.map((response, index) => ({
    ...{ index, kind: index < 2 ? "sum" : null, prompt: `prompt ${index < 2 ? 0 : 1}`, response },
    ...{ score: index === 3 ? null : index, stopReason: "stop" },
    verdicts: index === 3 ? {} : { [index === 2 ? "refuses" : "sums"]: passed[index]! },
  }));
}

function recorded() {
  const run = workspaceWithRun();
  const recorder = run.store.recorder("tiny-1", run.store.startAttempt("tiny-1"));
  recorder.metrics("ppo", 0, { "kl/ref_k3_token": Number.NaN });
  recorder.answers("ppo", 0, "reference", answers(["r0", "r1", "r2", "r3"], [false, false, false]));
  recorder.answers("ppo", 0, "policy", answers(["a", "a", "b", "c"], [true, false, true]));
  recorder.commit();
  recorder.metrics("ppo", 10, { "kl/ref_k3_token": 0.5 });
  recorder.answers("ppo", 10, "policy", answers(["a", "x", "b", "y"], [true, true, true]));
  recorder.commit();
  return { ...run, recorder, app: served(run.store) };
}

it("has a point for each time it was asked", async () => {
  const { app } = recorded();
  const { answer } = await asked<BehaviourAnswer>(app, "/api/runs/tiny-1/behaviour");
  expect(answer.checks).toEqual(["sums", "refuses"]);
  const [first, second] = answer.points;
  const sums = shareInterval95([true, false], ["prompt 0", "prompt 0"]);
  expect(first).toMatchObject({ iteration: 0, score: 1, kl: "NaN", changed: null, consistency: 0.5 });
  expect(first?.checks.sums).toEqual({ ...sums, n: 2, distinctPrompts: 1 });
  expect(first?.checks.refuses).toMatchObject({ mean: 1, n: 1 });
  expect(first?.gold).toMatchObject({ mean: 2 / 3, n: 3, distinctPrompts: 2 });
  expect(second).toMatchObject({ iteration: 10, kl: 0.5, changed: 0.5, consistency: 0 });
  expect(second?.checks.sums).toMatchObject({ mean: 1, high: 1 });
  expect(second?.checks.sums?.low).toBeGreaterThan(0);
  expect(answer.evaluation).toBeNull();
});

it("of a long run has points evenly spread, the first and the newest among them, and says how many there are", async () => {
  const { app, recorder } = recorded();
  for (let iteration = 11; iteration <= 1_110; iteration++)
    recorder.answers("ppo", iteration, "policy", answers([String(iteration), "b", "c", "d"], [true, true, true]));
  recorder.commit();
  const { answer } = await asked<BehaviourAnswer>(app, "/api/runs/tiny-1/behaviour");
  expect(answer.of).toBe(1_102);
  const shown = answer.points.map(({ iteration }) => iteration);
  expect([shown.length, shown[0], shown[1], shown[2], shown.at(-1)]).toEqual([277, 0, 13, 17, 1_110]);
  // Compared with the previous measurement, which has no point.
  expect(answer.points[2]?.changed).toBe(0.25);
});

it("goes with the newest attempt", async () => {
  const { app, store, recorder } = recorded();
  const iterations = async () =>
    (await asked<BehaviourAnswer>(app, "/api/runs/tiny-1/behaviour")).answer.points.map(({ iteration, changed }) => [
      iteration,
      changed,
    ]);
  expect(await iterations()).toEqual([
    [0, null],
    [10, 0.5],
  ]);
  recorder.close();
  const second = store.recorder("tiny-1", store.startAttempt("tiny-1"));
  second.event({ kind: "resumed", stage: "ppo", iteration: 5, message: "resumed" });
  second.metrics("ppo", 10, { "kl/ref_k3_token": 1 });
  second.answers("ppo", 10, "policy", answers(["a", "a", "b", "c"], [true, true, true]));
  second.commit();
  expect(await iterations()).toEqual([
    [0, null],
    [10, 0],
  ]);
});

it("shows answers side by side, those of the reference too", async () => {
  const { app } = recorded();
  const rows = async (query: string) =>
    (await asked<AnswersAnswer>(app, `/api/runs/tiny-1/behaviour/answers?${query}`)).answer.rows;
  const [first, , , last] = await rows("a=0&b=10");
  expect(first).toMatchObject({
    index: 0,
    kind: "sum",
    prompt: "prompt 0",
    a: { response: "a" },
    b: { response: "a" },
  });
  expect(last).toMatchObject({ kind: null, a: { response: "c", score: null, verdicts: {} }, b: { response: "y" } });
  expect((await rows("a=reference&b=10"))[1]).toMatchObject({ a: { response: "r1" }, b: { response: "x" } });
  expect((await rows("a=0&b=7"))[0]).toMatchObject({ a: { response: "a" }, b: null });
  expect((await asked(app, "/api/runs/tiny-1/behaviour/answers?a=x")).status).toBe(400);
});

it("keeps nothing of an attempt that was taken over while nobody knew from where on", async () => {
  const { app, store, recorder } = recorded();
  recorder.close();
  const attempt = store.startAttempt("tiny-1");
  const changed = async () =>
    (await asked<BehaviourAnswer>(app, "/api/runs/tiny-1/behaviour")).answer.points.at(-1)?.changed;
  // The new attempt exists, but does not say yet where it begins.
  expect(await changed()).toBe(0.5);
  const second = store.recorder("tiny-1", attempt);
  second.event({ kind: "resumed", stage: "ppo", iteration: 5, message: "resumed" });
  second.metrics("ppo", 10, { "kl/ref_k3_token": 0.1 });
  second.answers("ppo", 10, "policy", answers(["z", "z", "z", "z"], [true, true, true]));
  second.commit();
  expect(await changed()).toBe(1);
});
