import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { liveSettings } from "../settings/live-settings.ts";
import { type Lever, leverOfKey, leverSettings, levers } from "./levers.ts";

it("no two levers move one value or one setting, or share a metric", () => {
  const settings = leverSettings();
  for (const field of ["name", "key"] as const)
    expect(new Set(settings.map((setting) => setting[field])).size).toBe(settings.length);
  const metrics = Object.values(levers).map(({ metric }) => metric);
  expect(new Set(metrics).size).toBe(metrics.length);
});

it("an operator may set what a lever moves, and only value updates have no key of the configuration", () => {
  const live = liveSettings.ppo.map((key) => `ppo.${key}`);
  expect(leverSettings().flatMap(({ key }) => (live.includes(key) ? [] : [key]))).toEqual(["control.valueUpdates"]);
  expect(new Set(live).size).toBe(live.length);
  expect([leverOfKey("ppo.criticLearningRate"), leverOfKey("ppo.gamma"), leverOfKey("learningRate")]).toEqual([
    "learningRate",
    null,
    null,
  ]);
});

it("docs/metrics.md has the metric of each, and the example of each is a factor that a rule may have", () => {
  const page = readFileSync("docs/metrics.md", "utf8");
  for (const { metric, factor } of Object.values(levers)) {
    expect(page).toContain(`\`${metric.replace("settings/", "")}\``);
    expect(factor.allows(factor.example)).toBe(true);
    expect(factor.allows(-1)).toBe(false);
  }
});

it("an entry that lacks a field, or bounds what it does not move, does not compile", () => {
  const { metric: _, ...silent } = levers.clip;
  // @ts-expect-error: the table needs its metric.
  const lacking: Lever = silent;
  // @ts-expect-error: the clip does not move the coefficient.
  const elsewhere: Lever<"clipLow" | "clipHigh"> = { ...levers.clip, bounded: "klCoef" };
  expect([lacking, elsewhere]).toHaveLength(2);
});
