/** Formats numbers, durations and times for people. A number that is not finite is shown by name. */

/** Fixed decimals; NaN and infinities by name, and a missing value as a dash. */
export function number(value: number | undefined, decimals = 3): string {
  if (value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

/** A share from 0 to 1 as a percentage. */
export function percent(share: number | undefined, decimals = 1): string {
  if (share === undefined) return "–";
  return Number.isFinite(share) ? `${number(100 * share, decimals)}%` : number(share);
}

/** A difference of shares in percentage points, with its sign. */
export function points(difference: number, decimals = 1): string {
  const text = number(100 * difference, decimals);
  return Number(text) > 0 ? `+${text}` : text;
}

/** Seconds as `8.2 s`, `1:05` or `2:03:09`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "–";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  return clock(seconds);
}

/** Seconds as `0:45`, `12:03` or `2:03:09`. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const s = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${s}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${s}`;
}

/** How long ago, roughly: `12 s`, `5 min`, `3 h`, `9 days`. */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

/** Steps per second, or seconds per step if slower than one per second. Empty while unknown. */
export function rate(perSecond: number, unit: string): string {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return "";
  if (perSecond >= 1) return `${perSecond.toFixed(perSecond >= 10 ? 0 : 1)} ${unit === "it" ? "it" : plural(unit)}/s`;
  return `${(1 / perSecond).toFixed(1)} s/${unit}`;
}

export function plural(unit: string): string {
  return unit.endsWith("s") ? `${unit}es` : `${unit}s`;
}

/** Four significant digits without trailing zeros, and every digit before the point; a number that is not finite by name. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return number(value);
  const size = Math.abs(value);
  if (size >= 1e3 && size < 1e6) return value.toFixed(0);
  const text = value !== 0 && (size >= 1e6 || size < 1e-4) ? value.toExponential(3) : value.toPrecision(4);
  return text.includes(".") ? text.replace(/\.?0+(?=e|$)/, "") : text;
}
