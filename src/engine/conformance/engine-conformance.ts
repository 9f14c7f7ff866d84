/**
 * The requirements for every engine, as checks that need no test runner: vitest runs them over the engines of this package, and a worker may run them
 * over its own. Checks of capabilities that the engine lacks are left out.
 */
import assert from "node:assert/strict";
import { schemeOf } from "../../settings/model-reference.ts";
import type { Capabilities } from "../capabilities.ts";
import type { Engine, LossRequest, ModelConfig, ModelId, ModelInfo, OptimStepRequest, Sequence } from "../engine.ts";

export interface Expectations {
  /** Largest difference, in nats and units of value, that rounding explains between two ways of computing the same. */
  readonly tolerance: number;
  /** A small model of at least 12 tokens and 16 positions. */
  readonly config: ModelConfig;
  /** Makes an empty folder. */
  readonly folder: () => string;
  /** Makes a model to train, for an engine that makes none from scratch. */
  readonly policy?: (engine: Engine, seed: number) => Promise<ModelInfo>;
}

export interface Check {
  readonly name: string;
  /** Capabilities that an engine must have for the check; `all` and `adapters` are what it can train. */
  readonly needs: readonly (keyof Capabilities | "all" | "adapters")[];
  readonly run: (engine: Engine, expectations: Expectations) => Promise<void>;
}

export type CheckResult = { readonly name: string } & (
  | { readonly outcome: "passed" }
  | { readonly outcome: "left out"; readonly lacks: readonly string[] }
  | { readonly outcome: "failed"; readonly error: Error }
);

/** Runs every check, one after the other, on an open engine. */
export async function checkEngine(engine: Engine, expectations: Expectations): Promise<CheckResult[]> {
  const { capabilities } = await engine.info();
  const results: CheckResult[] = [];
  for (const { name, needs, run } of checks) {
    const lacks = lackedBy(capabilities, needs);
    if (lacks.length > 0) {
      results.push({ name, outcome: "left out", lacks });
      continue;
    }
    try {
      await run(engine, expectations);
      results.push({ name, outcome: "passed" });
    } catch (error) {
      results.push({ name, outcome: "failed", error: error as Error });
    }
  }
  return results;
}

/** Those of a check's needs that an engine lacks. */
export function lackedBy(capabilities: Capabilities, needs: Check["needs"]): string[] {
  return needs.filter((key) =>
    key === "all" || key === "adapters" ? !capabilities.trainable.includes(key) : capabilities[key] === false,
  );
}

const sequences: readonly Sequence[] = [
  { tokens: [4, 6, 7, 8, 6], start: 2 },
  { tokens: [4, 9, 1], start: 1 },
  { tokens: [5, 5, 10, 11, 3, 2, 7, 9], start: 3 },
  { tokens: [8, 2], start: 1 },
];

/** Numbers for the scored tokens, all different and the same every time. */
function numbers(scale: number, shift: number): number[][] {
  return sequences.map(({ tokens, start }, b) =>
    tokens.slice(start).map((_, t) => shift + scale * Math.sin(7 * b + 3 * t + shift)),
  );
}

const weights = numbers(0.05, 0.1);
const crossEntropy: LossRequest = { name: "cross_entropy", sequences, weights };
const adam: OptimStepRequest = {
  ...{ learningRate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, weightDecay: 0, maxGradNorm: null },
};
const sampling = { stopTokens: [1], temperature: 1, topK: 0, topP: 1, seed: 7, maxNewTokens: 5 };
const prompts = sequences.map(({ tokens, start }) => tokens.slice(0, start));

const policyOf = (engine: Engine, { config, policy }: Expectations, seed = 1) =>
  policy?.(engine, seed) ?? engine.createModel({ config, heads: ["lm"], seed });
const criticOf = (engine: Engine, { config }: Expectations) =>
  engine.createModel({ config, heads: ["scalar"], scalarInit: "normal", seed: 2 });

async function logprobsOf(engine: Engine, model: ModelId, of = sequences): Promise<number[][]> {
  return (await engine.forward(model, { sequences: of, outputs: ["logprobs"] })).logprobs;
}

