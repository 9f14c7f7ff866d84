import { describe, expect, it } from "vitest";
import { messageOf } from "../util/errors.ts";
import { parseConfig } from "./load-config.ts";

/** The findings on a whole pipeline with these overrides, without the place at their beginning. */
function findings(...overrides: string[]): { error: string | null; warnings: string[] } {
  const text = "demo: {}\nsft: {}\nreward: {}\nppo: {}\nobjective: when a, prefer b over c\n";
  const withoutPlace = (message: string) => {
    const override = overrides.find((text) => message.startsWith(`override ${text}: `));
    return override ? message.slice(`override ${override}: `.length) : message.replace(/^a\.yaml:\d+: /, "");
  };
  try {
    const { warnings } = parseConfig(text, "a.yaml", overrides);
    return { error: null, warnings: warnings.map(withoutPlace) };
  } catch (error) {
    return { error: withoutPlace(messageOf(error)), warnings: [] };
  }
}

it("a pipeline of defaults is in order", () => {
  expect(findings()).toEqual({ error: null, warnings: [] });
});

it("settings of passes on this machine have no effect if every model is on a server", () => {
  const server = "engine={kind: tinker, url: 'http://127.0.0.1:8000', model: m, backend: skyrl-jax}";
  const ours = ["model.path=base", "lora.rank=8", "threads=4", "recompute=true", "ppo.microBatch=2"];
  const text =
    "ppo: { prompts: { path: p.jsonl }, rewards: [{ kind: length, max: 5 }] }\nobjective: when a, prefer b over c\n";
  const said = (...more: string[]) =>
    parseConfig(text, "a.yaml", [server, ...ours, ...more]).warnings.flatMap(
      (one) => /(\S+ has no effect: .*)$/.exec(one)?.[1] ?? [],
    );
  expect(said()).toEqual(
    ["threads", "recompute", "ppo.microBatch"].map(
      (key) => `${key} has no effect: engine.kind is tinker, and the server cuts and computes passes by itself`,
    ),
  );
  expect(said("engine.critic={kind: embedded}")).toEqual([]);
});

it("an algorithm without a critic has defaults of its own, which what is given replaces", () => {
  const text = "demo: {}\nreward: {}\nppo: {}\nobjective: when a, prefer b over c\n";
  const of = (...overrides: string[]) => parseConfig(text, "a.yaml", overrides).config.ppo!;
  expect(of()).toMatchObject({ algorithm: "ppo", responsesPerPrompt: 1, epochs: 4, kl: { in: "reward", coef: 0.05 } });
  expect(of("ppo.algorithm=rloo")).toMatchObject({
    responsesPerPrompt: 4,
    aggregation: "sequence-sum",
    entropyCoef: 0,
  });
  const grpo = { responsesPerPrompt: 8, epochs: 1, kl: { in: "loss", estimator: "k3", coef: 0.04 } };
  expect(of("ppo.algorithm=grpo")).toMatchObject(grpo);
  const given = of("ppo.algorithm=grpo", "ppo.epochs=2", "ppo.kl.estimator=k2", "ppo.responsesPerPrompt=16");
  expect(given).toMatchObject({ epochs: 2, responsesPerPrompt: 16, kl: { in: "loss", estimator: "k2", coef: 0.04 } });
});

