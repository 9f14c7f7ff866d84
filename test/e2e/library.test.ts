/** The recipes as a user runs them, and a loop that is killed: it goes on at the batch that the trainer reports, to the same weights. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { tinyModel } from "../support/tiny-model.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ballast-recipes-"));
const model = join(folder, "model");
beforeAll(() => tinyModel(model, { context: 272 }));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a recipe in a folder of its own, until it has printed `until`, if that is given; then it is killed. */
async function recipe(name: string, args: readonly string[], { place, until }: { place: string; until?: string }) {
  const cwd = join(folder, place);
  mkdirSync(cwd, { recursive: true });
  const child = spawn(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), join(root, "recipes", name), ...args],
    {
      cwd,
      env: { ...process.env, TSX_TSCONFIG_PATH: join(root, "tsconfig.json") },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
    if (until !== undefined && out.includes(until)) child.kill("SIGKILL");
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, lines: out.trim().split("\n"), cwd };
}

it("trl-style.ts goes on after a kill, and ends with the weights of a loop that was not killed", async () => {
  const whole = await recipe("trl-style.ts", [model, "3"], { place: "whole" });
  expect(whole).toMatchObject({ code: 0, lines: { length: 4 } });
  const killed = await recipe("trl-style.ts", [model, "3"], { place: "killed", until: "batch 0:" });
  expect(killed.code).not.toBe(0);
  const again = await recipe("trl-style.ts", [model, "3"], { place: "killed" });
  expect(again.code).toBe(0);
  const done = killed.lines.filter((line) => /^batch \d+:.*KL/.test(line));
  expect([...done, ...again.lines.slice(0, -1)]).toEqual(whole.lines.slice(0, -1));
  const weights = ({ cwd }: { cwd: string }) =>
    readFileSync(join(cwd, "runs", "trl-style-1", "ppo", "final", "model.safetensors"));
  expect(weights(again).equals(weights(whole))).toBe(true);
});

it("rl-loop.ts learns, in fewer than 150 lines", async () => {
  const { code, lines } = await recipe("rl-loop.ts", ["10"], { place: "loop" });
  expect(code).toBe(0);
  const scores = lines.map((line) => Number(line.split("score ")[1]));
  expect(scores.at(-1)).toBeGreaterThan(scores[0]! + 0.2);
  expect(readFileSync(join(root, "recipes", "rl-loop.ts"), "utf8").split("\n").length).toBeLessThan(150);
});

it("reward.ts trains on its own reward", async () => {
  const { code, lines } = await recipe("reward.ts", ["runs", "2"], { place: "reward" });
  expect(code).toBe(0);
  expect(lines.at(-1)).toMatch(/^reward [\d.]+ before, [\d.]+ after; the run is in .*eight-1$/);
});