async function train(engine: Engine, model: ModelId, steps = 2): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await engine.forwardBackward(model, crossEntropy);
    await engine.optimStep(model, adam);
  }
}

function near(a: readonly number[], b: readonly number[], tolerance: number, what: string): void {
  assert.equal(a.length, b.length, what);
  for (const [i, x] of a.entries())
    assert.ok(Math.abs(x - b[i]!) <= tolerance * Math.max(1, Math.abs(b[i]!)), `${what}: ${x} is not ${b[i]}`);
}

const far = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

/** Sum of weight times term. */
const total = (term: (b: number, t: number) => number) =>
  weights.flatMap((row, b) => row.map((weight, t) => weight * term(b, t))).reduce((a, b) => a + b, 0);

/** Checks equality, to the bit if the engine repeats bits, else within the tolerance. */
async function same(engine: Engine, a: ModelId, b: ModelId, tolerance: number): Promise<void> {
  const { bitExact } = (await engine.info()).capabilities;
  const [x, y] = [await logprobsOf(engine, a), await logprobsOf(engine, b)];
  near(x.flat(), y.flat(), bitExact ? 0 : tolerance, "log-probabilities");
}

async function dispose(engine: Engine, ...models: readonly ModelInfo[]): Promise<void> {
  for (const { id } of models) await engine.disposeModel(id);
}

