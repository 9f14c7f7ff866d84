import { expect, it } from "vitest";
import { keptTerminal } from "../../../../test/support/terminal.ts";
import { fields } from "../../../settings/schema-fields.ts";
import { runProgram } from "../../program.ts";

async function explain(...args: string[]): Promise<string[]> {
  const terminal = keptTerminal({ width: 80 });
  expect(await runProgram(["config", "explain", ...args], terminal)).toBe(0);
  return terminal.lines;
}

it("explains every field: what the schema has and the documents say", async () => {
  const explained = new Map<string, { expects: string; meaning: string }>();
  for (const section of new Set(fields().map(({ path }) => path.split(/[.[]/)[0]!)))
    for (const line of await explain(section, "--json")) explained.set(JSON.parse(line).key, JSON.parse(line));
  expect([...explained.keys()]).toEqual(fields().map(({ path }) => path));
  for (const { path, expected } of fields()) {
    expect(explained.get(path)!.expects).toBe(expected);
    expect(explained.get(path)!.meaning.length).toBeGreaterThan(10);
  }
});

it("says which algorithms and engines use a setting, and whether it may change", async () => {
  const of = async (key: string) => JSON.parse((await explain(key, "--json"))[0]!);
  expect(await of("ppo.criticLearningRate")).toMatchObject({
    ...{ algorithms: ["ppo"], notUsed: { rloo: "has no critic", grpo: "has no critic" }, live: true },
  });
  expect(await of("ppo.kl.coef")).toMatchObject({ default: "0.05", algorithmDefaults: { grpo: 0.04 } });
  expect(await of("engine.reference.dtype")).toMatchObject({ engines: ["torch"], algorithms: null, live: false });
  expect(await of("ppo.rewards.0.weight")).toMatchObject({ key: "ppo.rewards[].weight" });
  const text = (await explain("ppo.kl.coef")).join("\n");
  expect(text).toMatch(/default {5}0\.05; grpo 0\.04/);
  expect(text).toContain("ballast tell RUN set ppo.kl.coef=VALUE");
});

it("lists a section's keys, finds a key by its last word, and proposes near ones", async () => {
  expect((await explain("ppo.kl")).some((line) => /^ppo\.kl\.target /.test(line))).toBe(true);
  expect(await explain("ppo.rewards.0.max", "--json")).toHaveLength(1);
  expect((await explain("klCoef", "--json")).map((line) => JSON.parse(line).key)).toEqual([
    ...["control.klCoef.min", "control.klCoef.max"],
  ]);
  await expect(explain("ppo.klcoef")).rejects.toThrow("there is no setting ppo.klcoef; did you mean ppo.kl.coef?");
});