describe("errors", () => {
  it.each<[string[], string]>([
    [
      ["ppo.algorithm=grpo", "ppo.slowCritic={}"],
      "ppo.slowCritic has no place in grpo, which has no critic: remove it",
    ],
    [
      ["ppo.algorithm=rloo", "ppo.clipLow=0.1"],
      "ppo.clipLow has no place in rloo, which does not clip its loss: remove it",
    ],
    [
      ["ppo.algorithm=rloo", "ppo.responsesPerPrompt=1"],
      "ppo.responsesPerPrompt 1: rloo compares responses to the same prompt with each other; try 4",
    ],
    [["ppo.algorithm=grpo", "faults=[critic-frozen@3]"], "critic-frozen needs a critic; ppo.algorithm grpo has none"],
    [
      ["ppo.algorithm=trpo"],
      'ppo.algorithm: expected one of ppo, rloo, grpo, found the text "trpo"; did you mean grpo?',
    ],
    [["model.heads=5"], "model.width 128 is not divisible by 5 heads; try 4 or 8 heads, or width 125 or 130"],
    [
      ["model.kvHeads=2"],
      "model.kvHeads: the family gpt2 has no such choice; remove it, or set model.family to llama, mistral, qwen2, qwen3 or gemma3_text",
    ],
    [
      ["model.family=llama", "model.kvHeads=3"],
      "model.heads 4 is not divisible by 3 heads of keys and values; try 1, 2 or 4",
    ],
    [
      ["model.family=qwen3", "model.headDim=33"],
      "a head is 33 wide, and rotary positions turn pairs of its entries; make model.headDim even",
    ],
    [
      ["lora.rank=4", "sft.steps=3"],
      "lora: an adapter stands on trained weights, and sft would start from random ones; give model.path, or remove lora",
    ],
    [
      ["model.path=m", "model.ropeTheta=5", "model.innerWidth=2"],
      "model.innerWidth and ropeTheta: the model in m brings its own sizes; remove them, or model.path to make a model from scratch",
    ],
    [["threads=100000"], "threads: expected a whole number from 0 to 1024, found 100000"],
    [["ppo.sequences=20000000000"], "ppo.sequences: expected a whole number from 1 to 1000000, found 20000000000"],
    [["evaluation.samples=1000001"], "evaluation.samples: expected a whole number from 1 to 1000000, found 1000001"],
    [
      ["model.path=m", "model.width=64", "model.heads=2"],
      "model.width and heads: the model in m brings its own sizes; remove them, or model.path to make a model from scratch",
    ],
    [
      ["model.path=m", "tokenizer.kind=word"],
      "tokenizer.kind word: the model in m was trained with its own tokenizer; remove the key",
    ],
    [
      ["tokenizer.kind=file"],
      "tokenizer.kind file needs tokenizer.path, a folder with tokenizer.json, or model.path, whose own is then read",
    ],
    [
      ["tokenizer.path=t"],
      "tokenizer.path is read with kind: file, not with byte; set tokenizer.kind to file or remove the path",
    ],
    [
      ["demo=null", "reward=null", "ppo=null"],
      "sft has no demonstrations: give sft.data.path, a file of rows, or a section demo",
    ],
    [
      ["demo=null", "sft=null", "ppo=null"],
      "reward has no preference pairs: give reward.data.path, a file of rows, or a section demo",
    ],
    [
      ["demo=null", "sft=null", "reward.data.path=x"],
      "ppo has no prompts: give ppo.prompts.path, a file of rows, or a section demo",
    ],
    [["ppo.sequences=10", "ppo.minibatches=4"], "ppo.sequences 10 is not divisible by 4 minibatches; try 8 or 12"],
    [["ppo.sequences=3", "ppo.minibatches=4"], "ppo.sequences 3 is not divisible by 4 minibatches; try 4"],
    [
      ["ppo.sequences=16", "ppo.minibatches=4", "ppo.responsesPerPrompt=3"],
      "ppo.sequences 16 is not a multiple of ppo.responsesPerPrompt 3; try 12 or 24",
    ],
    [
      ["objective=' '"],
      'ppo has no objective: say in a sentence what the run is for, as in objective: "when X, prefer Y over Z"; it heads every report',
    ],
    [
      ["ppo.maxNewTokens=128"],
      "ppo.maxNewTokens 128 leaves no room for a prompt in model.context 128; try 64, or a context of 256",
    ],
    [
      ["evaluation.maxNewTokens=200"],
      "evaluation.maxNewTokens 200 leaves no room for a prompt in model.context 128; try 64, or a context of 400",
    ],
    [
      ["ppo.topK=5", "ppo.topP=0.9"],
      "ppo.topK 5 and topP 0.9 truncates the rollout's sampling: tokens then no longer come from the policy whose KL and ratio PPO computes, and the sampled KL is wrong, even negative; use topK 0 and topP 1, or set ppo.allowTruncatedSampling: true",
    ],
    [
      ["ppo.valueCoef=0.5"],
      "ppo.valueCoef 0.5 weighs the value loss on a shared trunk; a separate critic has its own optimizer, where Adam cancels the factor: remove it and set ppo.criticLearningRate, or set ppo.criticKind: shared",
    ],
    [
      ["ppo.criticKind=shared", "engine.critic.kind=embedded"],
      "engine.critic opens an engine for nothing: with ppo.criticKind shared the critic is on the policy's trunk, in the policy's engine; remove it",
    ],
    [
      ["ppo.algorithm=rloo", "engine.critic.kind=embedded"],
      "engine.critic opens an engine for nothing: ppo.algorithm rloo has no critic; remove it",
    ],
    [
      ["ppo.criticKind=shared", "ppo.criticLearningRate=1"],
      "ppo.criticLearningRate 1 belongs to a separate critic; with ppo.criticKind shared the policy's trunk and rate are the critic's: remove it",
    ],
    [
      ["ppo.criticKind=shared", "ppo.critic=c"],
      "ppo.critic c belongs to a separate critic; with ppo.criticKind shared the policy's trunk and rate are the critic's: remove it",
    ],
    [
      ["ppo.kl.controller=ziegler"],
      "ppo.kl.controller ziegler needs ppo.kl.target, the KL to steer to: target: 6 with targetUnit: sequence is Ziegler et al.'s",
    ],
    [
      ["ppo={policyLoss: penalty, penalty: {controller: step}}"],
      "ppo.penalty.controller step needs ppo.penalty.target, 0.01, say",
    ],
    [
      ["ppo={policyLoss: penalty, penalty: {controller: step, target: 0.01, beta: 0}}"],
      "ppo.penalty.beta 0 stays 0 under step, which multiplies it; start from 1",
    ],
    [["ppo.kl.targetEnd=0.05"], "ppo.kl.targetEnd needs ppo.kl.target, from which it starts"],
    [
      ["ppo.kl={controller: step, target: 6, low: 2}"],
      "ppo.kl.low 2 is not below ppo.kl.high 1.5: between them the coefficient rests; schulman2017 has 0.67 and 1.5",
    ],
    [
      ["ppo.kl={controller: exponential, target: 0.06, min: 2, max: 1}"],
      "ppo.kl.min 2 is above ppo.kl.max 1; swap them",
    ],
    [
      ["ppo.kl={controller: step, target: 6, preset: bounded, max: 0.005}"],
      "ppo.kl.min 0.01 is above ppo.kl.max 0.005; preset bounded has the other: give both",
    ],
    [
      ["ppo.kl={controller: exponential, target: 6, targetUnit: sequence}"],
      "ppo.kl.alpha 10 with ppo.kl.target 6: a KL of twice the target multiplies the coefficient by 1.1e+26 in a single iteration; try alpha 0.2",
    ],
    [
      ["ppo.sequences=50", "ppo.kl={controller: ziegler, target: 6, horizon: 10}"],
      "ppo.kl.horizon 10 with ppo.sequences 50: one KL under its target multiplies the coefficient by 1 - 0.2 x 50 / 10 = 0, and the coefficient is lost; give more than 10, or leave it out for a tenth of the run's sequences",
    ],
    [
      ["ppo={sequences: 64, policyLoss: penalty, penalty: {controller: ziegler, target: 0.01, horizon: 4}}"],
      "ppo.penalty.horizon 4 with ppo.sequences 64: one KL under its target multiplies the coefficient by 1 - 0.2 x 64 / 4 = -2.2, and the coefficient is lost; give more than 12.8, or leave it out for a tenth of the run's sequences",
    ],
    [
      ["ppo.kl={controller: step, target: 0.1, up: 5000}"],
      "ppo.kl.up 5000 and ppo.kl.down 0.5: one iteration moves the coefficient more than a thousandfold, from one of its bounds to the other; schulman2017 has 2 and 0.5",
    ],
    [
      ["ppo.layerRates={embeddings: 2, head: 1}"],
      "ppo.layerRates.embeddings 2 is above ppo.layerRates.head 1; published values are a third to half of it",
    ],
    [
      ["ppo.kl={controller: ziegler, target: 6, in: loss}"],
      "ppo.kl.controller ziegler steers the penalty in the reward; set ppo.kl.in: reward, or controller: fixed",
    ],
    [
      ["ppo.kl={controller: ziegler, target: 6, coef: 0}"],
      "ppo.kl.coef 0 stays 0 under ziegler, which multiplies it; start from 0.05",
    ],
    [
      ["ppo.rewards=[{kind: exact}, {kind: exact}]"],
      "ppo.rewards.1 has the name exact of ppo.rewards.0; give it a unique name, such as name: exact_1",
    ],
    [
      ["ppo.rewards=[{kind: exact, name: length}, {kind: length, max: 3}]"],
      "ppo.rewards.1 has the name length of ppo.rewards.0; give it a unique name, such as name: length_1",
    ],
    [
      ["ppo.rewards=[{kind: exact, weight: 0}]"],
      "ppo.rewards: every weight is 0, so every score is 0; give one of them a weight",
    ],
    [
      ["reward=null"],
      "ppo.rewards.0 (model) has no reward model: give its path, a folder such as runs/NAME-1/reward/final, or a section reward",
    ],
    [
      ["reward=null", "ppo.rewards=[{kind: comparison}]"],
      "ppo.rewards.0 (comparison) has no reward model: give its path, a folder such as runs/NAME-1/reward/final, or a section reward",
    ],
    [["ppo.rewards=[{kind: length, min: 9, max: 3}]"], "ppo.rewards.0: min 9 is above max 3; swap them"],
    [
      ["ppo.rewards=[{kind: pattern, pattern: '(a'}]"],
      "ppo.rewards.0: /(a/ is not a valid regular expression: Unterminated group",
    ],
    [
      ["ppo.rewards=[{kind: pattern, pattern: a, flags: q}]"],
      "ppo.rewards.0: /a/q is not a valid regular expression: Invalid flags supplied to RegExp constructor 'q'",
    ],
    [
      ["ppo.rewards=[{kind: safety}]", "ppo.safety.builtIn=false"],
      "ppo.rewards.0 (safety) has no words: give ppo.safety.categories, or ppo.safety.builtIn: true",
    ],
  ])("%j", (overrides, expected) => {
    expect(findings(...overrides).error).toBe(expected);
  });
});

