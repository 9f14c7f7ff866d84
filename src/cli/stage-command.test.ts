/** Which stages of a configuration each command runs. */
import { expect, it } from "vitest";
import { parseConfig } from "../config/index.ts";
import { stagesFor } from "./stage-command.ts";

const config = (text: string) => parseConfig(`demo: {}\n${text}`, "my.yaml").config;
const all = config("sft: {}\nreward: {}\nppo: {}");

it("runs every stage with `run`, and only the first with its own command", () => {
  expect(stagesFor("run", all, "my.yaml")).toBe(all);
  const alone = stagesFor("sft", all, "my.yaml");
  expect([alone.sft, alone.reward, alone.ppo]).toEqual([all.sft, undefined, undefined]);
});

it("refuses a stage without the ones it starts from, a missing one, and a file with none", () => {
  expect(() => stagesFor("ppo", all, "my.yaml")).toThrow("ppo starts from the results of sft and reward");
  expect(() => stagesFor("reward", config("sft: {}"), "my.yaml")).toThrow("my.yaml has no section reward, only sft");
  expect(() => stagesFor("run", config(""), "my.yaml")).toThrow("no stage to run");
});
