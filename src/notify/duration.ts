/** Durations as people write them: `7d`, `12h`, `30m`, `2w`. */

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** A duration in milliseconds; null if the text is not a duration. */
export function parseDuration(text: string): number | null {
  const [, count, unit] = /^([1-9]\d{0,5})([mhdw])$/.exec(text) ?? [];
  return count === undefined ? null : Number(count) * (units[unit as string] as number);
}
