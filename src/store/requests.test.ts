import { describe, expect, it } from "vitest";
import { incidentRecord } from "../../test/support/incident.ts";
import { closedAfterwards, runRecord, temporaryStore } from "../../test/support/store.ts";
import { openStore } from "./index.ts";

function storeWithRun() {
  const store = temporaryStore();
  store.createRun(runRecord("a"));
  return store;
}

describe("a request with a key", () => {
  it("is done once, and answered the same again, by another process too", () => {
    const store = storeWithRun();
    let done = 0;
    const stop = (by = store) => {
      done++;
      return { status: 201, body: `{"id":${by.addCommand("a", { kind: "stop" })}}` };
    };
    expect(store.once("k1", "h", () => stop())).toEqual({ status: 201, body: '{"id":1}', repeated: false });
    expect(store.once("k1", "h", () => stop())).toEqual({ status: 201, body: '{"id":1}', repeated: true });
    const other = closedAfterwards(openStore(store.path));
    expect(other.once("k1", "h", () => stop(other))).toMatchObject({ body: '{"id":1}', repeated: true });
    expect(other.once("k2", "h", () => stop(other))).toMatchObject({ body: '{"id":2}', repeated: false });
    expect([done, store.commands("a").length]).toEqual([2, 2]);
  });

  it("is refused if the key stood for another one", () => {
    const store = storeWithRun();
    store.once("k", "h1", () => ({ status: 200, body: "" }));
    const another = () =>
      store.once("k", "h2", () => ({ status: 200, body: `${store.addCommand("a", { kind: "stop" })}` }));
    expect(another).toThrow("the idempotency key k was used for a different request");
    expect(store.commands("a")).toEqual([]);
  });

  it("that fails leaves nothing behind and may be sent again", () => {
    const store = storeWithRun();
    const recorder = store.recorder("a", store.startAttempt("a"));
    const incident = recorder.incident(incidentRecord())!;
    const decide = (fails: boolean) => () => {
      store.addMark("a", { kind: "tag", value: "decided", present: true });
      // A decision made elsewhere has its own transaction.
      store.decide(incident, { action: "resume", to: null, changes: [{ key: "ppo.clipLow", value: 0.1 }], reason: "" });
      if (fails) throw new Error("no");
      return { status: 200, body: "done" };
    };
    expect(() => store.once("k", "h", decide(true))).toThrow("no");
    expect([store.marks(), store.commands("a"), store.incident(incident)!.decision]).toEqual([[], [], null]);
    expect(store.once("k", "h", decide(false))).toMatchObject({ body: "done", repeated: false });
    expect(store.commands("a")).toHaveLength(1);
    recorder.metrics("ppo", 0, { x: 1 });
    recorder.commit();
    expect(store.values("a", "ppo", 0)).toEqual({ x: 1 });
  });
});

describe("the version of a run's control", () => {
  it("changes with each thing that an operator must have seen, and with nothing else", () => {
    const store = storeWithRun();
    store.createRun(runRecord("b"));
    const recorder = store.recorder("a", store.startAttempt("a"));
    const seen = new Set([store.controlVersion("a")]);
    const steps: (() => void)[] = [
      () => recorder.state("paused"),
      () => store.addCommand("a", { kind: "set", payload: { key: "ppo.clipLow", value: 0.1 } }),
      () => {
        recorder.markApplied(1, "ppo", 3);
        recorder.commit();
      },
      () => recorder.incident(incidentRecord()),
      () => store.decide(1, { action: "resume", to: null, changes: [], reason: "" }),
      () => store.startAttempt("a"),
    ];
    for (const [i, step] of steps.entries()) {
      step();
      seen.add(store.controlVersion("a"));
      expect(seen.size).toBe(i + 2);
    }
    recorder.metrics("ppo", 4, { x: 1 });
    recorder.commit();
    store.addCommand("b", { kind: "stop" });
    store.addMark("a", { kind: "tag", value: "x", present: true });
    expect(seen).toContain(store.controlVersion("a"));
  });
});
