/** What a sweep varies: settings with several values each, as `ppo.learningRate=1e-5,3e-5` or `seed=1..4`. */
import { UsageError } from "../../util/errors.ts";

export interface Axis {
  readonly key: string;
  /** The values as texts, as an override has them. */
  readonly values: readonly string[];
}

/** Most runs of a sweep. */
export const mostRuns = 1_000;

/**
 * The axes in the order given; a setting with one value is an axis of one. Commas inside brackets, braces and quotes belong to a value.
 * @throws UsageError if a text is not `key=values`, a value is missing or occurs twice, a range goes down, or a key occurs twice
 */
export function axesFrom(texts: readonly string[]): Axis[] {
  const axes = texts.map((text) => {
    const equals = text.indexOf("=");
    const key = text.slice(0, Math.max(0, equals)).trim();
    if (key === "")
      throw new UsageError(`${text}: expected key=value,value`, "For example: ppo.learningRate=1e-5,3e-5 seed=1..4");
    const values = split(text.slice(equals + 1)).flatMap((value) => rangeOf(value, text) ?? [value]);
    if (values.some((value) => value === ""))
      throw new UsageError(`${text}: a value is missing`, "Separate values by one comma.");
    const twice = values.find((value, i) => values.indexOf(value) < i);
    if (twice !== undefined) throw new UsageError(`${text}: ${twice} occurs twice`, "Give each value once.");
    return { key, values };
  });
  const again = axes.find(({ key }, i) => axes.findIndex((one) => one.key === key) < i);
  if (again !== undefined)
    throw new UsageError(`${again.key} is given twice`, "Give all of its values at once, with commas.");
  const runs = axes.reduce((product, { values }) => product * values.length, 1);
  if (runs > mostRuns)
    throw new UsageError(`these are ${runs} runs; a sweep has at most ${mostRuns}`, "Leave values out.");
  return axes;
}

/** Every combination of values, as overrides; the seeds of one setting are not neighbours, so that every setting has a run early. */
export function combinations(axes: readonly Axis[]): (readonly [key: string, value: string][])[] {
  const seedsFirst = [...axes].sort((a, b) => Number(b.key === "seed") - Number(a.key === "seed"));
  return seedsFirst.reduce<(readonly [string, string][])[]>(
    (all, { key, values }) =>
      all.flatMap((before) => values.map((value) => [...before, [key, value] as [string, string]])),
    [[]],
  );
}

/** `1..4` as 1, 2, 3, 4; null if the text is not a range. */
function rangeOf(value: string, text: string): string[] | null {
  const range = /^(\d{1,15})\.\.(\d{1,15})$/.exec(value);
  if (range === null) return null;
  const [first, last] = [Number(range[1]), Number(range[2])];
  if (last < first || last - first >= mostRuns)
    throw new UsageError(`${text}: ${value} is not a range of up to ${mostRuns} numbers`, "For example: seed=1..4");
  return Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
}

/** Splits at commas outside of brackets, braces and quotes. */
function split(text: string): string[] {
  const parts = [""];
  let depth = 0;
  let quote = "";
  for (const character of text) {
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if ("[{".includes(character)) depth++;
    else if ("]}".includes(character)) depth--;
    if (character === "," && depth <= 0 && quote === "") parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}
