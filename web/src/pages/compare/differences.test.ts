/** How many settings differ, as users count them. */
import { expect, it } from "vitest";
import { countDifferences, verdict } from "./differences.ts";

const names = ["A", "B", "C"];

it("keys of one list, or of one thing that is absent in a run, are one setting", () => {
  const found = countDifferences([
    { key: "faults", values: [[], null] },
    { key: "faults.0.name", values: [null, "lr-spike"] },
    { key: "faults.0.at", values: [null, 25] },
    { key: "ppo.slowCritic", values: [null, null] },
    { key: "ppo.slowCritic.every", values: [null, 2] },
    { key: "ppo.learningRate", values: [1e-4, 2e-4] },
  ]);
  expect(found.settings.map(({ name }) => name)).toEqual(["faults", "ppo.slowCritic", "ppo.learningRate"]);
  // The empty list itself adds nothing to the entries of the other.
  expect(found.settings[0]!.rows.map(({ key }) => key)).toEqual(["faults.0.name", "faults.0.at"]);
});

it("names, places and reports are not counted", () => {
  const found = countDifferences([
    { key: "workspace", values: ["runs", "/tmp/runs"] },
    { key: "objective", values: ["a", "b"] },
    { key: "control.report.every", values: [null, "1d"] },
    { key: "ppo.storedSamples", values: [16, 8] },
    { key: "seed", values: [1, 2] },
    { key: "ppo.keepers", values: [1, 2] },
  ]);
  expect(found.settings.map(({ name }) => name)).toEqual(["seed", "ppo.keepers"]);
  expect(found.ignored).toHaveLength(4);
});

it("warns if a run differs from the first in more than one setting, and names them and what one alone tells apart", () => {
  const found = countDifferences([
    { key: "seed", values: [1, 2, 1] },
    { key: "ppo.epochs", values: [4, 2, 2] },
  ]);
  const { tone, says } = verdict(found, names);
  expect(tone).toBe("warn");
  expect(says).toBe(
    "B differs from A in 2 settings (seed, ppo.epochs): no single setting explains a difference in the curves. C differs only in ppo.epochs.",
  );
});

it("does not warn if every run has one change of its own", () => {
  const found = countDifferences([
    { key: "ppo.epochs", values: [4, 2, 4] },
    { key: "ppo.clipLow", values: [0.2, 0.2, 0.1] },
  ]);
  const { tone, says } = verdict(found, names);
  expect(tone).toBe("quiet");
  expect(says).toContain("B differs only in ppo.epochs, C differs only in ppo.clipLow");
});

it("says what it means if the seed alone, or nothing, differs", () => {
  expect(verdict(countDifferences([{ key: "seed", values: [1, 2] }]), names).says).toContain("Only the seed");
  expect(verdict(countDifferences([{ key: "name", values: ["a", "b"] }]), names).says).toContain("No setting differs");
});
