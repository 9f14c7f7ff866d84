/** The meaning of a signal, quoted from docs/metrics.md. */
import { existsSync, readFileSync } from "node:fs";

/** The meaning, for example `KL(old policy, new policy): mean of ... (nats/token)`; null if the page has no line for the signal. */
export function metricMeaning(key: string): string | null {
  const page = new URL("../../../../docs/metrics.md", import.meta.url);
  if (!existsSync(page)) return null;
  for (const line of readFileSync(page, "utf8").split("\n")) {
    const [, keys, unit, meaning] = /^\| (`[^|]*`) \| ([^|]*) \| (.*) \|/.exec(line) ?? [];
    if (keys === undefined || !matches(keys, key)) continue;
    return `${meaning!.split(" | ")[0]!.replaceAll("`", "")} (${unit})`;
  }
  return null;
}

function matches(keys: string, key: string): boolean {
  return [...keys.matchAll(/`([^`]+)`/g)].some(([, pattern]) => {
    const parts = pattern!.split(/<[^>]+>/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join("[A-Za-z0-9._-]+")}$`).test(key);
  });
}
