/** How two configurations differ, key by key. */
import type { Config } from "../settings/config-schema.ts";
import { usedSettings } from "./used.ts";

export interface Difference {
  /** The dotted key: `ppo.kl.coef`, `ppo.rewards.0.weight`. */
  readonly key: string;
  /** The value before; undefined if the configuration does not have the key. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Every value that differs among the settings with an effect, in the order of `a`, then those that only `b` has. */
export function differences(a: Config, b: Config): Difference[] {
  const before = flatten(usedSettings(a));
  const after = flatten(usedSettings(b));
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((key) => ({ key, before: before.get(key), after: after.get(key) }))
    .filter(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after));
}

function flatten(value: unknown, path = "", values = new Map<string, unknown>()): Map<string, unknown> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (value === undefined) return values;
  if (entries.length === 0) return values.set(path, value);
  for (const [key, child] of entries) flatten(child, path === "" ? key : `${path}.${key}`, values);
  return values;
}
