import { expect, it } from "vitest";
import type { BigramEngine } from "../../test/support/bigram-engine.ts";
import { measured } from "../../test/support/measuring.ts";
import { runPpo, wantsA } from "../../test/support/run-ppo.ts";
import { perturbations } from "../data/index.ts";

const ppo = { iterations: 1, sequences: 8 };

it("asks perturbed prompts, and judges the answers as answers to the clean ones", async () => {
  const asked: string[] = [];
  const judged: (readonly number[])[] = [];
  const prepare = (engine: BigramEngine) => {
    engine.before = (verb, [, request]) => {
      const { temperature, prompts } = request as { temperature: number; prompts: number[][] };
      if (verb === "sample" && temperature === 0) asked.push(...prompts.map(String));
    };
  };
  const score: typeof wantsA = (row) => {
    judged.push(row.promptTokens);
    return wantsA(row);
  };
  const control = { robustness: { prompts: 2 } };
  const { curve } = await runPpo({ ppo, measuring: measured(), control, prepare, score });
  const clean = measured()
    .monitor.slice(0, 2)
    .map(({ tokens }) => String(tokens));
  expect(asked).toHaveLength(2 * (1 + perturbations.length));
  expect(asked.slice(0, 2)).toEqual(clean);
  // Words of one letter have no typos; every other perturbation changes the prompt.
  expect(asked.slice(2, 4)).toEqual(clean);
  for (const prompt of asked.slice(4)) expect(clean).not.toContain(prompt);
  expect(judged.slice(ppo.sequences).map(String)).toEqual(
    Array(1 + perturbations.length)
      .fill(clean)
      .flat(),
  );
  const values = curve.get(0)!;
  expect(values["robustness/typos_score_change"]).toBe(0);
  for (const name of perturbations)
    for (const figure of ["score", "refusal", "gold"])
      expect(values, name).toHaveProperty([`robustness/${name}_${figure}_change`]);
});

it("has no gold without a check", async () => {
  const { curve } = await runPpo({ ppo, control: { robustness: { prompts: 2 } } });
  const keys = Object.keys(curve.get(0)!).filter((key) => key.startsWith("robustness/"));
  expect(keys).toHaveLength(2 * perturbations.length);
});
