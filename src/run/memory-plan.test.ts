/** The plan of a run's memory: every model and setting shows in it, and what cannot fit is refused with what would save. */
import { describe, expect, test } from "vitest";
import { type Config, loadConfig } from "../config/index.ts";
import { planMemory, refuseTooLarge, remedies } from "./memory-plan.ts";

const facts = { vocabularySize: 500, lengths: { ppo: [12, 20] } };

const configOf = (...overrides: string[]) => {
  const sizes = [
    "model.layers=4",
    "ppo.sequences=16",
    "ppo.maxNewTokens=20",
    "ppo.minibatches=2",
    "sft.batchSize=8",
    "reward.batchSize=8",
  ];
  return loadConfig("examples/helpdesk/mini.yaml", ["model.context=64", ...sizes, ...overrides]).config;
};

const totalOf = (...overrides: string[]) => planMemory(configOf(...overrides), facts).total;

describe("the plan of PPO", () => {
  test("adds up its lines", () => {
    const { lines, total, stage, pass } = planMemory(configOf(), facts);
    expect(total).toBe(lines.reduce((sum, { bytes }) => sum + bytes, 0));
    expect({ stage, pass }).toEqual({ stage: "ppo", pass: { sequences: 8, length: 40 } });
  });

  test("holds the policy's parameters once for the reference, and four times for training", () => {
    const { lines } = planMemory(configOf(), facts);
    const of = (what: string) => lines.find((line) => line.what === what)!.bytes;
    expect(of("policy: gradients")).toBe(of("policy: parameters"));
    expect(of("policy: Adam's moments")).toBe(2 * of("policy: parameters"));
    expect(of("reference")).toBe(of("policy: parameters"));
    // Twelve matrices a layer of width squared, the embeddings, and the small rest.
    expect(of("policy: parameters") / (4 * (4 * 12 * 64 ** 2 + (500 + 64) * 64))).toBeCloseTo(1, 1);
  });

  test.each([
    ["recompute=true"],
    ["ppo.criticKind=shared", "ppo.criticLearningRate=null", "ppo.valueCoef=0.5"],
    ["control.interventions=off"],
    ["ppo.microBatch=1"],
  ])("falls with %s", (...overrides) => expect(totalOf(...overrides)).toBeLessThan(totalOf()));

  test.each([["model.layers=8"], ["model.width=128"], ["ppo.maxNewTokens=40"], ["ppo.slowCritic={decay: 0.9}"]])(
    "grows with %s",
    (override) => expect(totalOf(override)).toBeGreaterThan(totalOf()),
  );
});

describe.each(["sft", "reward"] as const)("the plan of %s", (stage) => {
  const only = { ...configOf(), ppo: undefined, [stage === "sft" ? "reward" : "sft"]: undefined } as Config;
  const planOf = (...lengths: number[]) => planMemory(only, { vocabularySize: 500, lengths: { [stage]: lengths } });
  const perRow = stage === "sft" ? 1 : 2;

  test("counts rows that are not known with the model's whole context", () => {
    const { pass } = planMemory(only, { vocabularySize: 500, lengths: {} });
    expect(pass).toEqual({ sequences: 8 * perRow, length: 64 });
  });

  test("counts rows with their lengths, cut to the context", () => {
    expect(planOf(10, 20).pass).toEqual({ sequences: 8 * perRow, length: 20 });
    expect(planOf(10, 100).pass.length).toBe(64);
    expect(planOf(10, 20).total).toBeLessThan(planOf(60).total);
  });

  test("cuts a step of many tokens into passes as the engine does", () => {
    const long = { ...only, [stage]: { ...only[stage], batchSize: 100 } } as Config;
    const { pass } = planMemory(long, { vocabularySize: 500, lengths: { [stage]: [60] } });
    expect(pass.length).toBe(60);
    expect(pass.sequences).toBe(perRow * Math.floor(2048 / (60 * perRow)));
  });
});

