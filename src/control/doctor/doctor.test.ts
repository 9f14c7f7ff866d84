import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../config/index.ts";
import { type Corner, corners, nearestCorner } from "./corners.ts";
import { examine, unexplained } from "./doctor.ts";
import { experimentStages, partOf } from "./experiment.ts";
import type { DoctorFacts, PolicySpread, PpoFacts, PromptFacts, StopFacts } from "./facts.ts";
import { type FindingId, findingIds } from "./finding.ts";
import { rateBand } from "./scale-findings.ts";

const ppo: PpoFacts = {
  iterations: 100,
  sequences: 512,
  minibatches: 1,
  epochs: 4,
  responsesPerPrompt: 1,
  maxNewTokens: 64,
  temperature: 1,
  learningRate: 3e-6,
  criticLearningRate: 6e-6,
  clipLow: 0.2,
  clipHigh: 0.2,
  gamma: 1,
  lambda: 0.95,
  klCoef: 0.05,
  klBounded: false,
  klControllers: [],
  maxGradNorm: 1,
  groups: false,
  topK: 0,
  topP: 1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-5,
  weightDecay: 0,
  warmup: 0.05,
  entropyCoef: 0.01,
  whitenAdvantages: true,
  dualClip: null,
  stopEpochsAtKl: null,
  penaltyBeta: null,
  valueClip: 0.2,
  valueCoef: null,
  slowCriticDecay: null,
  scoreClip: 10,
  missingEosPenalty: 0,
};
const spread: PolicySpread = {
  samples: 64,
  entropyMean: 1.8,
  vocabularySize: 50_000,
  eosShare: 0.9,
  agreement: 0.1,
  lengthMean: 40,
};
const asked = (n: number, kinds = 4): PromptFacts[] =>
  Array.from({ length: n }, (_, i) => ({ text: `${"qwertzui"[i % 8]} ${i * 7919} ${i}?`, kind: `kind ${i % kinds}` }));
const good: DoctorFacts = {
  objective: "when asked, prefer a short answer over a long one",
  ppo,
  rewards: ["model", "length"],
  grain: null,
  coldCritic: false,
  reward: null,
  rewardModels: [],
  model: { parameters: 1e9, start: "folder", spread, stops: null },
  sftLearningRate: 1e-5,
  prompts: asked(1000),
  evaluationPrompts: [{ text: "something else entirely", kind: "kind 1" }],
  promptTokens: 30,
  tokenBudget: null,
  experiment: null,
  explain: {},
};
const found = (facts: Partial<DoctorFacts>) =>
  examine({ ...good, ...facts }).map(({ id, severity }) => (severity === "note" ? `note ${id}` : id));
const withPpo = (settings: Partial<PpoFacts>, facts: Partial<DoctorFacts> = {}) =>
  found({ ...facts, ppo: { ...ppo, ...settings } });

it("says where a response stops, and what fine-tuning teaches", () => {
  const stops = { tokens: ["<|im_end|> (4)", "<eos> (1)"], strings: ["\n\n"], turnEnd: "<|im_end|> (4)" };
  const of = (stops: StopFacts) =>
    examine({ ...good, model: { ...good.model, stops } }).find(({ id }) => id === "policy/stops")?.what;
  expect(of(stops)).toBe(
    'a response stops at <|im_end|> (4) or <eos> (1), or where its text holds "\\n\\n"; fine-tuning teaches <|im_end|> (4)',
  );
  expect(of({ tokens: ["<eos> (1)"], strings: [], turnEnd: null })).toContain(
    "; no chat template ends turns with a token",
  );
});

it("has nothing to say of settings that are known to be good, but which corner they are near", () => {
  expect(found({})).toEqual(["note batch/corner"]);
});

