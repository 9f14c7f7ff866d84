/**
 * Low-rank adapters (LoRA, Hu et al. 2021): beside a frozen matrix W a projection learns scale B A, with A [rank, inputs], B [outputs, rank] and scale
 * = alpha / rank. B starts at 0, so that a new adapter changes nothing.
 */

import { UsageError } from "../util/errors.ts";
import type { AdapterConfig, AdapterModule } from "./model-config.ts";
import { type ParameterSpec, specsOf } from "./parameters.ts";

/** The axes of a stored matrix: GPT-2 (Conv1D) stores [inputs, outputs], all other families (Linear) [outputs, inputs]. */
export type MatrixLayout = "inputs-outputs" | "outputs-inputs";

/** Names of a projection's parameters beside its matrix, and of its scale, which is a constant of the graph. */
export const factorNames = (projection: string) => ({
  a: `${projection}.lora_A.weight`,
  b: `${projection}.lora_B.weight`,
  scale: `${projection}.lora_scale`,
});

/** Whether a parameter is a factor of an adapter. */
export const isFactor = (name: string) => /\.lora_[AB]\.weight$/.test(name);

/** The factor on B A: alpha / rank, or alpha / sqrt(rank) with rank-stabilised scaling (Kalajdzievski 2023). */
export function scaleOf({ rslora }: Pick<AdapterConfig, "rslora">, { rank, alpha }: AdapterModule): number {
  return alpha / (rslora ? Math.sqrt(rank) : rank);
}

export interface Projection {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly group: string;
}

/** The projections of a trunk's blocks: everything that an adapter can stand beside. */
export function projectionsOf(specs: readonly ParameterSpec[], layout: MatrixLayout): Projection[] {
  return specs.flatMap(({ name, shape, group }) => {
    if (!group.startsWith("block.") || shape.length !== 2 || !name.endsWith(".weight") || isFactor(name)) return [];
    const [first, second] = shape as readonly [number, number];
    const [inputs, outputs] = layout === "inputs-outputs" ? [first, second] : [second, first];
    return [{ name: name.slice(0, -".weight".length), inputs, outputs, group }];
  });
}

/** What a new adapter is to be. */
export interface AdapterRequest {
  /** The rank of each product: at least 0, with which nothing but the heads is trained. */
  readonly rank: number;
  readonly alpha: number;
  /** Whether the product's factor is alpha / sqrt(rank) in place of alpha / rank. */
  readonly rslora?: boolean;
  /** Projections by their whole name or its last parts; by default all of the blocks'. */
  readonly targets?: readonly string[];
}

/** Whether a target means a module: by its whole name, or by its last parts. */
export const isTarget = (target: string, name: string) => name === target || name.endsWith(`.${target}`);

/** A new adapter's configuration. Throws a UsageError for a target that means no projection. */
export function newAdapter(projections: readonly Projection[], request: AdapterRequest): AdapterConfig {
  const { rank, alpha, rslora = false, targets } = request;
  const unknown = (targets ?? []).filter((target) => !projections.some(({ name }) => isTarget(target, name)));
  if (unknown.length > 0)
    throw new UsageError(
      `the model has no projection ${unknown.join(" or ")} for an adapter`,
      `Its projections are ${lastParts(projections).join(", ")}.`,
    );
  const wanted = projections.filter(({ name }) => targets === undefined || targets.some((one) => isTarget(one, name)));
  return { modules: wanted.map(({ name }) => ({ name, rank, alpha })), rslora, whole: [] };
}

/** The last parts of projections' names, each once. */
export function lastParts(projections: readonly Pick<Projection, "name">[]): string[] {
  return [...new Set(projections.map(({ name }) => name.slice(name.lastIndexOf(".") + 1)))];
}

/** A model's parameters with an adapter: all frozen except its factors, the modules that it holds whole, and a scalar head. */
export function withAdapter(
  specs: readonly ParameterSpec[],
  { modules, whole }: AdapterConfig,
  layout: MatrixLayout,
): ParameterSpec[] {
  const projections = new Map(projectionsOf(specs, layout).map((one) => [one.name, one]));
  const factors = modules.flatMap(({ name, rank }) => {
    const projection = projections.get(name);
    if (rank === 0 || projection === undefined) return [];
    const { inputs, outputs, group } = projection;
    const { uniform, matrix } = specsOf(group);
    const { a, b } = factorNames(name);
    // As in PEFT, A is Kaiming-uniform with a = sqrt(5), which is uniform within 1 / sqrt(inputs).
    return [uniform(a, [rank, inputs], 1 / Math.sqrt(inputs)), matrix(b, [outputs, rank], 0)];
  });
  const trained = ({ name, group }: ParameterSpec) =>
    group === "score" || whole.includes(name.slice(0, name.lastIndexOf(".")));
  return [...specs.map((spec) => ({ ...spec, trainable: trained(spec) })), ...factors];
}
