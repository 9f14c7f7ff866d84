import { describe, expect, it } from "vitest";
import { runRecord, temporaryStore } from "../../test/support/store.ts";
import type { Store } from "./index.ts";

function storeWithRuns(): Store {
  const store = temporaryStore();
  for (const id of ["a", "b"]) store.createRun(runRecord(id));
  return store;
}

const shown = (store: Store, run?: string) =>
  store.marks(run).map(({ runId, kind, value }) => `${runId} ${kind} ${value}`.trim());

describe("marks", () => {
  it("hold until they are taken away, each tag and pin by itself", () => {
    const store = storeWithRuns();
    store.addMark("a", { kind: "tag", value: "good", present: true });
    store.addMark("a", { kind: "tag", value: "long", present: true });
    store.addMark("a", { kind: "pin", value: "17", present: true });
    store.addMark("b", { kind: "tag", value: "good", present: true });
    store.addMark("a", { kind: "tag", value: "good", present: false });
    expect(shown(store)).toEqual(["a tag long", "a pin 17", "b tag good"]);
    expect(shown(store, "b")).toEqual(["b tag good"]);
    store.addMark("a", { kind: "tag", value: "good", present: true });
    expect(shown(store, "a")).toEqual(["a tag long", "a pin 17", "a tag good"]);
  });

  it("said twice are one", () => {
    const store = storeWithRuns();
    for (let i = 0; i < 2; i++) store.addMark("a", { kind: "tag", value: "good", present: true });
    expect(shown(store)).toEqual(["a tag good"]);
  });

  it("of a note and of archived know the newest alone, whatever it says", () => {
    const store = storeWithRuns();
    store.addMark("a", { kind: "note", value: "first", present: true });
    store.addMark("a", { kind: "note", value: "half \0 a \ud800 way", present: true });
    store.addMark("a", { kind: "archived", value: "", present: true });
    store.addMark("b", { kind: "note", value: "gone", present: true });
    store.addMark("b", { kind: "note", value: "", present: false });
    expect(shown(store)).toEqual(["a note half \0 a \ud800 way", "a archived"]);
    store.addMark("a", { kind: "archived", value: "", present: false });
    expect(shown(store, "a")).toEqual(["a note half \0 a \ud800 way"]);
  });

  it("need a run", () => {
    expect(() => storeWithRuns().addMark("c", { kind: "tag", value: "x", present: true })).toThrow("no run c");
  });
});
