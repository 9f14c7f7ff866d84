/** A model's size, and whether its dimensions fit each other and this machine. */
import { totalmem } from "node:os";
import { UsageError } from "../util/errors.ts";
import { parameterSpecs } from "./family.ts";
import { cacheSizes, type DecoderConfig, type Head } from "./model-config.ts";

/** The number of values in a model without its adapter, and without listing its layers: sizes may be absurd. */
export function parameterCount({ adapter: _, ...config }: DecoderConfig, heads: readonly Head[]): number {
  const of = (layers: number) =>
    parameterSpecs({ ...config, layers }, heads).reduce(
      (total, { shape }) => total + shape.reduce((a, b) => a * b, 1),
      0,
    );
  return of(0) + config.layers * (of(1) - of(0));
}

/** Why this machine cannot hold a model with this many parameters; null if it can. */
export function whyTooLarge(parameters: number): string | null {
  // The container's memory limit, if there is one.
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const bytes = 4 * parameters;
  if (bytes <= memory) return null;
  const gigabytes = (size: number) => `${Number((size / 2 ** 30).toPrecision(3)).toLocaleString("en-US")} GiB`;
  return `its ${parameters.toLocaleString("en-US")} parameters take ${gigabytes(bytes)} in float32, and this machine has ${gigabytes(memory)}; training takes four times as much`;
}

/** Throws a UsageError if the sizes do not fit each other or the machine. */
export function checkConfig(config: DecoderConfig, outputs: readonly Head[]): void {
  const large = whyTooLarge(parameterCount(config, outputs));
  if (large !== null) {
    const { layers, width, context, vocabularySize } = config;
    throw new UsageError(
      `a model of ${layers} layers, width ${width}, context ${context} and ${vocabularySize} tokens is too large: ${large}`,
      "Give smaller sizes.",
    );
  }
  const { width, heads } = config;
  const { kvHeads, headDim } = cacheSizes(config);
  if (!Number.isInteger(headDim))
    throw new UsageError(`model width ${width} is not divisible by ${heads} heads`, "Make width a multiple of heads.");
  if (heads % kvHeads !== 0)
    throw new UsageError(
      `${heads} heads of queries cannot share ${kvHeads} heads of keys and values evenly`,
      "Make the first a multiple of the second.",
    );
}