export const checks: readonly Check[] = [
  {
    name: "a call's sequences are answered each for itself, in their order, however they are cut into passes",
    needs: [],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const whole = await logprobsOf(engine, policy.id);
      for (const [b, sequence] of sequences.entries())
        near((await logprobsOf(engine, policy.id, [sequence]))[0]!, whole[b]!, expectations.tolerance, "alone");
      const request = { sequences, outputs: ["logprobs"] as const };
      const cut = (await engine.forward(policy.id, request, { microBatch: 1 })).logprobs;
      near(cut.flat(), whole.flat(), expectations.tolerance, "one a pass");
      await dispose(engine, policy);
    },
  },
  {
    name: "a caller is asked before the first pass, and may leave",
    needs: [],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const beforePass = () => {
        throw new Error("leaving");
      };
      const request = { sequences, outputs: ["logprobs"] as const };
      await assert.rejects(engine.forward(policy.id, request, { beforePass }), /leaving/);
      await assert.rejects(engine.forwardBackward(policy.id, crossEntropy, { beforePass }), /leaving/);
      await dispose(engine, policy);
    },
  },
  {
    name: "a minibatch has one loss and one gradient, however it is cut into passes",
    needs: ["gradientNorm"],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const still = { ...adam, learningRate: 0 };
      const measured: [number, number][] = [];
      for (const microBatch of [0, 1, 3]) {
        const { loss, nonFinite } = await engine.forwardBackward(policy.id, crossEntropy, { microBatch });
        assert.equal(nonFinite, 0);
        measured.push([loss, (await engine.optimStep(policy.id, still)).gradNorm!]);
      }
      for (const one of measured) near(one, measured[0]!, expectations.tolerance, "loss and norm");
      await dispose(engine, policy);
    },
  },
  {
    name: "each part's own norm is told",
    needs: ["partNorms"],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const norms: number[] = [];
      for (const part of [
        [0, 2],
        [1, 3],
      ]) {
        const of = <T>(list: readonly T[]) => part.map((i) => list[i]!);
        await engine.forwardBackward(policy.id, { ...crossEntropy, sequences: of(sequences), weights: of(weights) });
        norms.push((await engine.optimStep(policy.id, { ...adam, learningRate: 0 })).gradNorm! ** 2);
      }
      const parts = [
        [0, 2],
        [1, 3],
      ];
      const { partSquaredNorms } = await engine.forwardBackward(policy.id, crossEntropy, { parts });
      near(partSquaredNorms!, norms, 2 * expectations.tolerance, "squared norms");
      await engine.zeroGrad(policy.id);
      await dispose(engine, policy);
    },
  },
  {
    name: "losses are the weighted sums of their terms",
    needs: ["scalarHeads"],
    async run(engine, expectations) {
      const { tolerance } = expectations;
      const [policy, critic] = [await policyOf(engine, expectations), await criticOf(engine, expectations)];
      const logprobs = await logprobsOf(engine, policy.id);
      const { loss: plain } = await engine.forwardBackward(policy.id, crossEntropy);
      near([plain], [total((b, t) => -logprobs[b]![t]!)], tolerance, "cross-entropy");
      const advantages = numbers(1, 0.2);
      const oldLogprobs = logprobs.map((row, b) => row.map((x, t) => x - advantages[b]![t]! * 0.4));
      const config = { clipLow: 0.2, clipHigh: 0.3, dualClip: null, entropyCoef: 0, kl: null, temperature: 1 };
      const clip = await engine.forwardBackward(policy.id, {
        ...{ name: "policy", sequences, weights, oldLogprobs, advantages, config },
      });
      const clipped = total((b, t) => {
        const [a, r] = [advantages[b]![t]!, Math.exp(logprobs[b]![t]! - oldLogprobs[b]![t]!)];
        return Math.max(-a * r, -a * Math.min(Math.max(r, 0.8), 1.3));
      });
      near([clip.loss], [clipped], tolerance, "policy");
      near(clip.logprobs!.flat(), logprobs.flat(), tolerance, "log-probabilities beside the loss");
      const { values } = await engine.forward(critic.id, { sequences, outputs: ["values"] });
      const [returns, oldValues] = [numbers(1, 0.5), numbers(0.5, 0)];
      const value = await engine.forwardBackward(critic.id, {
        ...{ name: "value", sequences, weights, returns, oldValues, config: { valueClip: 0.2 } },
      });
      const squared = total((b, t) => {
        const [v, old, goal] = [values[b]![t]!, oldValues[b]![t]!, returns[b]![t]!];
        const held = Math.min(Math.max(v, old - 0.2), old + 0.2);
        return 0.5 * Math.max((v - goal) ** 2, (held - goal) ** 2);
      });
      near([value.loss], [squared], tolerance, "value");
      const [chosen, rejected] = [sequences.slice(0, 2), sequences.slice(2)];
      const { scores } = await engine.forward(critic.id, { sequences, outputs: ["score"] });
      const pairs = await engine.forwardBackward(critic.id, {
        ...{ name: "pairwise", chosen, rejected, margins: [0.1, 0], weights: [0.5, 0.25] },
      });
      near([...pairs.chosenScores!, ...pairs.rejectedScores!], scores, tolerance, "scores");
      const margin = (i: number, by: number) => Math.log1p(Math.exp(-(scores[i]! - scores[i + 2]! - by)));
      near([pairs.loss], [0.5 * margin(0, 0.1) + 0.25 * margin(1, 0)], tolerance, "pairwise");
      await dispose(engine, policy, critic);
    },
  },
  {
    name: "before anything is learned the first ratio is 1 within the tolerance that the engine states",
    needs: [],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const oldLogprobs = await logprobsOf(engine, policy.id);
      const config = { clipLow: 0.2, clipHigh: 0.2, dualClip: null, entropyCoef: 0, kl: null, temperature: 1 };
      const { logprobs } = await engine.forwardBackward(policy.id, {
        ...{ name: "policy", sequences, weights, oldLogprobs, advantages: weights, config },
      });
      const { firstRatioTolerance } = (await engine.info()).capabilities;
      const ratios = logprobs!.flatMap((row, b) => row.map((x, t) => Math.exp(x - oldLogprobs[b]![t]!)));
      for (const ratio of ratios) assert.ok(Math.abs(ratio - 1) <= firstRatioTolerance, `a ratio of ${ratio}`);
      await dispose(engine, policy);
    },
  },
  {
    name: "a step lowers the loss, and one whose gradient is not finite leaves the weights alone",
    needs: [],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const { loss: before } = await engine.forwardBackward(policy.id, crossEntropy);
      assert.equal((await engine.optimStep(policy.id, adam)).skipped, false);
      const { loss: after } = await engine.forwardBackward(policy.id, crossEntropy);
      assert.ok(after < before, `${after} is not below ${before}`);
      await engine.zeroGrad(policy.id);
      const still = await logprobsOf(engine, policy.id);
      const spoiled = weights.map((row, b) => row.map((x, t) => (b + t === 0 ? Number.NaN : x)));
      const { nonFinite } = await engine.forwardBackward(policy.id, { ...crossEntropy, weights: spoiled });
      assert.ok(nonFinite > 0);
      assert.equal((await engine.optimStep(policy.id, adam)).skipped, true);
      assert.deepEqual(await logprobsOf(engine, policy.id), still);
      await dispose(engine, policy);
    },
  },
  {
    name: "norms by group add up to the gradient's",
    needs: ["groupNorms"],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      await engine.forwardBackward(policy.id, crossEntropy);
      const { gradNorm, groupNorms } = await engine.optimStep(policy.id, adam);
      near([Math.hypot(...Object.values(groupNorms!))], [gradNorm!], expectations.tolerance, "norm");
      await dispose(engine, policy);
    },
  },
  {
    name: "a copy shares no memory with its source; with its optimizer it goes on as the source does, without it does not",
    needs: ["clone"],
    async run(engine, expectations) {
      const source = await policyOf(engine, expectations);
      await train(engine, source.id, 3);
      const before = await logprobsOf(engine, source.id);
      const whole = await engine.cloneModel(source.id, { optimizer: true });
      const bare = await engine.cloneModel(source.id);
      assert.equal(new Set([source.id, whole.id, bare.id]).size, 3);
      for (const { id } of [whole, bare]) await train(engine, id);
      assert.deepEqual(await logprobsOf(engine, source.id), before);
      await train(engine, source.id);
      await same(engine, whole.id, source.id, expectations.tolerance);
      const [a, b] = [await logprobsOf(engine, bare.id), await logprobsOf(engine, source.id)];
      assert.ok(far(a.flat(), b.flat()) > expectations.tolerance);
      await dispose(engine, source, whole, bare);
    },
  },
  {
    name: "a slow average moves by its decay",
    needs: ["slowAverage", "clone"],
    async run(engine, expectations) {
      const [target, source] = [await policyOf(engine, expectations), await policyOf(engine, expectations, 2)];
      const before = await logprobsOf(engine, target.id);
      await engine.ema(target.id, source.id, 1);
      near((await logprobsOf(engine, target.id)).flat(), before.flat(), expectations.tolerance, "decay 1");
      await engine.ema(target.id, source.id, 0);
      near(
        (await logprobsOf(engine, target.id)).flat(),
        (await logprobsOf(engine, source.id)).flat(),
        expectations.tolerance,
        "decay 0",
      );
      await dispose(engine, target, source);
    },
  },
  {
    name: "a model that was saved with its optimizer goes on where it was",
    needs: [],
    async run(engine, expectations) {
      const model = await policyOf(engine, expectations);
      await train(engine, model.id, 3);
      const folder = expectations.folder();
      const state = await engine.saveModel(model.id, folder, { optimizer: true });
      const { schemes } = (await engine.info()).capabilities;
      assert.ok(state === folder || schemes.includes(schemeOf(state)!), `the engine cannot read its own ${state}`);
      const { config, heads } = await engine.inspectModel(state);
      assert.deepEqual([config, heads], [model.config, model.heads]);
      const loaded = await engine.loadModel(state, { optimizer: true });
      for (const { id } of [model, loaded]) await train(engine, id);
      await same(engine, loaded.id, model.id, expectations.tolerance);
      await dispose(engine, model, loaded);
    },
  },
  {
    name: "an adapter starts as its base, learns beside it, goes on where it was saved, and merges into the same",
    needs: ["all", "adapters", "clone", "merge"],
    async run(engine, expectations) {
      const { tolerance, folder } = expectations;
      const base = await policyOf(engine, expectations);
      const state = await engine.saveModel(base.id, folder());
      const frozen = await engine.loadModel(state, { frozen: true });
      const policy = await engine.loadModel(state, { adapter: { rank: 2, alpha: 4 } });
      await same(engine, policy.id, frozen.id, 0);
      assert.equal(frozen.trained, 0);
      assert.ok(policy.trained > 0 && policy.trained < base.trained, "an adapter is smaller than its base");
      const before = await logprobsOf(engine, frozen.id);
      await train(engine, policy.id, 3);
      const after = await logprobsOf(engine, policy.id);
      assert.ok(far(after.flat(), before.flat()) > 1e-3, "it learns");
      assert.deepEqual(await logprobsOf(engine, frozen.id), before, "its base stays");
      const merged = await engine.cloneModel(policy.id, { merge: true });
      near((await logprobsOf(engine, merged.id)).flat(), after.flat(), tolerance, "merged");
      const saved = await engine.saveModel(policy.id, folder(), { optimizer: true });
      const loaded = await engine.loadModel(saved, { adapter: { rank: 7, alpha: 1 }, optimizer: true });
      for (const { id } of [policy, loaded]) await train(engine, id);
      await same(engine, loaded.id, policy.id, tolerance);
      await dispose(engine, base, frozen, policy, merged, loaded);
    },
  },
  {
    name: "a URI of a different engine is refused by its name",
    needs: [],
    async run(engine) {
      const foreign = "scheme-of-no-engine://model";
      for (const call of [engine.inspectModel(foreign), engine.loadModel(foreign)])
        await assert.rejects(call, new RegExp(foreign));
    },
  },
  {
    name: "a new value head is 0, and a copy keeps a head that its source has",
    needs: ["scalarHeads", "clone"],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const request = { sequences, outputs: ["values"] as const };
      const critic = await engine.cloneModel(policy.id, { heads: ["scalar"], scalarInit: "zero" });
      assert.deepEqual(new Set((await engine.forward(critic.id, request)).values.flat()), new Set([0]));
      const scored = await criticOf(engine, expectations);
      const copy = await engine.cloneModel(scored.id, { heads: ["scalar"], scalarInit: "zero" });
      assert.deepEqual(await engine.forward(copy.id, request), await engine.forward(scored.id, request));
      await dispose(engine, policy, critic, scored, copy);
    },
  },
  {
    name: "a sample depends on its prompt and its stream, has its forward pass's log-probabilities, and ends at a stop token",
    needs: [],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const whole = await engine.sample(policy.id, { ...sampling, prompts });
      const { tokens } = await engine.sample(policy.id, { ...sampling, prompts: [prompts[2]!], streams: [2] });
      assert.deepEqual(tokens[0], whole.tokens[2]);
      const answered = whole.tokens.map((row, b) => ({ tokens: [...prompts[b]!, ...row], start: prompts[b]!.length }));
      const read = await logprobsOf(engine, policy.id, answered);
      near(whole.logprobs.flat(), read.flat(), Math.max(1e-4, expectations.tolerance), "log-probabilities");
      for (const [b, row] of whole.tokens.entries()) {
        const stops = row.indexOf(1);
        assert.equal(stops === -1 ? row.length : stops + 1, row.length);
        assert.equal(whole.stopReasons[b], stops === -1 ? "length" : "stop");
      }
      await dispose(engine, policy);
    },
  },
  {
    name: "the most likely token is what greedy sampling takes",
    needs: ["top1"],
    async run(engine, expectations) {
      const policy = await policyOf(engine, expectations);
      const greedy = { ...sampling, prompts, stopTokens: [], temperature: 0, maxNewTokens: 3 };
      const { tokens } = await engine.sample(policy.id, greedy);
      const answered = tokens.map((row, b) => ({ tokens: [...prompts[b]!, ...row], start: prompts[b]!.length }));
      const { top1 } = await engine.forward(policy.id, { sequences: answered, outputs: ["top1"] });
      assert.deepEqual(top1, tokens);
      await dispose(engine, policy);
    },
  },
  {
    name: "a model that was disposed of is gone",
    needs: [],
    async run(engine, expectations) {
      const { id } = await policyOf(engine, expectations);
      await engine.disposeModel(id);
      const gone = new RegExp(`there is no model ${id}`);
      await assert.rejects(logprobsOf(engine, id), gone);
      await assert.rejects(engine.forwardBackward(id, crossEntropy), gone);
      await assert.rejects(engine.optimStep(id, adam), gone);
      await assert.rejects(engine.disposeModel(id), gone);
    },
  },
];
