/** Thresholds of rules as hairlines on the chart of their signal, if they apply to the plain value. */
import type { PageRule } from "../../../../../src/types/page.ts";
import type { Hairline } from "../../../components/chart-ink.ts";
import { figure } from "../../../format.ts";

export function hairlinesOf(rules: readonly PageRule[]): Hairline[] {
  return rules.flatMap(({ tier, above, below, statistic }) => {
    if (statistic !== "value") return [];
    return [
      ...(above === null ? [] : [{ value: above, tier, says: `> ${figure(above)}` }]),
      ...(below === null ? [] : [{ value: below, tier, says: `< ${figure(below)}` }]),
    ];
  });
}
