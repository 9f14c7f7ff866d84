/** Formats numbers, times and states. */
import type { Num, ShownState } from "../../src/types/page.ts";

/** Up to four significant digits; NaN and infinities as words. */
export function figure(value: Num | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  const number = Number(value);
  if (Number.isNaN(number)) return "NaN";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return number.toExponential(2).replace("-", "−").replace("e+", "e");
  // Digits before the point are always shown.
  const isWhole = Number.isInteger(number) || size >= 10 ** digits;
  const text = isWhole ? String(Math.round(number)) : trimmed(number.toPrecision(digits));
  return text.replace("-", "−");
}

export function percent(value: Num | null | undefined, digits = 1): string {
  if (value === null || value === undefined) return "–";
  const number = Number(value);
  return Number.isFinite(number) ? `${(100 * number).toFixed(digits).replace("-", "−")}%` : figure(value);
}

/** Seconds as `12 s`, `3:05` or `2:10:00`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** Seconds as `2.41 s` or `3:05.2`. */
export function exactDuration(seconds: number): string {
  const value = Math.round(100 * seconds) / 100;
  if (value < 60) return `${figure(value)} s`;
  return (
    duration(Math.floor(value)) +
    (value % 1)
      .toFixed(2)
      .slice(1)
      .replace(/\.?0+$/, "")
  );
}

/** Milliseconds as `5 s ago`, `3 h ago` or `2 d ago`. */
export function ago(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  return s < 2 * 86_400 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86_400)} d ago`;
}

/** A state is shown by a shape and a word, never only by colour. */
export const stateShapes: Readonly<
  Record<ShownState, { readonly shape: string; readonly word: string; readonly tone: Tone }>
> = {
  created: { shape: "○", word: "created", tone: "quiet" },
  running: { shape: "▶", word: "running", tone: "good" },
  paused: { shape: "‖", word: "paused", tone: "warn" },
  done: { shape: "✓", word: "done", tone: "good" },
  interrupted: { shape: "◼", word: "interrupted", tone: "quiet" },
  failed: { shape: "✗", word: "failed", tone: "bad" },
  stopped: { shape: "■", word: "stopped by the controller", tone: "bad" },
  lost: { shape: "?", word: "lost", tone: "bad" },
};

export type Tone = "good" | "warn" | "bad" | "quiet";

/** The text with control characters, direction marks and lone surrogates as pictures or numbers; tabs and line breaks stay. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (c) => {
    const code = c.charCodeAt(0);
    // A zero-width joiner only joins emoji.
    if (c === "\n" || c === "\t" || code === 0x200d) return c;
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

export function plural(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function trimmed(text: string): string {
  return text.includes(".") && !text.includes("e") ? text.replace(/\.?0+$/, "") : text;
}