describe("each finding, on either side of its threshold", () => {
  const spreadOf = (change: Partial<PolicySpread>): Partial<DoctorFacts> => ({
    model: { ...good.model, spread: { ...spread, ...change } },
  });
  const sized = (parameters: number, learningRate: number): Partial<DoctorFacts> => ({
    model: { ...good.model, parameters },
    ppo: { ...ppo, learningRate, criticLearningRate: 2 * learningRate },
    sftLearningRate: null,
  });
  const evaluated = (texts: string[]): Partial<DoctorFacts> => ({
    evaluationPrompts: texts.map((text) => ({ text, kind: null })),
    prompts: [...asked(1000), { text: "please book a table for two at the inn tonight", kind: "kind 1" }],
  });
  it.each<[FindingId, Partial<DoctorFacts>, Partial<DoctorFacts>]>([
    ["objective/form", { objective: "be good" }, { objective: "Prefer brief over long" }],
    ["batch/few_sequences", { ppo: { ...ppo, sequences: 255 } }, { ppo: { ...ppo, sequences: 256 } }],
    ["batch/few_sequences", { ppo: { ...ppo, minibatches: 8 } }, { ppo: { ...ppo, minibatches: 2 } }],
    ["batch/tiny_step", { ppo: { ...ppo, sequences: 63 } }, { ppo: { ...ppo, sequences: 64 } }],
    [
      "batch/tiny_step",
      { model: { ...good.model, parameters: 1e7 }, ppo: { ...ppo, sequences: 15 } },
      { model: { ...good.model, parameters: 1e7 }, ppo: { ...ppo, sequences: 16 } },
    ],
    [
      "batch/many_sequences",
      { ppo: { ...ppo, sequences: 1025, learningRate: 4e-6, criticLearningRate: 8e-6 } },
      { ppo: { ...ppo, sequences: 1024, learningRate: 4e-6, criticLearningRate: 8e-6 } },
    ],
    [
      "batch/many_sequences",
      { ppo: { ...ppo, sequences: 2048, learningRate: 4e-6 } },
      { ppo: { ...ppo, sequences: 2048 } },
    ],
    ["rate/above_band", sized(1e9, 1.1e-5), sized(1e9, 1e-5)],
    ["rate/below_band", sized(1e9, 0.9e-6), sized(1e9, 1e-6)],
    ["rate/below_band", sized(0.8e6, 1e-6), sized(0.8e6, 2e-4)],
    ["rate/above_band", sized(124e6, 2e-4), sized(124e6, 1e-5)],
    ["rate/below_band", sized(13e9, 4e-7), sized(13e9, 5e-7)],
    ["rate/above_sft", { sftLearningRate: 2e-6 }, { sftLearningRate: 3e-6 }],
    ["clip/loose", { ppo: { ...ppo, clipHigh: 0.3 } }, { ppo: { ...ppo, clipHigh: 0.28 } }],
    ["clip/tight", { ppo: { ...ppo, clipLow: 0.04 } }, { ppo: { ...ppo, clipLow: 0.05 } }],
    ["update/many_epochs", { ppo: { ...ppo, epochs: 5 } }, { ppo: { ...ppo, epochs: 4 } }],
    ["gradient/unclipped", { ppo: { ...ppo, maxGradNorm: null } }, { ppo: { ...ppo, maxGradNorm: 2 } }],
    ["gradient/clip_unusual", { ppo: { ...ppo, maxGradNorm: 0.4 } }, { ppo: { ...ppo, maxGradNorm: 0.5 } }],
    ["critic/slow", { ppo: { ...ppo, criticLearningRate: 2.9e-6 } }, { ppo: { ...ppo, criticLearningRate: 3e-6 } }],
    ["critic/slow", { ppo: { ...ppo, criticLearningRate: 1e-9 } }, { ppo: { ...ppo, criticLearningRate: null } }],
    [
      "critic/rate_unusual",
      { ppo: { ...ppo, criticLearningRate: 4e-6 } },
      { ppo: { ...ppo, criticLearningRate: 4.5e-6 } },
    ],
    [
      "critic/weak_for_steps",
      { grain: "steps", ppo: { ...ppo, criticLearningRate: 4e-6 } },
      { grain: "turn", ppo: { ...ppo, criticLearningRate: 4e-6 } },
    ],
    ["critic/cold", { coldCritic: true }, { coldCritic: false }],
    ["credit/gamma_forgets", { ppo: { ...ppo, gamma: 0.98 } }, { ppo: { ...ppo, gamma: 0.99 } }],
    ["credit/gamma_forgets", { ppo: { ...ppo, gamma: 0.98 } }, { grain: "steps", ppo: { ...ppo, gamma: 0.98 } }],
    ["credit/lambda_low", { ppo: { ...ppo, lambda: 0.89 } }, { ppo: { ...ppo, lambda: 0.9 } }],
    [
      "credit/lambda_high",
      { ppo: { ...ppo, lambda: 0.99, maxNewTokens: 512 } },
      { ppo: { ...ppo, lambda: 0.99, maxNewTokens: 511 } },
    ],
    ["credit/lambda_high", { grain: "late", ppo: { ...ppo, lambda: 0.98 } }, { grain: "late" }],
    ["kl/no_reference", { ppo: { ...ppo, klCoef: 0 } }, { ppo: { ...ppo, klCoef: 0.01 } }],
    ["kl/starts_low", { ppo: { ...ppo, klCoef: 0.049 } }, { ppo: { ...ppo, klCoef: 0.05 } }],
    [
      "kl/bounded_controller",
      { ppo: { ...ppo, klBounded: true } },
      { ppo: { ...ppo, klBounded: true, sequences: 255 } },
    ],
    [
      "kl/controller_jumps",
      { ppo: { ...ppo, klControllers: [{ section: "kl", least: 0.048, greatest: 1.95 }] } },
      { ppo: { ...ppo, klControllers: [{ section: "kl", least: 0.5, greatest: 2 }] } },
    ],
    ["update/ends_early", { ppo: { ...ppo, stopEpochsAtKl: 0.004 } }, { ppo: { ...ppo, stopEpochsAtKl: 0.005 } }],
    ["update/penalty", { ppo: { ...ppo, penaltyBeta: 0.09 } }, { ppo: { ...ppo, penaltyBeta: 0.1 } }],
    ["update/penalty", { ppo: { ...ppo, penaltyBeta: 11 } }, { ppo: { ...ppo, penaltyBeta: 10 } }],
    ["update/not_whitened", { ppo: { ...ppo, whitenAdvantages: false } }, {}],
    ["optimizer/unusual", { ppo: { ...ppo, beta1: 0.4 } }, { ppo: { ...ppo, beta1: 0.95 } }],
    ["optimizer/unusual", { ppo: { ...ppo, beta2: 0.9 } }, { ppo: { ...ppo, beta2: 0.95 } }],
    ["optimizer/unusual", { ppo: { ...ppo, epsilon: 1e-3 } }, { ppo: { ...ppo, epsilon: 1e-8 } }],
    ["optimizer/unusual", { ppo: { ...ppo, weightDecay: 0.2 } }, { ppo: { ...ppo, weightDecay: 0.1 } }],
    ["optimizer/unusual", { ppo: { ...ppo, warmup: 0.5 } }, { ppo: { ...ppo, warmup: 0.1 } }],
    ["sampling/temperature", { ppo: { ...ppo, temperature: 0.6 } }, { ppo: { ...ppo, temperature: 0.7 } }],
    ["sampling/temperature", { ppo: { ...ppo, temperature: 1.3 } }, { ppo: { ...ppo, temperature: 1.2 } }],
    ["sampling/truncated", { ppo: { ...ppo, topK: 50 } }, {}],
    ["sampling/truncated", { ppo: { ...ppo, topP: 0.9 } }, {}],
    ["sampling/entropy_bonus", { ppo: { ...ppo, entropyCoef: 0.1 } }, { ppo: { ...ppo, entropyCoef: 0.02 } }],
    ["sampling/responses", { ppo: { ...ppo, groups: true } }, { ppo: { ...ppo, groups: true, responsesPerPrompt: 2 } }],
    ["value/clip", { ppo: { ...ppo, valueClip: 0.01 } }, { ppo: { ...ppo, valueClip: null } }],
    ["value/coefficient", { ppo: { ...ppo, valueCoef: 0.01 } }, { ppo: { ...ppo, valueCoef: 1 } }],
    ["value/slow_critic", { ppo: { ...ppo, slowCriticDecay: 0.9999 } }, { ppo: { ...ppo, slowCriticDecay: 0.999 } }],
    ["kl/starts_high", { ppo: { ...ppo, klCoef: 0.4 } }, { ppo: { ...ppo, klCoef: 0.3 } }],
    ["reward/score_clip", { ppo: { ...ppo, scoreClip: 0.5 } }, { ppo: { ...ppo, scoreClip: null } }],
    ["reward/eos_penalty", { ppo: { ...ppo, missingEosPenalty: 50 } }, { ppo: { ...ppo, missingEosPenalty: 1 } }],
    [
      "reward/inaccurate",
      { rewardModels: [{ name: "model", accuracy: 0.599 }] },
      { rewardModels: [{ name: "model", accuracy: 0.6 }] },
    ],
    ["reward/one_component", { rewards: ["model"] }, { rewards: ["model", "safety"] }],
    ["policy/untrained", { model: { parameters: 1e9, start: "random", spread: null, stops: null } }, {}],
    ["policy/untrained", spreadOf({ entropyMean: 7.7 }), spreadOf({ entropyMean: 7.5 })],
    ["policy/wide", spreadOf({ entropyMean: 3.1 }), spreadOf({ entropyMean: 3 })],
    ["policy/wide", spreadOf({ entropyMean: 3.1 }), spreadOf({ entropyMean: 3.1, vocabularySize: 9999 })],
    ["policy/never_ends", spreadOf({ eosShare: 0.09 }), spreadOf({ eosShare: 0.1 })],
    ["policy/narrow", spreadOf({ agreement: 0.91 }), spreadOf({ agreement: 0.9 })],
    ["policy/narrow", spreadOf({ entropyMean: 0.04, agreement: null }), spreadOf({ agreement: null })],
    ["prompts/few", { prompts: asked(511) }, { prompts: asked(512) }],
    ["prompts/few", { prompts: asked(511) }, { prompts: asked(511), ppo: { ...ppo, responsesPerPrompt: 2 } }],
    [
      "prompts/repeated",
      { prompts: [...asked(600), ...asked(600), ...asked(1)] },
      { prompts: [...asked(600), ...asked(600)] },
    ],
    ["prompts/narrow", { prompts: asked(600, 2) }, { prompts: asked(600, 3) }],
    [
      "prompts/narrow",
      { prompts: Array.from({ length: 600 }, (_, i) => ({ text: `what is ${i} plus 3 ?`, kind: null })) },
      {
        prompts: Array.from({ length: 600 }, (_, i) => ({
          text: `${["what is", "tell", "add"][i % 3]} ${i} ?`,
          kind: null,
        })),
      },
    ],
    ["evaluation/is_training", { evaluationPrompts: "training" }, { evaluationPrompts: null }],
    [
      "evaluation/exact_overlap",
      evaluated(["Please  book a table for two at the inn tonight", "b"]),
      evaluated(["please book a table for ten at an inn today", "b"]),
    ],
    [
      "evaluation/near_overlap",
      evaluated(["please book a table for two at the inn tonight!"]),
      evaluated(["please book me a room for ten people in the tavern tonight"]),
    ],
    ["batch/token_budget", { tokenBudget: 100_000 }, { tokenBudget: null }],
    ["doctor/unknown_explanation", { explain: { "clip/lose": "x" } }, {}],
    ["doctor/idle_explanation", { explain: { "clip/loose": "x" } }, { explain: { "batch/corner": "x" } }],
  ])("%s", (id, wrong, right) => {
    const ids = (facts: Partial<DoctorFacts>) => found(facts).map((name) => name.replace("note ", ""));
    expect(ids(wrong)).toContain(id);
    expect(ids(right)).not.toContain(id);
  });

  it("of an experiment", () => {
    const changed = (stage: 1 | 2 | 3 | 4, ...changedKeys: string[]) =>
      found({ experiment: { stage, previous: { name: "before", changedKeys } } }).filter((id) =>
        /^experiment/.test(id),
      );
    expect(changed(2, "ppo.rewards.0.weight", "name", "seed", "objective")).toEqual([]);
    expect(changed(2, "ppo.learningRate")).toEqual(["experiment/outside_stage"]);
    expect(changed(1, "ppo.learningRate")).toEqual([]);
    expect(changed(3, "ppo.prompts.path")).toEqual([]);
    expect(changed(3, "ppo.prompts.path", "ppo.rewards.0.weight")).toEqual([
      "experiment/confounded",
      "experiment/outside_stage",
    ]);
    expect(changed(4, "evaluation.prompts.path")).toEqual([]);
    const [all] = examine({
      ...good,
      experiment: {
        stage: 3,
        previous: { name: "before", changedKeys: ["ppo.prompts.path", "reward.steps", "sft.steps", "model.width"] },
      },
    });
    expect(all).toMatchObject({ id: "experiment/confounded", severity: "error" });
    expect(all?.what).toBe(
      "against before, reward (reward.steps), prompts (ppo.prompts.path), model (sft.steps, model.width) changed together",
    );
    const note = examine({ ...good, experiment: { stage: 1, previous: null } }).find(
      ({ id }) => id === "experiment/stage",
    );
    expect(note?.remedy).toContain("consistency and caution");
  });
});

