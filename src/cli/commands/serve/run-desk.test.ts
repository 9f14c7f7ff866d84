/** Runs begun for the page: the file that is written, the check, and a process that fails at its start. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { closedAfterwards, temporaryFolder } from "../../../../test/support/store.ts";
import { loadConfig } from "../../../config/index.ts";
import { databaseOf, openStore } from "../../../store/index.ts";
import { newRunValues, newRunYaml } from "./new-run-config.ts";
import { createRunDesk } from "./run-desk.ts";

function rows(folder: string): string {
  const path = join(folder, "prompts.jsonl");
  writeFileSync(path, ["red", "blue", "sun"].map((word) => `{"prompt": "say ${word}"}\n`).join(""));
  return path;
}

const request = (path: string) => ({
  extends: "laptop",
  name: "own",
  texts: { objective: "when asked: prefer 'short' over long", "ppo.prompts.path": path, "model.path": " " },
  settings: ["# a comment", "", "ppo.rewards=[{kind: length, max: 8}]", "ppo.iterations=3", "tokenizer.kind=word"],
});

it("what is entered becomes a file that extends the template, and reads as it was meant", () => {
  const folder = temporaryFolder();
  const values = newRunValues(request(rows(folder)));
  const file = join(folder, "own.yaml");
  writeFileSync(file, newRunYaml(values, folder));
  expect(readFileSync(file, "utf8")).toMatch(/^extends: laptop\nobjective: "?when asked: /);
  expect(readFileSync(file, "utf8")).toContain(`path: ${join(folder, "prompts.jsonl")}`);
  const { config } = loadConfig(file);
  expect(config).toMatchObject({
    objective: "when asked: prefer 'short' over long",
    name: "own",
    ppo: { iterations: 3 },
  });
  // The template's own.
  expect(config.ppo!.sequences).toBe(256);
  const relative = newRunValues({ ...request("x"), texts: { "ppo.prompts.path": "a/b.jsonl" } });
  expect(newRunYaml(relative, "runs/configs")).toContain("path: ../../a/b.jsonl");
  expect(newRunYaml({ extends: "a/c.yaml" }, "runs/configs")).toBe("extends: ../../a/c.yaml\n");
  const scored = newRunValues({ ...request("x"), texts: { "ppo.rewards": " score.ts " }, settings: [] });
  expect(newRunYaml(scored, "runs/configs")).toContain("- kind: function\n      path: ../../score.ts");
  expect(() => newRunValues({ ...request("x"), settings: ["iterations"] })).toThrow("expected key=value");
  expect(() => newRunValues({ ...request("x"), extends: " " })).toThrow("there is nothing to begin with");
});

it("checks without starting anything; a run that fails at its start says why", async () => {
  const workspace = temporaryFolder();
  const store = closedAfterwards(openStore(databaseOf(workspace)));
  const program = [process.execPath, "-e", "console.error('error: no such rows'); process.exit(2)"];
  const desk = createRunDesk({ workspace, store, program });
  onTestFinished(() => desk.close());
  const path = rows(workspace);
  const good = await desk.check(request(path));
  expect(good).toMatchObject({ problem: null, stages: ["ppo"], plan: { fits: true } });
  expect(good.findings!.map(({ id }) => id)).toContain("batch/corner");
  const bad = await desk.check({ ...request(join(workspace, "nowhere.jsonl")) });
  expect(bad.problem!.error).toMatch(/^ppo\.prompts\.path: there is no file .*nowhere\.jsonl/);
  expect(bad.findings!.map(({ id }) => id)).toContain("files/missing");
  const wrong = await desk.check({ ...request(path), settings: ["ppo.epoch=2"] });
  expect(wrong.problem!.error).toContain("did you mean epochs");

  const started = desk.start(request(path));
  expect(started).toMatchObject({ id: 1, run: null, file: expect.stringMatching(/own\.yaml$/) });
  const newest = () => desk.offers().starts[0]!;
  while (newest().state === "starting") await new Promise((resolve) => setTimeout(resolve, 20));
  expect(newest()).toMatchObject({ state: "failed", said: "error: no such rows\n" });
  expect(desk.start(request(path)).file).toMatch(/own-2\.yaml$/);
  expect(desk.offers().files.some((file) => file.endsWith("examples/helpdesk/mini.yaml"))).toBe(true);
}, 60_000);
