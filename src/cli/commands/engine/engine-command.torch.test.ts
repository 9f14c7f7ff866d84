/** `ballast engine check` on the real program: what it prints, as text and as JSON. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ballast } from "../../../../test/e2e/ballast.ts";
import { temporaryFolder } from "../../../../test/support/gpt2.ts";
import { startTimeout, torchPython } from "../../../../test/support/torch.ts";

test(
  "tells device, versions, checks and speed",
  async () => {
    const options = ["engine", "check", "torch", "--python", torchPython, "--device", "cpu", "--threads", "1"];
    const { code, stdout, stderr } = await ballast(temporaryFolder(), ...options, "--dtype", "bf16", "--json");
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ device: "cpu", dtype: "bf16", threads: 1 });
    expect(report.versions.torch).toMatch(/^2\.1[3-9]/);
    const outcomes = report.checks.map(({ outcome }: { outcome: string }) => outcome);
    expect(outcomes.filter((outcome: string) => outcome === "passed").length).toBeGreaterThan(15);
    expect(outcomes).not.toContain("failed");
    expect(report.tokensPerSecond).toBeGreaterThan(0);
    expect(report.gflops).toBeLessThan(report.ceilingGflops);
    expect(report.bf16Slowdown).toBeGreaterThan(0);
    expect(stderr.includes("times as long as in float32")).toBe(report.bf16Slowdown > 1.5);
  },
  startTimeout,
);

test(
  "without an environment the command that makes one is named; one that cannot be made leaves nothing behind",
  async () => {
    const folder = temporaryFolder();
    vi.stubEnv("XDG_CACHE_HOME", folder);
    const missing = await ballast(folder, "engine", "check", "torch");
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/no Python environment yet.*\n.*ballast engine setup torch/);
    const { code, stderr } = await ballast(folder, "engine", "setup", "torch", "--python", "/nowhere/python3");
    expect(code).not.toBe(0);
    expect(stderr).toContain("/nowhere/python3");
    expect(readdirSync(join(folder, "ballast"))).toEqual([]);
    vi.unstubAllEnvs();
  },
  startTimeout,
);
