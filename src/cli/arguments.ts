/** Parsers of option values for commander. */
import { statSync } from "node:fs";
import { InvalidArgumentError } from "commander";

/** A parser of whole numbers from `min` to `max`. */
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

/** Collects an option that may be given several times. */
export function several(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Accepts a text that is not empty: an unset variable of a script must not stand for a file, a run or an address. */
export function text(given: string): string {
  if (given.trim() === "") throw new InvalidArgumentError("It is empty.");
  return given;
}

/** Accepts a folder, which need not exist yet. */
export function folder(given: string): string {
  text(given);
  const isOther = (() => {
    try {
      return !statSync(given).isDirectory();
    } catch {
      return false;
    }
  })();
  if (isOther) throw new InvalidArgumentError("It is a file, and must be a folder.");
  return given;
}