it("a small step shows what both sources say, and what the same samples allow", () => {
  const [finding] = examine({ ...good, ppo: { ...ppo, sequences: 512, minibatches: 4 } });
  expect(finding?.what).toBe("128 sequences a step (512 in 4 minibatches)");
  expect(finding?.remedy).toContain("ppo.minibatches=2 makes it 256 from the same samples");
  expect(finding?.remedy).toContain("widens the clip (0.2 to 0.3)");
  expect(finding?.remedy).toContain("halves the rate (3e-6 to 1.5e-6) and doubles the KL coefficient (0.05 to 0.1)");
});

it("the step under 64 is an error, and a warning from there on", () => {
  const severityAt = (sequences: number) => examine({ ...good, ppo: { ...ppo, sequences } })[0]?.severity;
  expect([severityAt(63), severityAt(64)]).toEqual(["error", "warning"]);
});

it("tells how many sequences a token budget holds", () => {
  const budget = (tokenBudget: number, facts: Partial<DoctorFacts> = {}) =>
    examine({ ...good, ...facts, tokenBudget }).find(({ id }) => id === "batch/token_budget")!;
  // Prompts of 30 and measured responses of 40 tokens: 70 a sequence, 512 of them configured.
  expect(budget(512 * 70)).toMatchObject({ severity: "note", remedy: "nothing to do" });
  expect(budget(300 * 70)).toMatchObject({ severity: "warning" });
  expect(budget(300 * 70).remedy).toContain("ppo.microBatch=300");
  expect(budget(100 * 70).what).toContain("hold 100 sequences of 70 tokens");
  expect(budget(1000, { promptTokens: null }).what).toContain("is not known yet");
  const unmeasured = { model: { ...good.model, spread: null, stops: null } };
  expect(budget(512 * 94, unmeasured).what).toContain("hold 512 sequences of 94 tokens");
});

