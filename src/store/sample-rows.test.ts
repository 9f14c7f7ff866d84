import { describe, expect, it } from "vitest";
import { runRecord, sampleRecord, temporaryStore } from "../../test/support/store.ts";
import type { SampleQuery, Store } from "./index.ts";

/** Two samples per iteration, iterations 0 to 4; the second attempt resumes at 3. */
function storeWithSamples(): Store {
  const store = temporaryStore();
  store.createRun(runRecord("a"));
  const record = (attempt: number, from: number, to: number) => {
    const recorder = store.recorder("a", attempt);
    for (let iteration = from; iteration < to; iteration++) {
      recorder.metrics("ppo", iteration, { x: 1 });
      recorder.samples("ppo", iteration, [
        sampleRecord({ prompt: "Ünder what ?", response: `${attempt}.${iteration} Yes`, score: iteration - 2 }),
        sampleRecord({
          prompt: `p${iteration}`,
          response: `${attempt}.${iteration} no`,
          stopReason: iteration % 2 ? "length" : "stop",
          score: iteration === 1 ? Number.NaN : -iteration - 10,
        }),
      ]);
      recorder.commit();
    }
  };
  record(store.startAttempt("a"), 0, 5);
  record(store.startAttempt("a"), 3, 5);
  return store;
}

const found = (store: Store, query: Partial<SampleQuery>) => {
  const { samples, more } = store.findSamples("a", { stage: "ppo", limit: 100, ...query });
  return [...samples.map(({ response }) => response), ...(more ? ["more"] : [])];
};

describe("samples are found", () => {
  it("newest first, without what a newer attempt has taken over", () => {
    const store = storeWithSamples();
    expect(found(store, { limit: 3 })).toEqual(["2.4 no", "2.4 Yes", "2.3 no", "more"]);
    expect(found(store, {})).toHaveLength(10);
  });

  it("by text of prompt or response, whatever the case, by prompt and by how they ended", () => {
    const store = storeWithSamples();
    expect(found(store, { text: "üNDER", limit: 2 })).toEqual(["2.4 Yes", "2.3 Yes", "more"]);
    expect(found(store, { text: "P2" })).toEqual(["1.2 no"]);
    expect(found(store, { text: "%" })).toEqual([]);
    expect(found(store, { truncated: true })).toEqual(["2.3 no", "1.1 no"]);
    const { seq } = store.samples("a", "ppo", 1)[0]!;
    expect(found(store, { promptOf: seq })).toEqual(["2.4 Yes", "2.3 Yes", "1.2 Yes", "1.1 Yes", "1.0 Yes"]);
    const notFirst = ({ response }: { response: string }) => !response.includes("1.0");
    expect(found(store, { promptOf: seq, text: "1.", matches: notFirst })).toEqual(["1.2 Yes", "1.1 Yes"]);
    expect(found(store, { promptOf: 1e9 })).toEqual([]);
  });

  it("by score: what is not finite is lowest", () => {
    const store = storeWithSamples();
    expect(found(store, { order: "lowest", limit: 3 })).toEqual(["1.1 no", "2.4 no", "2.3 no", "more"]);
    expect(found(store, { order: "highest", limit: 2 })).toEqual(["2.4 Yes", "2.3 Yes", "more"]);
  });

  it("among those that were named, of an abandoned attempt too", () => {
    const store = storeWithSamples();
    const rows = store.sampleFeed("a").rows;
    const pins = [rows[1]!.seq, rows[8]!.seq, 12345];
    expect(found(store, { among: pins })).toEqual(["1.4 Yes", "1.0 no"]);
    expect(found(store, { among: [] })).toEqual([]);
    expect(store.sample("a", rows[8]!.seq)).toMatchObject({ response: "1.4 Yes", superseded: true });
    expect(store.sample("b", rows[8]!.seq)).toBeUndefined();
  });
});
