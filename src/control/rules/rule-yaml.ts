/** Writes rules as the YAML that a user could have written, without defaults. */
import { stringify } from "yaml";
import { lookback } from "../condition.ts";
import { type Action, type Condition, defaultCooldown, type Rule } from "./rule.ts";

/** YAML for rules; `parseRules` reads it back to the same rules. */
export function rulesToYaml(rules: readonly Rule[]): string {
  return stringify({ rules: rules.map(written) }, { lineWidth: 0, aliasDuplicateObjects: false });
}

function written(rule: Rule): Record<string, unknown> {
  const { id, tier, says, conditions, window, minHistory, action, duration, cooldown, priority, scale, source } = rule;
  const when = conditions.map(writtenCondition);
  return {
    id,
    tier,
    ...(says !== conditions[0].signal && { says }),
    when: when.length === 1 ? when[0] : when,
    ...(window.of > 1 && { window: window.hits === window.of ? window.of : `${window.hits} of ${window.of}` }),
    ...(minHistory !== Math.max(window.of, lookback(conditions[0])) && { minHistory }),
    ...(action !== null && { action: writtenAction(action) }),
    ...(duration !== 10 && { duration }),
    ...(cooldown !== defaultCooldown(rule) && { cooldown }),
    ...(priority !== 0 && { priority }),
    ...(Object.keys(scale).length > 0 && { scale }),
    ...(rule.advice !== undefined && { advice: rule.advice }),
    source,
  };
}

function writtenCondition({ signal, statistic, over, with: other, above, below, unit }: Condition) {
  return {
    signal,
    ...(statistic !== "value" && { statistic }),
    ...(over !== 1 && { over }),
    ...(other !== null && { with: other }),
    ...(above !== null ? { above } : { below }),
    ...(unit !== "as_is" && { unit }),
  };
}

function writtenAction({ kind, factor, set }: Action): unknown {
  if (factor !== null) return { [kind]: factor };
  return Object.keys(set).length > 0 ? { rollback: set } : kind;
}
