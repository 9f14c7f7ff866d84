/** Values of options, as commander reads them. */
import { InvalidArgumentError } from "commander";

/** A whole number from `min` to `max`. */
export function integer(min: number, max = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min}${max < Infinity ? ` to ${max}` : ""}.`);
    return value;
  };
}

export function decimal(min: number, max = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < min || value > max) {
      throw new InvalidArgumentError(
        `It must be a number ${max === Number.POSITIVE_INFINITY ? `from ${min}` : `from ${min} to ${max}`}.`,
      );
    }
    return value;
  };
}

/** An option that may be given several times. */
export function several(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
