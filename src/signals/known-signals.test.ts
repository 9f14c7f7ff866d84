import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { isKnownSignal, signalKeys } from "./known-signals.ts";

const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");

it("rules may name what docs/metrics.md says of PPO, and nothing else", () => {
  const sections = page.split(/^### (?=SFT|Reward model)/m)[0]! + page.split("### Every stage")[1]!;
  const documented = [...sections.matchAll(/^\| `([^`]+)`/gm)]
    .map((match) => match[1]!)
    .filter((key) => !/^(time|machine|evaluation)\//.test(key));
  expect([...signalKeys].sort()).toEqual([...new Set(documented)].sort());
});

it("knows names within keys, and no other words", () => {
  expect(isKnownSignal("reward/component/my.model_std")).toBe(true);
  expect(isKnownSignal("settings/clip_low")).toBe(true);
  expect(isKnownSignal("reward/component/a b_std")).toBe(false);
  expect(isKnownSignal("kl/old_new_k3_tokens")).toBe(false);
});
