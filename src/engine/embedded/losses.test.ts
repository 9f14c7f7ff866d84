/** A whole model's outputs, losses and gradients, and two steps of AdamW, compared with PyTorch's float64 numbers. */

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  fixture,
  fixtureLosses,
  fixtureTensors,
  gap,
  temporaryFolder,
  tiedConfig,
  untiedConfig,
  writeFixture,
} from "../../../test/support/gpt2.ts";
import { readSafetensors } from "../../models/safetensors.ts";
import { Session, type Value } from "../../tensor/session.ts";
import type { HeadKind, LossRequest, ModelConfig } from "../engine.ts";
import { EmbeddedCore } from "./core.ts";
import { type LossShape, lossGraph } from "./losses.ts";
import { type Batch, flatten, scoreBatch, tokenBatch } from "./padded-batch.ts";

const core = new EmbeddedCore({ threads: 2 });
const ids = { tied: "", untied: "", score: "" };
beforeAll(async () => {
  for (const model of ["tied", "untied", "score"] as const) ids[model] = (await core.loadModel(writeFixture(model))).id;
});
afterAll(() => core.close());

describe("the forward pass", () => {
  test.each(["1", "0.7"] as const)("log-probabilities and entropy at temperature %s", async (temperature) => {
    const result = await core.forward(ids.tied, {
      sequences: fixture.sequences,
      outputs: ["logprobs", "entropy"],
      temperature: Number(temperature),
    });
    expect(gap(result.logprobs, fixture.forward[temperature].logprobs)).toBeLessThan(1e-5);
    expect(gap(result.entropy, fixture.forward[temperature].entropy)).toBeLessThan(1e-5);
  });

  test("values before each token, scores at the last", async () => {
    const { values } = await core.forward(ids.score, { sequences: fixture.sequences, outputs: ["values"] });
    const { scores } = await core.forward(ids.score, { sequences: fixture.sequences, outputs: ["score"] });
    const rejected = await core.forward(ids.score, { sequences: fixture.rejected, outputs: ["score"] });
    expect(gap(values, fixture.forward.values)).toBeLessThan(1e-5);
    expect(gap([scores!], [fixture.forward.scores])).toBeLessThan(1e-5);
    expect(gap([rejected.scores!], [fixture.forward.rejectedScores])).toBeLessThan(1e-5);
  });
});

describe("losses and gradients", () => {
  test.each(fixtureLosses)("$key through the engine", async ({ model, expected, request }) => {
    const result = await core.forwardBackward(ids[model], request);
    await core.zeroGrad(ids[model]);
    expect(result.loss).toBeCloseTo(expected.loss, 5);
    expect(result.gradSquaredNorm / expected.gradSquaredNorm).toBeCloseTo(1, 5);
  });

  const graphs = fixtureLosses.flatMap((loss) => [true, false].map((packed) => ({ ...loss, packed })));
  test.each(graphs)("$key, every gradient, padding left out: $packed", async ({ model, expected, request, packed }) => {
    const config = model === "untied" ? untiedConfig : tiedConfig;
    const tensors = fixtureTensors(...(model === "tied" ? [] : [model]));
    const heads: HeadKind[] = model === "score" ? ["scalar"] : ["lm"];
    const session = await Session.compile(lossGraph(config, heads, shapeOf(request), { packed }), { threads: 2 });
    const feeds = lossFeeds(config, request, packed);
    for (const [name, { shape, data }] of tensors) {
      feeds[name] = { shape, data };
      // The gradient is added to what was accumulated before.
      feeds[`sum.${name}`] = { shape, data: new Float32Array(data.length).fill(1) };
    }
    const results = await session.run(feeds);
    await session.release();
    expect([...Object.keys(expected.gradients)].sort()).toEqual([...tensors.keys()].sort());
    for (const [name, { shape, data }] of Object.entries(expected.gradients)) {
      const largest = Math.max(...data.map(Math.abs));
      const actual = results[`sum.${name}`]!;
      expect(actual.shape).toEqual(shape);
      const worst = Math.max(...data.map((x, i) => Math.abs((actual.data[i] as number) - 1 - x)));
      // float32 around 1, and the six digits of the fixture.
      expect({ name, worst: worst / Math.max(largest, 1e-2) < 2e-5 }).toEqual({ name, worst: true });
    }
  });

  test("the outputs beside a loss are those of the forward pass", async () => {
    const by = Object.fromEntries(fixtureLosses.map((loss) => [loss.key, loss.request]));
    const policy = await core.forwardBackward(ids.tied, by.policy!);
    expect(gap(policy.logprobs, fixture.forward["0.7"].logprobs)).toBeLessThan(1e-5);
    expect(gap(policy.entropy, fixture.forward["0.7"].entropy)).toBeLessThan(1e-5);
    const plain = await core.forwardBackward(ids.tied, by.cross_entropy!);
    expect(gap(plain.logprobs, fixture.forward["1"].logprobs)).toBeLessThan(1e-5);
    const value = await core.forwardBackward(ids.score, by.value!);
    expect(gap(value.values, fixture.forward.values)).toBeLessThan(1e-5);
    const pairs = await core.forwardBackward(ids.score, by.pairwise!);
    expect(gap([pairs.chosenScores!], [fixture.forward.scores])).toBeLessThan(1e-5);
    expect(gap([pairs.rejectedScores!], [fixture.forward.rejectedScores])).toBeLessThan(1e-5);
    await core.zeroGrad(ids.tied);
    await core.zeroGrad(ids.score);
  });
});

