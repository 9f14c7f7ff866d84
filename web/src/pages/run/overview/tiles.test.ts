/** Tiles: the most serious state wins, and only as long as it is true. */
import { describe, expect, it } from "vitest";
import type { PageEvent, Threshold } from "../../../../../src/types/page.ts";
import { columnOf } from "../../../state/column.ts";
import { changeOf, tileState, tilesOf } from "./tiles.ts";

const clip = tilesOf("ppo", { keys: [] }).find(({ key }) => key === "clip/fraction")!;
const thresholds: Threshold[] = [
  { signal: "clip/fraction", rule: "clip_fraction_note", tier: 3, above: 0.2, below: null },
  { signal: "clip/fraction", rule: "clip_fraction", tier: 2, above: 0.3, below: null },
];
const alert = (iteration: number, tier: 1 | 2 | 3, signal: string, superseded = false): PageEvent => ({
  seq: iteration,
  attempt: 1,
  stage: "ppo",
  iteration,
  kind: "alert",
  message: `${signal} spoke`,
  at: 0,
  superseded,
  tier,
  rule: "some_rule",
  signal,
});
const wordOf = (value: number | "NaN" | undefined, events: PageEvent[] = []) =>
  tileState({ spec: clip, value, thresholds, events, iteration: 50 }).word;

describe("tileState", () => {
  it("goes by the thresholds that the value is beyond", () => {
    expect([0.1, 0.25, 0.31].map((value) => wordOf(value))).toEqual(["fine", "noted", "warning"]);
    expect(tileState({ spec: clip, value: 0.31, thresholds, events: [], iteration: 50 }).why).toBe(
      "> 0.3 (clip_fraction)",
    );
  });

  it("says what a rule said of its signals in the last ten iterations, unless that was taken back", () => {
    expect(wordOf(0.1, [alert(45, 1, "kl/old_new_k3_token"), alert(46, 3, "clip/fraction")])).toBe("alarm");
    expect(wordOf(0.1, [alert(41, 2, "ratio/max")])).toBe("warning");
    expect(wordOf(0.1, [alert(40, 2, "ratio/max")])).toBe("fine");
    expect(wordOf(0.1, [alert(45, 1, "entropy/mean")])).toBe("fine");
    expect(wordOf(0.1, [alert(45, 1, "clip/fraction", true)])).toBe("fine");
  });

  it("a value that is not finite is never fine, and one that is missing is not judged", () => {
    expect(wordOf("NaN")).toBe("not finite");
    expect(wordOf(undefined)).toBe("no data");
    expect(wordOf(undefined, [alert(50, 1, "step/first_ratio_deviation")])).toBe("alarm");
  });
});

it("the KL tile shows the KL that is steered to a target, in the target's unit", () => {
  const keyOf = (keys: string[], targetUnit: "token" | "sequence") =>
    tilesOf("ppo", { keys, targetUnit }).find(({ title }) => title === "KL")!.key;
  expect(keyOf([], "sequence")).toBe("kl/ref_k3_token");
  expect(keyOf(["settings/kl_target"], "sequence")).toBe("kl/ref_k1_sequence");
});

it("a change is the newest value less the mean of ten before; NaN has no part in it", () => {
  const column = columnOf({ width: 1, from: [0, 1, 2, 3, 4], mean: [1, 3, null, 5, null], nonFinite: [] });
  expect(changeOf(column)).toEqual({ by: 3, over: 2 });
  expect(changeOf(columnOf({ width: 1, from: [0], mean: [1], nonFinite: [] }))).toBeNull();
});
