/**
 * Consultations as stored before schema version 5: `base/<lever>` among the signals, and an operator's word as the single signal `set/<lever>`,
 * `undone/<rule>` or `acknowledged/<rule>`. An older process that still has the database open keeps writing them.
 */
import type { LeverName } from "../levers/levers.ts";
import type { OperatorWord, Shown } from "../types/alerts.ts";
import type { MetricValues } from "../types/records.ts";

/** The signals, and each lever's configured value, of an earlier consultation. */
export function earlierShown(signals: MetricValues): Pick<Shown, "signals" | "base"> {
  const [measured, base]: [string, number][][] = [[], []];
  for (const [key, value] of Object.entries(signals))
    if (key.startsWith("base/")) base!.push([key.slice("base/".length), value]);
    else measured!.push([key, value]);
  return { signals: Object.fromEntries(measured!), ...(base!.length > 0 && { base: Object.fromEntries(base!) }) };
}

export function earlierWord(signals: MetricValues): OperatorWord {
  const [[key, value]] = Object.entries(signals) as [[string, number]];
  const slash = key.indexOf("/");
  const of = key.slice(slash + 1);
  switch (key.slice(0, slash)) {
    case "set":
      return { kind: "set", lever: of as LeverName };
    case "undone":
      return { kind: "undone", rule: of, intervention: value };
    default:
      return { kind: "acknowledged", rule: of, iteration: value };
  }
}