test("an adapter is planned beside one copy of the frozen weights", () => {
  const config = { ...configOf(), lora: { rank: 4, alpha: 8, rslora: false } };
  const { lines, total } = planMemory(config as Config, facts);
  const of = (what: string) => lines.find((line) => line.what === what)!.bytes;
  expect(total).toBeLessThan(totalOf());
  expect(of("policy: gradients")).toBeLessThan(0.2 * of("frozen weights, shared by all adapters"));
  expect(of("reference")).toBe(0);
});

test("what cannot fit is refused with the numbers and what each remedy would take", () => {
  const config = configOf();
  const { total } = planMemory(config, facts);
  expect(() => refuseTooLarge(config, facts, total)).not.toThrow();
  expect(() => refuseTooLarge(config, facts, total - 1)).toThrow(/ppo would take 0\.\d+ GiB, and this machine has/);
  try {
    refuseTooLarge(config, facts, total - 1);
  } catch (error) {
    expect((error as { hint: string }).hint).toMatch(/ppo\.microBatch=1 takes 0\.\d+ GiB/);
  }
});

test("a run of all weights is offered an adapter, if each stage starts from trained weights", () => {
  const scratch = configOf("model.width=1024");
  const config = { ...scratch, model: { ...scratch.model, path: "a-model" } };
  const memory = planMemory(config, facts).total - 1;
  const settings = (of: Config) => remedies(of, facts, { memory }).map(({ setting }) => setting);
  expect(settings(config)).toContain("lora.rank=16");
  expect(settings(scratch)).not.toContain("lora.rank=16");
  expect(settings({ ...config, lora: { rank: 4, alpha: 8, rslora: false } })).not.toContain("lora.rank=16");
});

test.each(["sft", "reward"] as const)("a run whose %s takes the most is offered smaller passes there", (stage) => {
  const config = configOf();
  const only = { ...config, ppo: undefined, [stage === "sft" ? "reward" : "sft"]: undefined } as Config;
  const long = { ...only, [stage]: { ...only[stage], batchSize: 100 } } as Config;
  const found = remedies(
    long,
    { vocabularySize: 500, lengths: { [stage]: [60] } },
    { memory: Number.POSITIVE_INFINITY },
  );
  const { total } = planMemory(long, { vocabularySize: 500, lengths: { [stage]: [60] } });
  const one = found.find(({ setting }) => setting === `${stage}.microBatch=1`);
  expect(one!.total).toBeLessThan(0.98 * total);
});

test("PPO is offered to go without the critic's average, and fewer sequences if minibatches stay whole", () => {
  const of = (...overrides: string[]) => {
    const config = configOf("model.width=1024", ...overrides);
    return remedies(config, facts, { memory: Number.POSITIVE_INFINITY }).map(({ setting }) => setting);
  };
  expect(of("ppo.slowCritic={decay: 0.9}")).toContain("ppo.slowCritic=null");
  expect(of()).not.toContain("ppo.slowCritic=null");
  const many = ["model.width=256", "ppo.sequences=256", "ppo.maxNewTokens=40"];
  expect(of(...many)).toContain("ppo.sequences=128");
  expect(of(...many, "ppo.minibatches=256")).not.toContain("ppo.sequences=128");
});

test("if no single change fits, the first remedy is changes that fit together, else all that help", () => {
  const config = configOf("model.width=1024");
  const single = remedies(config, facts, { memory: Number.POSITIVE_INFINITY });
  const [best] = single;
  const [both, ...rest] = remedies(config, facts, { memory: best!.total - 1 });
  expect(both!.setting).toMatch(/^.+ with .+$/);
  expect(both!.setting.startsWith(best!.setting)).toBe(true);
  expect(both!.total).toBeLessThan(best!.total);
  expect(rest).toEqual(single);
  const { setting, total } = remedies(config, facts, { memory: 1 })[0]!;
  expect(setting.split(" with ").length).toBeGreaterThan(1);
  expect(total).toBeLessThanOrEqual(both!.total);
});
