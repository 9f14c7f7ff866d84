/** The signals of an incident's last iterations, as columns for charts and tables. */
import type { IncidentEvidence } from "../../../../../src/types/alerts.ts";
import type { Num } from "../../../../../src/types/page.ts";
import { numberOf } from "../../../api.ts";
import type { Column } from "../../../state/column.ts";

/** The signals to show first, after the one that raised the alert. */
const known: readonly (readonly [key: string, title: string, unit?: string])[] = [
  ["kl/old_new_k3_token", "KL of the step", "nats/token"],
  ["kl/ref_k3_token", "KL to the reference", "nats/token"],
  ["reward/score_mean", "Score"],
  ["entropy/mean", "Entropy", "nats/token"],
  ["gradient/policy_norm", "Gradient norm"],
  ["clip/fraction", "Clip fraction", "share"],
  ["value/explained_variance", "Explained variance"],
  ["response/length_mean", "Length", "tokens"],
  ["monitor/gold", "Gold, monitoring set", "share"],
  ["gradient/nonfinite_count", "Gradients not finite", "count"],
];

export interface EvidenceSignal {
  readonly key: string;
  readonly title: string;
  readonly unit?: string;
  readonly column: Column;
  /** Values in order, one per iteration; undefined if not measured. */
  readonly values: readonly (Num | undefined)[];
}

export function signalsOf({ alert, iterations }: Pick<IncidentEvidence, "alert" | "iterations">): EvidenceSignal[] {
  const own = known.find(([key]) => key === alert.signal) ?? ([alert.signal, alert.signal] as const);
  return [own, ...known.filter((one) => one !== own)].flatMap(([key, title, unit]): EvidenceSignal[] => {
    const values = iterations.map((one) => one.values[key] as Num | undefined);
    if (values.every((value) => value === undefined)) return [];
    const numbers = iterations.map(({ iteration }) => iteration);
    return [{ key, title, ...(unit !== undefined && { unit }), values, column: columnFrom(numbers, values) }];
  });
}

/** A column. A value that was not measured leaves no point, since a line continues over it; NaN leaves a gap and a triangle. */
export function columnFrom(iterations: readonly number[], values: readonly (Num | undefined)[]): Column {
  const column: Column = { width: 1, from: [], mean: [], min: [], max: [], nonFinite: new Map() };
  values.forEach((value, i) => {
    if (value === undefined) return;
    const number = numberOf(value);
    const finite = Number.isFinite(number) ? number : null;
    if (finite === null) column.nonFinite.set(column.from.length, { count: 1, last: number });
    column.from.push(iterations[i]!);
    for (const row of [column.mean, column.min, column.max]) row.push(finite);
  });
  return column;
}
