/** The laboratory itself, three faults on one seed: its models are kept, and a second call has nothing left to do. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { Summary } from "../../src/lab/faults/faults-summary.ts";
import { bin } from "./ballast.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-lab-"));
afterAll(() => rmSync(folder, { recursive: true }));

const small = [
  "model={layers: 1, width: 32, heads: 2, context: 40}",
  "sft.steps=60",
  "reward.steps=40",
  "ppo.sequences=32",
  "ppo.checkpointEvery=2",
  "control.noise.every=0",
  "control.monitor.every=0",
  "evaluation.samples=64",
];

function lab(...args: string[]) {
  const options = ["--faults", "stale-rollouts,advantages,nan-gradient", "--seeds", "5", "--healthy-iterations", "8"];
  return spawnSync(bin, ["lab", "faults", ...small, ...options, "--iterations", "8", "--workspace", folder, ...args], {
    encoding: "utf8",
  });
}

it("three faults are caught at once, and the table is readable", () => {
  const { status, stdout, stderr } = lab("--json");
  expect(status, stderr).toBe(0);
  const { rows, falseAlarms } = JSON.parse(stdout) as Summary;
  expect(rows.map(({ fault, caught, of }) => [fault, caught, of])).toEqual([
    ["nan-gradient", 1, 1],
    ["stale-rollouts", 1, 1],
    ["advantages", 1, 1],
  ]);
  expect(rows.flatMap(({ detections }) => detections.map(({ rule }) => rule))).toEqual([
    "nonfinite",
    "first_ratio",
    "advantage_scale",
  ]);
  // A NaN is skipped and the run goes on; the other two wait for the operator.
  expect(rows.map(({ stopped }) => stopped)).toEqual([0, 1, 1]);
  expect(falseAlarms).toMatchObject({ iterations: 8, runs: 1 });

  const again = lab();
  expect(again.status).toBe(0);
  expect(again.stderr).not.toContain("interventions");
  const lines = again.stdout.split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(lines[0]).toMatch(/^fault +limit +caught +after +by +healthy +controller +without$/);
  expect(lines).toContainEqual(expect.stringMatching(/^stale-rollouts +1 +1\/1 +1 +first_ratio /));
}, 180_000);

it("what is none is refused before anything runs", () => {
  const wrong = (...args: string[]) =>
    spawnSync(bin, ["lab", "faults", "--workspace", folder, ...args], { encoding: "utf8" });
  expect(wrong("--faults", "lr-spik").stderr).toContain("did you mean lr-spike?");
  expect(wrong("--faults", "lr-spik").status).toBe(2);
  expect(wrong("--seeds", "1,x").stderr).toContain("distinct whole numbers");
});
