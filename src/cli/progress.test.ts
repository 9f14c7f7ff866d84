/** The pinned line fits its terminal, keeps what matters, and leaves nothing behind. */
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { ProgressDisplay, progressLine, Rate } from "./progress.ts";
import type { Terminal } from "./terminal.ts";
import { displayWidth } from "./width.ts";

const state = {
  stage: "ppo",
  step: 23,
  steps: 60,
  unit: "iteration",
  values: {},
  perSecond: 0.8,
  partPerSecond: Number.NaN,
  shown: [
    ["reward", "1.320"],
    ["KL", "0.021"],
  ] as const,
};

describe("progressLine", () => {
  it("shows all there is if there is room", () => {
    expect(progressLine(state, { width: 120 })).toBe(
      "ppo  iteration 23/60  ━━━━━━━─────────────  1.3 s/it  0:46 left  reward 1.320  KL 0.021",
    );
  });

  it("drops bar, rate, KL, reward and time left in this order, and never exceeds the width", () => {
    expect(progressLine(state, { width: 66 })).toBe(
      "ppo  iteration 23/60  1.3 s/it  0:46 left  reward 1.320  KL 0.021",
    );
    expect(progressLine(state, { width: 60 })).toBe("ppo  iteration 23/60  0:46 left  reward 1.320  KL 0.021");
    expect(progressLine(state, { width: 32 })).toBe("ppo  iteration 23/60  0:46 left");
    for (let width = 1; width < 120; width++)
      expect(displayWidth(progressLine(state, { width }))).toBeLessThanOrEqual(width);
  });

  it("says how far a long call of the engine is, with rate and time left", () => {
    const part = { done: 1920, of: 16_384, unit: "token" };
    const inside = { ...state, message: "sampling 0/64", part, partPerSecond: 310 };
    const line = "ppo  iteration 23/60  1.3 s/it  0:46 left  reward 1.320  KL 0.021  sampling 0/64";
    expect(progressLine(inside, { width: 200, withBar: false })).toBe(
      `${line}, 1920/16384 tokens, 310 tokens/s, 0:47 left`,
    );
    const passes = { ...inside, part: { done: 3, of: 8, unit: "pass" }, partPerSecond: 0.25 };
    expect(progressLine(passes, { width: 200, withBar: false })).toBe(`${line}, 3/8 passes, 4.0 s/pass, 0:20 left`);
    const only = { ...inside, part: { done: 0, of: 1, unit: "pass" } };
    expect(progressLine(only, { width: 200, withBar: false })).toBe(line);
  });

  it("says nothing about time while the rate is unknown", () => {
    expect(progressLine({ ...state, perSecond: Number.NaN, shown: [] }, { width: 80, withBar: false })).toBe(
      "ppo  iteration 23/60",
    );
  });
});

describe("Rate", () => {
  it("is steps over seconds of what it saw, so that a resumed stage does not count what others did", () => {
    const rate = new Rate();
    expect(rate.perSecond()).toBeNaN();
    rate.add(500, 10);
    expect(rate.perSecond()).toBeNaN();
    rate.add(510, 15);
    expect(rate.perSecond()).toBe(2);
  });

  it("starts again where steps start again", () => {
    const rate = new Rate();
    for (const [step, at] of [
      [1, 1],
      [100, 2],
      [1, 3],
      [3, 4],
    ] as const)
      rate.add(step, at);
    expect(rate.perSecond()).toBe(2);
  });
});

describe("ProgressDisplay", () => {
  function display({ redraws, width = 80 }: { redraws: boolean; width?: number }) {
    let time = 0;
    const size = { width };
    const written: string[] = [];
    const terminal: Terminal = {
      out: () => {},
      note: (line) => void written.push(`${line}\n`),
      raw: (text) => void written.push(text),
      outColours: pc.createColors(false),
      noteColours: pc.createColors(false),
      outWidth: () => size.width,
      noteWidth: () => size.width,
      redraws,
    };
    const shown = new ProgressDisplay({ terminal, pick: () => [], now: () => time });
    const at = (ms: number, step: number) => {
      time = ms;
      shown.update({ stage: "sft", step, steps: 100, unit: "step", values: {} });
    };
    return { shown, at, written, size };
  }

  it("redraws at most ten times a second", () => {
    const { at, written } = display({ redraws: true });
    for (let ms = 0; ms < 1000; ms += 5) at(ms, 1 + ms / 50);
    expect(written.filter((text) => text.includes("sft")).length).toBeLessThanOrEqual(10);
  });

  it("clears every row that a narrowed terminal folded the line into", () => {
    const { shown, at, written, size } = display({ redraws: true, width: 80 });
    at(0, 50);
    const drawn = displayWidth(written.at(-1) ?? "");
    size.width = 20;
    shown.close();
    expect(written.at(-1)).toBe(`${"\r\x1b[2K\x1b[1A".repeat(Math.ceil(drawn / 20) - 1)}\r\x1b[2K`);
  });

  it("prints plain lines now and then if there is no terminal: first, last, and every 15 seconds", () => {
    const { at, written } = display({ redraws: false });
    for (let second = 0; second <= 50; second++) at(second * 1000, second * 2);
    expect(written.map((line) => line.match(/\d+\/100/)?.[0])).toEqual([
      "0/100",
      "30/100",
      "60/100",
      "90/100",
      "100/100",
    ]);
    for (const rubbish of ["\r", "\x1b", "━"]) expect(written.join("")).not.toContain(rubbish);
  });

  it("puts notes above the pinned line", () => {
    const { shown, at, written } = display({ redraws: true });
    at(0, 1);
    shown.note("saved");
    expect(written.slice(1).join("").startsWith("\r\x1b[2Ksaved\nsft  step 1/100")).toBe(true);
  });
});