describe("warnings", () => {
  it.each<[string[], string[]]>([
    [
      ["ppo.topK=5", "ppo.allowTruncatedSampling=true"],
      [
        "ppo.topK 5 truncates the rollout's sampling: tokens then no longer come from the policy whose KL and ratio PPO computes, and the sampled KL is wrong, even negative",
      ],
    ],
    [
      ["ppo.kl.horizon=100"],
      ["ppo.kl.horizon has no effect with the controller fixed; set ppo.kl.controller: ziegler or remove it"],
    ],
    [
      ["ppo.kl={controller: ziegler, target: 6, alpha: 3, min: 0.01}"],
      ["ppo.kl.alpha has no effect with the controller ziegler; set ppo.kl.controller: exponential or remove it"],
    ],
    [["ppo.kl={controller: exponential, target: 0.05}"], []],
    [["ppo.iterations=1", "ppo.kl={controller: ziegler, target: 6}"], []],
    [
      ["ppo.kl={controller: exponential, target: 6, targetUnit: sequence, alpha: 0.5}"],
      [
        "ppo.kl.alpha 0.5 with ppo.kl.target 6: a KL of twice the target multiplies the coefficient by 20 in a single iteration; try alpha 0.2",
      ],
    ],
    [["ppo.kl.max=1"], ["ppo.kl.max has no effect with the controller fixed, which moves nothing; remove it"]],
    [["ppo.penalty.beta=2"], ["ppo.penalty.beta has no effect with ppo.policyLoss clip; set policyLoss: penalty"]],
    [
      ["ppo={policyLoss: penalty, clipLow: 0.1, epochs: 1, penalty: {target: 0.01}}"],
      [
        "ppo.clipLow has no effect with ppo.policyLoss penalty, which clips nothing",
        "ppo.policyLoss penalty with a single step an iteration: old and new policy are the same there, and so the penalty has no gradient; take more epochs or minibatches",
        "ppo.penalty.target has no effect with the controller fixed, which moves nothing; remove it",
      ],
    ],
    [
      ["ppo.clipSchedule=phases"],
      [
        "ppo.clipSchedule phases without ppo.kl.target: the clip follows only the reward's slope; set a target for it to follow KL",
      ],
    ],
    [
      ["ppo.clipWide=0.25", "ppo.stepEvery=9"],
      [
        "ppo.clipWide has no effect with ppo.clipSchedule constant; set clipSchedule: phases",
        "ppo.stepEvery has no effect with the schedule constant; set ppo.schedule: step or remove it",
      ],
    ],
    [
      ["ppo.kl.estimator=k2"],
      [
        "ppo.kl.estimator k2 has no effect with ppo.kl.in reward: the reward takes k1, the one estimator unbiased there",
      ],
    ],
    [
      ["ppo.kl={in: loss, estimator: k3}"],
      ["ppo.kl.estimator k3 in the loss has a biased gradient; k2's is the KL's own"],
    ],
    [["ppo.kl={in: loss}"], []],
    [
      ["tokenizer.vocabularySize=9"],
      ["tokenizer.vocabularySize has no effect with kind byte; only word and bpe have a largest vocabulary"],
    ],
    [["tokenizer={kind: word, vocabularySize: 9}"], []],
    [
      ["sft.evaluation.path=x", "sft.evaluationShare=0.1"],
      ["sft.evaluationShare has no effect: sft.evaluation gives the held-out rows"],
    ],
    [
      ["sft=null"],
      [
        "PPO starts from random weights: give ppo.policy or model.path, a folder such as runs/NAME-1/sft/final, or a section sft",
      ],
    ],
    [["ppo.policy=p"], ["PPO starts from ppo.policy p, not from the result of the stage sft; remove one of them"]],
    [["sft=null", "reward.from=r", "ppo.policy=p", "ppo.maxNewTokens=4000"], []],
  ])("%j", (overrides, expected) => {
    expect(findings(...overrides)).toEqual({ error: null, warnings: expected });
  });
});

it("a finding stands at the key that made it", () => {
  const load =
    (ppo: string, ...overrides: string[]) =>
    () =>
      parseConfig(`demo: {}\nsft: {}\nreward: {}\nppo:\n${ppo}`, "a.yaml", overrides);
  expect(load("  epochs: 1\n  minibatches: 5\n")).toThrow("a.yaml:6: ppo.sequences 512 is not divisible");
  expect(load("  sequences: 10\n  minibatches: 4\n")).toThrow("a.yaml:5: ppo.sequences 10 is not divisible");
  expect(load("  sequences: 10\n", "ppo.minibatches=4")).toThrow("override ppo.minibatches=4: ppo.sequences 10");
});

it("sizes beyond all memory are refused with the numbers, and looked at no further", () => {
  for (const given of [
    ...["layers", "width", "context"].map((key) => [`model.${key}=1000000000000`]),
    ...["llama", "qwen2", "gemma3_text"].map((family) => [`model.family=${family}`, "model.layers=1000000000000"]),
  ])
    expect(findings(...given).error).toMatch(
      /^model\.layers \d+, width \d+ and context \d+ are too large: its [\d,]+ parameters take [\d,]+ GiB in float32, and this machine has [\d.]+ GiB/,
    );
});
