import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/stage.ts";
import { helpdesk } from "../data/index.ts";
import { type Config, configSchema } from "../settings/config-schema.ts";
import { buildTokenizer } from "../text/index.ts";
import { measuringOf } from "./probes-inputs.ts";
import { checkRows, openRows } from "./run-rows.ts";

const task = helpdesk({ seed: 1, variant: "standard" });
const tokenizer = buildTokenizer({ kind: "word", vocabularySize: 8192 }, task.texts);
const of = (config: Config) => measuringOf({ config, rows: openRows(config), tokenizer, context: 64 });
const ppo = { maxNewTokens: 20, rewards: [{ kind: "model" }] };

function rowsFile(rows: readonly object[]): string {
  const path = join(temporaryFolder(), "rows.jsonl");
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

describe("what a run is measured on", () => {
  it("is the help desk's own: monitoring set, gold checks, clean held-out pairs", () => {
    const measuring = of(configSchema.parse({ demo: { task: "helpdesk" }, ppo, control: { probes: { pairs: 9 } } }));
    expect(measuring.monitor.map(({ row }) => row)).toEqual(task.monitor);
    expect(measuring.pairs).toHaveLength(9);
    const clean = new Set(task.preferenceEvaluation.map(({ prompt, chosen }) => `${prompt[0]!.content} ${chosen}`));
    for (const { chosen, rejected } of measuring.pairs) {
      expect(clean).toContain(`${chosen.prompt} ${chosen.response}`);
      expect(rejected.promptTokens).toEqual(chosen.promptTokens);
      expect(tokenizer.decode([...chosen.tokens])).toBe(chosen.response);
      expect(chosen.tokens.at(-1)).toBe(tokenizer.eosId);
    }
    expect(of(configSchema.parse({ demo: { task: "helpdesk" }, ppo })).pairs.slice(0, 9)).toEqual(measuring.pairs);
  });

  it("has no pairs if nothing of the reward is learned", () => {
    const rewards = [{ kind: "length", max: 9 }];
    expect(of(configSchema.parse({ demo: { task: "helpdesk" }, ppo: { ...ppo, rewards } })).pairs).toEqual([]);
  });

  it("is a user's own: their monitoring prompts and pairs", () => {
    const prompts = { path: rowsFile([{ prompt: "add 2 and 3." }]) };
    const pairs = Array.from({ length: 8 }, (_, i) => ({ prompt: `add ${i} and 1.`, chosen: "yes.", rejected: "no." }));
    const reward = { data: { path: rowsFile(pairs) }, evaluationShare: 0.25 };
    const monitor = { prompts: { path: rowsFile([{ prompt: "add 1 and 1." }, { prompt: "add 4 and 1." }]) } };
    const config = configSchema.parse({ ppo: { ...ppo, prompts }, reward, control: { monitor } });
    const measuring = of(config);
    expect(measuring.monitor.map(({ row }) => row.prompt[0]!.content)).toEqual(["add 1 and 1.", "add 4 and 1."]);
    expect(measuring.pairs.map(({ chosen }) => chosen.prompt).sort()).toEqual(
      openRows(config)
        .pairs()
        .heldOut.map(({ prompt }) => prompt[0]!.content)
        .sort(),
    );
    const bare = of(configSchema.parse({ ppo: { ...ppo, prompts } }));
    expect(bare).toEqual({ monitor: [], pairs: [], ratings: [] });
  });

  it("needs the answers that the reward's verifiers need, and says so before anything is trained", () => {
    const prompts = { path: rowsFile([{ prompt: "add 2 and 3.", reference: "5" }]) };
    const monitor = (row: object, more = {}) => ({ monitor: { prompts: { path: rowsFile([row]), ...more } } });
    const parse = (control: object) =>
      configSchema.parse({ ppo: { ...ppo, prompts, rewards: [{ kind: "exact" }] }, control });
    expect(() => checkRows(parse(monitor({ prompt: "add 1 and 1." })))).toThrow(/reference answer/);
    expect(() => checkRows(parse(monitor({ prompt: "add 1 and 1.", reference: "2" })))).not.toThrow();
    const named = monitor(
      { question: "add 1 and 1.", answer: "2" },
      { fields: { prompt: "question", reference: "answer" } },
    );
    expect(() => checkRows(parse(named))).not.toThrow();
  });

  it("has what people rated, each response once, as the reward will see it", () => {
    const prompts = { path: rowsFile([{ prompt: "add 2 and 3." }]) };
    const rated = { prompt: "add 1 and 1.", response: "it is 2." };
    const ratings = rowsFile([
      { ...rated, score: 1, rater: "ann" },
      { ...rated, score: 4, rater: "ann" },
      { ...rated, score: 5, rater: "bob" },
      { prompt: "add 1 and 1.", chosen: "yes.", rejected: "no." },
    ]);
    const config = configSchema.parse({ ppo: { ...ppo, prompts }, control: { probes: { ratings } } });
    const [only, ...others] = of(config).ratings;
    expect(others).toEqual([]);
    expect(only!.rating).toBe(4.5);
    expect(only!.scored.messages).toEqual([{ role: "user", content: "add 1 and 1.", bare: true }]);
    expect(tokenizer.decode([...only!.scored.tokens])).toBe("it is 2.");
    const wrong = { probes: { ratings: rowsFile([{ ...rated, score: 9 }]) } };
    expect(() => checkRows(configSchema.parse({ ppo: { ...ppo, prompts }, control: wrong }))).toThrow(/1 to 5/);
  });

  it("stops at the limit of monitoring prompts", () => {
    const prompts = { path: rowsFile([{ prompt: "add 2 and 3." }]) };
    const monitor = { prompts: { path: rowsFile([{ prompt: "add 1 and 1." }, { prompt: "add 4 and 1." }]), limit: 1 } };
    expect(of(configSchema.parse({ ppo: { ...ppo, prompts }, control: { monitor } })).monitor).toHaveLength(1);
  });
});
