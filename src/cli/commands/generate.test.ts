import { expect, it } from "vitest";
import { keptTerminal } from "../../../test/support/terminal.ts";
import { workspaceWithRun } from "../../../test/support/workspace.ts";
import { selfName } from "../workspace.ts";
import { generate } from "./generate.ts";

it("says how to go on with a run that has no model to answer yet", async () => {
  const { workspace, folder } = workspaceWithRun();
  const sampling = { temperature: 1, topK: 0, topP: 1, maxTokens: 8, samples: 1, seed: 0, threads: 1 };
  const asked = generate({ model: "tiny-1", prompts: ["a"], ...sampling, workspace, terminal: keptTerminal() });
  await expect(asked).rejects.toMatchObject({ hint: `Go on with it first: ${selfName()} resume ${folder}` });
});

it("refuses a system message before a raw text", async () => {
  const sampling = { temperature: 1, topK: 0, topP: 1, maxTokens: 8, samples: 1, seed: 0, threads: 1 };
  const options = { ...sampling, raw: true, system: "Be brief.", workspace: "none", terminal: keptTerminal() };
  await expect(generate({ model: "tiny-1", prompts: ["a"], ...options })).rejects.toThrow("--raw takes no --system");
});
