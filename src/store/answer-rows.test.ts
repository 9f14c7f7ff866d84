import { describe, expect, it } from "vitest";
import { answerRecord, runRecord, temporaryStore } from "../../test/support/store.ts";

describe("answers to the monitoring set", () => {
  it("come back as they were recorded, in the order of the set", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    const recorder = store.recorder("a", store.startAttempt("a"));
    const rows = [
      answerRecord({ index: 0, response: "\0", kind: null, score: null, verdicts: {} }),
      answerRecord({ index: 1, score: Number.NaN, stopReason: "length" }),
      answerRecord({ index: 2, score: Number.NEGATIVE_INFINITY }),
    ];
    recorder.answers("ppo", 0, "policy", rows.toReversed());
    recorder.answers("ppo", 0, "reference", [answerRecord({ response: "before" })]);
    recorder.commit();
    const place = { attempt: 1, stage: "ppo", iteration: 0, superseded: false };
    expect(store.answers("a", 0)).toMatchObject(rows.map((row) => ({ ...place, ...row, model: "policy" })));
    expect(store.answers("a", "reference")).toMatchObject([{ response: "before", model: "reference" }]);
    expect(store.answers("a", 1)).toEqual([]);
  });

  it("of abandoned iterations are left out", () => {
    const store = temporaryStore();
    store.createRun(runRecord("a"));
    const record = (attempt: number, iterations: readonly number[]) => {
      const recorder = store.recorder("a", attempt);
      for (const iteration of iterations) {
        recorder.metrics("ppo", iteration, { x: 1 });
        recorder.answers("ppo", iteration, "policy", [answerRecord({ response: `${attempt}.${iteration}` })]);
        if (iteration === 0) recorder.answers("ppo", 0, "reference", [answerRecord()]);
        recorder.commit();
      }
    };
    record(store.startAttempt("a"), [0, 30, 60]);
    record(store.startAttempt("a"), [30]);
    expect(store.answerIterations("a")).toEqual([0, 30]);
    expect(store.answers("a", 30).map(({ response }) => response)).toEqual(["2.30"]);
    expect(store.answers("a", 60)).toEqual([]);
    expect(store.answers("a", "reference")).toHaveLength(1);
    record(store.startAttempt("a", { begins: { stage: "reward", iteration: 0 } }), []);
    expect(store.answers("a", "reference")).toEqual([]);
  });
});