it("what is explained no longer counts, and stands last of its severity", () => {
  const findings = examine({
    ...good,
    ppo: { ...ppo, sequences: 128, epochs: 5 },
    explain: { "batch/few_sequences": "two cores" },
  });
  expect(findings.map(({ id, explained }) => [id, explained])).toEqual([
    ["update/many_epochs", null],
    ["batch/few_sequences", "two cores"],
    ["batch/corner", null],
  ]);
  expect(unexplained(findings).map(({ id }) => id)).toEqual(["update/many_epochs"]);
});

it("an unknown rate or size is judged by nothing", () => {
  const ids = withPpo(
    { learningRate: 1, criticLearningRate: 2 },
    {
      model: { parameters: null, start: "folder", spread: null, stops: null },
      sftLearningRate: null,
    },
  );
  expect(ids).toEqual([]);
});

it("an adapter's band is ten times that of all weights", () => {
  const [whole, adapter] = [rateBand({ parameters: 1e8 }), rateBand({ parameters: 1e8, lora: true })];
  expect(adapter).toEqual({ low: 10 * whole.low, typical: 10 * whole.typical, high: 10 * whole.high });
  const model = { ...good.model, parameters: 1e8 };
  const of = (lora: boolean, learningRate: number) => withPpo({ learningRate }, { model: { ...model, lora } });
  expect(of(true, adapter.typical)).not.toContain("rate/above_band");
  expect(of(false, adapter.typical)).toContain("rate/above_band");
  expect(of(true, whole.low)).toContain("rate/below_band");
});

