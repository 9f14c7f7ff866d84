/** A model with its adapter merged into the weights, and the slow average of such models. */

import { factorNames, isFactor, scaleOf } from "../../models/adapter.ts";
import { architectureOf, blockProjections } from "../../models/family.ts";
import type { NamedTensor } from "../../models/safetensors.ts";
import type { Value } from "../../tensor/session.ts";
import { EngineError } from "../../util/errors.ts";
import { average } from "./adamw-step.ts";
import { type MergedShape, mergedShape, mergeGraph } from "./adapter-graph.ts";
import type { Model } from "./held-model.ts";
import { type Values, valuesIn } from "./parameter-values.ts";
import type { Sessions } from "./sessions.ts";

/** The values of a model without adapter that computes the same: of each adapted projection a new array, of all else the model's own. */
export async function mergedValues(model: Model, sessions: Sessions): Promise<Values> {
  const merged = new Map<string, NamedTensor>();
  for (const { weight, shape, feeds } of products(model)) {
    const session = await sessions.get(["merge", shape], () => mergeGraph(shape));
    const { data } = (await session.run(feeds)).merged as { data: Float32Array };
    merged.set(weight, { shape: feeds.w.shape, data });
  }
  const own = model.values();
  const written = valuesIn(merged);
  return {
    shapes: own.shapes,
    read: (name, into) => (merged.has(name) ? written : own).read(name, into),
    held: (name) => merged.get(name)?.data ?? own.held?.(name),
  };
}

/**
 * target = decay * target + (1 - decay) * source, where the source counts as merged: an average of factors would be the factors of nothing. What the
 * source keeps frozen stays as it is in the target.
 */
export async function averageMerged(target: Model, source: Model, decay: number, sessions: Sessions): Promise<void> {
  if (target.info.config.adapter !== undefined)
    throw new EngineError(
      `ema: model ${target.info.id} has an adapter, and an average of adapters is one of merged weights`,
      "Make the target as a copy with merge.",
    );
  for (const { weight, shape, feeds } of products(source)) {
    const session = await sessions.get(["merge", shape], () => mergeGraph(shape));
    const { data } = (await session.run(feeds)).merged as { data: Float32Array };
    average(target.writable(weight), data, decay);
  }
  for (const { spec, part } of source.trainableWeights())
    if (!isFactor(spec.name)) average(target.writable(spec.name), part, decay);
}

/** Each adapted projection of a model: its matrix's name, its graph's shape, and what the graph reads. */
function products(
  model: Model,
): { weight: string; shape: MergedShape; feeds: Record<"w" | "a" | "b" | "scale", Value> }[] {
  const { config } = model.info;
  const { adapter } = config;
  if (adapter === undefined) return [];
  const { layout } = architectureOf(config);
  const projections = new Map(blockProjections(config).map((one) => [one.name, one]));
  const named = model.named();
  return adapter.modules.flatMap((module) => {
    const projection = projections.get(module.name);
    if (projection === undefined || module.rank === 0) return [];
    const weight = `${module.name}.weight`;
    const { a, b } = factorNames(module.name);
    const [w, low, high] = [weight, a, b].map((name) => named.get(name) as NamedTensor) as [
      NamedTensor,
      NamedTensor,
      NamedTensor,
    ];
    const scale = { data: Float32Array.of(scaleOf(adapter, module)), shape: [] };
    return [{ weight, shape: mergedShape(module, projection, layout), feeds: { w, a: low, b: high, scale } }];
  });
}
