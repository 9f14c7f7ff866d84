/** The health of a run after its final evaluation: what the evaluation saw fall counts, too. */
import { clearFalls, fallPrefix } from "../../signals/evaluation-falls.ts";
import type { Evaluation } from "../../types/evaluation.ts";
import type { MetricValues } from "../../types/records.ts";
import { combined, healthMetrics, scoreOf } from "./health.ts";
import { gauges, type Part, parts } from "./parts.ts";

/**
 * What is recorded after an evaluation: the falls, and health as in the last iteration (`values`) with them. Without health in `values`, only the falls.
 */
export function evaluatedHealth(evaluation: Evaluation, values: MetricValues): MetricValues {
  const falls = clearFalls(evaluation).map(([name, fall]) => [fallPrefix + name, fall] as const);
  const recorded = Object.fromEntries(falls);
  const found: Partial<Record<Part, number>> = {};
  for (const part of Object.keys(parts) as Part[]) {
    const value = values[`health/${part}`];
    if (value !== undefined) found[part] = value;
  }
  if (values["health/total"] === undefined) return recorded;
  const gauge = gauges.find(({ signal }) => signal === `${fallPrefix}*`)!;
  for (const [, fall] of falls) found[gauge.part] = Math.min(found[gauge.part] ?? 100, scoreOf(gauge, fall));
  return { ...recorded, ...healthMetrics({ total: combined(Object.values(found)), parts: found, lowered: [] }) };
}
