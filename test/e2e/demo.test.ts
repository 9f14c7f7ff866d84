/** The demo, made tiny: its last line, its report, the same seed to the last bit, and its variants. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ballast, type Ended, metricsOf } from "./ballast.ts";

const folder = mkdtempSync(join(tmpdir(), "ballast-demo-"));
const out = join(folder, "out");
afterAll(() => rmSync(folder, { recursive: true }));

const tiny = [
  ...["model.layers=1", "model.width=16", "model.heads=2", "threads=1"],
  ...["sft.steps=12", "sft.batchSize=16", "reward.steps=8", "reward.batchSize=8", "reward.normalisationSamples=32"],
  ...["ppo.iterations=2", "ppo.sequences=16", "evaluation.samples=64"],
];
let first: Ended;
beforeAll(async () => {
  first = await ballast(folder, "demo", "--json", "--out", out, "--seed", "5", ...tiny);
});

interface LastLine {
  readonly seconds: number;
  readonly seed: number;
  readonly run: string;
  readonly before: Record<string, number>;
  readonly after: Record<string, number>;
}

function lastLine({ stdout }: Ended): LastLine {
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

describe("ballast demo", () => {
  it("prints one last line of JSON with shares from 0 to 1, and its report on stderr", () => {
    expect(first.code, first.stderr).toBe(0);
    const { seconds, seed, run, before, after } = lastLine(first);
    expect(seconds).toBeGreaterThan(0);
    expect([seed, run]).toEqual([5, "demo-1"]);
    expect(Object.keys(before).sort()).toEqual(["asksBack", "brief", "length", "refuses", "reward", "sums"]);
    expect(Object.keys(after).sort()).toEqual(["asksBack", "brief", "kl", "length", "refuses", "reward", "sums"]);
    for (const side of [before, after]) {
      for (const check of ["sums", "asksBack", "refuses", "brief"]) {
        expect(side[check]).toBeGreaterThanOrEqual(0);
        expect(side[check]).toBeLessThanOrEqual(1);
      }
      expect(side.length).toBeGreaterThan(0);
    }
    const { objective } = JSON.parse(readFileSync(join(out, "demo-1", "config.json"), "utf8"));
    const report = first.stderr.slice(first.stderr.lastIndexOf(objective.slice(0, 40)));
    for (const words of [
      "sums right",
      "asked back",
      "refused",
      "brief",
      "learned reward",
      "KL k3, nats/token",
      "length",
      "entropy",
      "[",
      "greedy",
      "difference",
    ]) {
      expect(report).toContain(words);
    }
    expect(report).toMatch(/The reward model ranks \d+\.\d% \[.*\] of the held-out pairs correctly/);
    expect(report.match(/^> /gm)).toHaveLength(6);
    expect(report).toContain("generate");
  });

  it("gives the same table from the same seed, and another from another", async () => {
    const again = await ballast(folder, "demo", "--json", "--out", out, "--seed", "5", ...tiny);
    const other = await ballast(folder, "demo", "--json", "--out", out, "--seed", "6", ...tiny);
    const { before, after } = lastLine(first);
    expect(lastLine(again)).toMatchObject({ run: "demo-2", before, after });
    expect(metricsOf(out, "demo-2")).toEqual(metricsOf(out, "demo-1"));
    expect(lastLine(other).after).not.toEqual(after);
  });

  it("prints the report on stdout without --json, and takes overrides", async () => {
    const { code, stdout, stderr } = await ballast(
      folder,
      "demo",
      "demo.variant=overoptimise",
      `workspace=${out}`,
      ...tiny,
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("sums right");
    expect(stdout).toContain("The run is demo-4");
    expect(JSON.parse(readFileSync(join(out, "demo-4", "config.json"), "utf8")).demo.variant).toBe("overoptimise");
  });

  it("lists and compares its runs", async () => {
    const runs = await ballast(folder, "runs", "--workspace", out);
    expect(runs.stdout).toMatch(/demo-1 +✓ done +ppo +2\/2/);
    const rows = (await ballast(folder, "runs", "--workspace", out, "--json")).stdout.trimEnd().split("\n");
    expect(rows.map((row) => JSON.parse(row).run)).toEqual(["demo-4", "demo-3", "demo-2", "demo-1"]);
    const compared = await ballast(folder, "compare", join(out, "demo-1"), join(out, "demo-3"), "--json");
    const { config } = JSON.parse(compared.stdout);
    expect(config).toEqual([{ key: "seed", values: [5, 6] }]);
  });

  it("answers from a run or a model's folder, from arguments or stdin, the same each time", async () => {
    const ask = (...args: string[]) => ballast(folder, "generate", ...args, "--threads", "1");
    const one = await ask(join(out, "demo-1"), "what is 7 plus 5 ?", "--json");
    expect(one.code, one.stderr).toBe(0);
    expect(Object.keys(JSON.parse(one.stdout))).toEqual(["prompt", "response", "stopReason", "tokens", "logprob"]);
    expect((await ask(join(out, "demo-1", "ppo", "final"), "what is 7 plus 5 ?", "--json")).stdout).toBe(one.stdout);
    const samples = await ask(
      "demo-1",
      "--workspace",
      out,
      "what is 7 plus 5 ?",
      "--samples",
      "3",
      "--temperature",
      "1",
      "--json",
    );
    expect(samples.stdout.trimEnd().split("\n")).toHaveLength(3);
    const none = await ask(join(out, "demo-1"));
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("there is no prompt")]);
  });

  it("measures a run again, and gives the figures of its own evaluation for the same samples and seed", async () => {
    const { code, stdout, stderr } = await ballast(folder, "eval", join(out, "demo-1"), "--json");
    expect(code, stderr).toBe(0);
    const kept = JSON.parse(readFileSync(join(out, "demo-1", "evaluation.json"), "utf8"));
    expect(JSON.parse(stdout).after.figures).toEqual(kept.after.figures);
  });
});