test("two steps of AdamW with clipping and decay", async () => {
  const { id } = await core.cloneModel(ids.tied);
  const request = fixtureLosses.find(({ key }) => key === "cross_entropy")!.request;
  for (const norm of fixture.step.gradNorms) {
    await core.forwardBackward(id, request);
    const { gradNorm, skipped } = await core.optimStep(id, fixture.step.request);
    expect(skipped).toBe(false);
    expect(gradNorm).toBeCloseTo(norm, 4);
  }
  const folder = temporaryFolder();
  await core.saveModel(id, folder);
  const { tensors } = readSafetensors(join(folder, "model.safetensors"));
  for (const [name, { data }] of Object.entries(fixture.step.parameters)) {
    expect(gap([Array.from(tensors.get(name)!.data)], [[...data]])).toBeLessThan(1e-5);
  }
});

function shapeOf(loss: LossRequest): LossShape {
  if (loss.name === "value") return { name: "value", clip: loss.config.valueClip !== null };
  if (loss.name !== "policy") return { name: loss.name };
  const { dualClip, entropyCoef, kl } = loss.config;
  const bonus = { entropyBonus: entropyCoef !== 0, kl: kl?.estimator ?? null };
  return { name: "policy", penalty: null, dualClip: dualClip !== null, ...bonus };
}

/** The inputs of a loss's graph, written from its documentation. The fixture's sequences differ in length. */
function lossFeeds(config: ModelConfig, loss: LossRequest, packed: boolean): Record<string, Value> {
  const vector = (values: readonly number[]): Value => ({ data: Float32Array.from(values), shape: [values.length] });
  const scalar = (value: number): Value => ({ data: Float32Array.of(value), shape: [] });
  if (loss.name === "pairwise") {
    const { ids: tokens, packing, ...scored } = scoreBatch(config, [...loss.chosen, ...loss.rejected]);
    const rows = packed ? scored.rows : placesOf(scored.rows, packing);
    const half = (from: number, to: number): Value => ({
      data: (rows.data as Int32Array).slice(from, to),
      shape: [to - from],
    });
    const n = loss.chosen.length;
    const sides = { chosenRows: half(0, n), rejectedRows: half(n, 2 * n) };
    return {
      ids: tokens,
      ...(packed && packing),
      ...sides,
      margins: vector(loss.margins),
      weights: vector(loss.weights),
    };
  }
  const { lengths, packing, rows, ...batch } = tokenBatch(config, loss.sequences);
  const feeds: Record<string, Value> = {
    ...batch,
    ...(packed && packing),
    rows: packed ? rows : placesOf(rows, packing),
    weights: flatten("weights", loss.weights, lengths),
  };
  for (const key of ["returns", "oldValues", "oldLogprobs", "advantages", "refLogprobs"]) {
    const rows = (loss as unknown as Record<string, number[][] | undefined>)[key];
    if (rows !== undefined) feeds[key] = flatten(key, rows, lengths);
  }
  if ("config" in loss) {
    const { kl, ...settings } = { kl: null, ...loss.config };
    for (const [key, value] of Object.entries({ ...settings, klCoef: kl?.coef })) {
      if (typeof value === "number") feeds[key] = scalar(value);
    }
  }
  return feeds;
}

/** The places b*S + s of tokens given by their numbers. */
function placesOf(numbers: Value, packing: Batch["packing"]): Value {
  const places = packing!.places.data as Int32Array;
  return { data: Int32Array.from(numbers.data as Int32Array, (n) => places[n]!), shape: numbers.shape };
}