it("the band of rates passes what is published and measured", () => {
  expect(rateBand({ parameters: 0.8e6 }).typical).toBeCloseTo(2e-4, 10);
  expect(rateBand({ parameters: 1e9 }).low).toBeCloseTo(1e-6, 12);
  expect(rateBand({ parameters: 1e9 }).high).toBeCloseTo(1e-5, 12);
  expect(rateBand({ parameters: 8e9 })).toMatchObject({ low: 5e-7 });
  for (const { parameters, learningRate, lora } of corners) {
    const { low, high } = rateBand({ parameters, lora });
    expect(learningRate).toBeGreaterThanOrEqual(low);
    expect(learningRate).toBeLessThan(high);
  }
});

it("the nearest corner gives no rate that the band of this size leaves out", () => {
  const at = (parameters: number, learningRate = 3e-6, epochs = 3) =>
    examine({
      ...good,
      model: { ...good.model, parameters },
      ppo: { ...ppo, learningRate, criticLearningRate: 2 * learningRate, epochs },
    });
  const corner = (...where: Parameters<typeof at>) => at(...where).find(({ id }) => id === "batch/corner")!;
  // 3.3 million: nearest, by its 512 per step, is GPT-2 small, whose 1e-5 would bring the warning "too low".
  const small = corner(3.3e6);
  expect(small.what).toMatch(/GPT-2 small on styles \(124 million\): 512 a step, clip 0.2, 4 epochs$/);
  expect(small.remedy).toContain("move towards the corner, and keep the rate within this size's own 2.8e-5 to 2.8e-4");
  const same = corner(3.3e6, 1e-4, 4);
  expect(same.what).toContain("as in the known-good corner of GPT-2 small on styles (124 million) but for the rate");
  expect(same.remedy).toMatch(/^keep the rate within this size's own 2.8e-5 to 2.8e-4/);
  expect(corner(124e6).what).toContain("GPT-2 small on styles (124 million): 512 a step, rate 1e-5");
  expect(corner(124e6).remedy).toMatch(/^move towards the corner, or/);
  for (let parameters = 1e4; parameters < 1e12; parameters *= 1.5) {
    const advised = corner(parameters).what.match(/known-good corner.*, rate ([^,]+)/)?.[1];
    if (advised === undefined) continue;
    expect(at(parameters, Number(advised)).map(({ id }) => id)).not.toContain("rate/below_band");
    expect(at(parameters, Number(advised)).map(({ id }) => id)).not.toContain("rate/above_band");
  }
});

it("settings of a key by its section", () => {
  expect(["ppo.kl.coef", "ppo.rewards.1.weight", "reward.steps", "demo.variant", "name", "sftish"].map(partOf)).toEqual(
    ["settings", "reward", "reward", "prompts", null, null],
  );
});

it("a measured corner has the settings of its example, an interval, and is what the doctor cites there", () => {
  const measured = corners.filter(({ measured }) => measured !== undefined);
  expect(measured.length).toBeGreaterThan(1);
  for (const corner of measured) {
    const { name, source, parameters, lora = false } = corner;
    const { config } = parseConfig(readFileSync(source, "utf8"), source);
    const { sequences, minibatches, learningRate, clipHigh, epochs, kl } = config.ppo!;
    expect(
      { sequencesPerStep: sequences / minibatches, learningRate, clip: clipHigh, epochs, kl: String(kl.coef) },
      name,
    ).toEqual(pick(corner));
    expect(config.lora !== undefined, name).toBe(lora);
    expect(corner.measured!.result, name).toMatch(/ \[[+-]?[\d.]+, [+-]?[\d.]+\]/);
    const findings = examine({
      ...good,
      model: { ...good.model, parameters, lora },
      ppo: { ...ppo, sequences, minibatches, learningRate, criticLearningRate: 2 * learningRate, epochs },
    });
    const cited = findings.find(({ id }) => id === "batch/corner")!;
    expect(cited.what).toContain(`as in the known-good corner of ${name}`);
    expect(cited.source).toBe(`measured: ${source} on ${corner.measured!.hardware}: ${corner.measured!.result}`);
  }
  function pick({ sequencesPerStep, learningRate, clip, epochs, kl }: Corner) {
    return { sequencesPerStep, learningRate, clip, epochs, kl };
  }
});

it("an adapter's corner is near to an adapter, and gives its rate to no run of all weights", () => {
  const adapters = corners.filter(({ lora }) => lora);
  expect(adapters.length).toBeGreaterThan(0);
  for (const { name, parameters, sequencesPerStep, learningRate } of adapters) {
    expect(nearestCorner({ parameters, sequencesPerStep, lora: true }).name).toBe(name);
    const settings = { ...ppo, sequences: sequencesPerStep, learningRate: learningRate / 10 };
    const [whole] = examine({ ...good, ppo: settings, model: { ...good.model, parameters } }).filter(
      ({ id }) => id === "batch/corner",
    );
    expect(whole!.what).not.toContain(`rate ${learningRate}`);
  }
});

it("docs/doctor.md has every finding, corner and stage", () => {
  const page = readFileSync("docs/doctor.md", "utf8");
  for (const id of findingIds) expect(page, id).toMatch(new RegExp(`^\\| .*\`${id}\`.* \\|`, "m"));
  for (const { name, measured } of corners) {
    const row = page.split("\n").find((line) => line.startsWith(`| ${name} |`));
    expect(row, name).toContain(measured?.result ?? name);
    expect(row, name).toContain(measured?.hardware ?? name);
  }
  for (const { asks } of Object.values(experimentStages)) expect(page).toContain(asks);
});
