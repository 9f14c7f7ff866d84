/** The shape of a file of rules, and the conversion of its entries to rules. */
import { z } from "zod";
import { levers } from "../../levers/levers.ts";
import type { OneTimeAction } from "../../types/alerts.ts";
import { lookback } from "../condition.ts";
import { type Action, type Condition, defaultCooldown, type Rule, type Statistic } from "./rule.ts";

const statistics = [
  "value",
  "rise",
  "ratio_to_first",
  "ratio_to_median",
  "ratio_to_max",
  "below_minimum",
  "change",
  "range",
  "slope",
  "standard_errors",
  "rise_errors",
  "correlation",
  "changed",
] as const satisfies readonly Statistic[];

const count = z.int().positive();
const threshold = z.number();
export const conditionSchema = z.strictObject({
  signal: z.string(),
  statistic: z.enum(statistics).default("value"),
  over: count.default(1),
  with: z.string().optional(),
  above: threshold.optional(),
  below: threshold.optional(),
  unit: z.enum(["as_is", "reference_std"]).default("as_is"),
});

/** Actions without a factor. */
export const moments = ["mask", "skip", "endEpochs", "pause", "stop", "rollback"] as const satisfies OneTimeAction[];

const actionSchema = z.union([
  z.enum(moments),
  // A factor never leads out of the bounds that keep a run stable.
  ...Object.entries(levers).map(([name, { factor }]) => z.strictObject({ [name]: z.number().refine(factor.allows) })),
  z.strictObject({ rollback: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])) }),
]);

const scale = z.enum(["absolute", "relative"]).optional();

export const ruleSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9_]*$/, "lowercase letters, digits and underscores, a letter first"),
  tier: z.literal([1, 2, 3]),
  says: z.string().optional(),
  when: z.union([conditionSchema, z.array(conditionSchema).min(1)]),
  window: z.union([count, z.string().regex(/^\d+ of \d+$/)]).default(1),
  minHistory: count.optional(),
  action: actionSchema.optional(),
  duration: count.default(10),
  cooldown: z.int().min(0).optional(),
  priority: z.number().default(0),
  scale: z.strictObject({ entropy: scale, safety: scale }).default({}),
  advice: z.string().min(1).optional(),
  source: z.string().min(1),
});

const recordedConditionSchema = z.looseObject({
  ...conditionSchema.shape,
  with: z.string().nullable(),
  above: threshold.nullable(),
  below: threshold.nullable(),
});

/** A complete `Rule` as a run's file has it; additional fields from other versions are allowed. */
export const recordedRuleSchema = z.looseObject({
  ...ruleSchema.pick({ id: true, tier: true, scale: true, advice: true, source: true }).shape,
  says: z.string(),
  conditions: z.array(recordedConditionSchema).min(1),
  window: z.object({ hits: count, of: count }),
  minHistory: count,
  action: z
    .object({ kind: z.string(), factor: z.number().nullable(), set: z.record(z.string(), z.unknown()) })
    .nullable(),
  duration: count,
  cooldown: z.int().min(0),
  priority: z.number(),
});

/** The rule that an entry stands for, with its defaults filled in. */
export function toRule(raw: z.infer<typeof ruleSchema>): Rule {
  const conditions = [raw.when].flat().map(
    ({ signal, statistic, over, with: other, above, below, unit }): Condition => ({
      signal,
      statistic,
      over,
      with: other ?? null,
      above: above ?? null,
      below: below ?? null,
      unit,
    }),
  ) as [Condition, ...Condition[]];
  const [hits, of] =
    typeof raw.window === "number"
      ? [raw.window, raw.window]
      : (raw.window.split(" of ").map(Number) as [number, number]);
  const rule = { id: raw.id, tier: raw.tier, conditions, window: { hits, of } };
  return {
    ...rule,
    says: raw.says ?? conditions[0].signal,
    minHistory: raw.minHistory ?? Math.max(of, lookback(conditions[0])),
    action: raw.action === undefined ? null : toAction(raw.action),
    duration: raw.duration,
    cooldown: raw.cooldown ?? defaultCooldown(rule),
    priority: raw.priority,
    scale: {
      ...(raw.scale.entropy && { entropy: raw.scale.entropy }),
      ...(raw.scale.safety && { safety: raw.scale.safety }),
    },
    ...(raw.advice !== undefined && { advice: raw.advice }),
    source: raw.source,
  };
}

function toAction(raw: z.infer<typeof actionSchema>): Action {
  if (typeof raw === "string") return { kind: raw, factor: null, set: {} };
  const [kind, value] = Object.entries(raw)[0] as [Action["kind"], number | Action["set"]];
  if (typeof value === "object") return { kind, factor: null, set: value };
  return { kind, factor: value, set: {} };
}
