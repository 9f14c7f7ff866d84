/** Health as a number, a shape and a word. */
import type { Num } from "../../../src/types/page.ts";
import type { Tone } from "../format.ts";

/** docs/health.md warns at 60; the range from there to 100 is halved at 80. */
const levels = [
  { from: 80, word: "good", shape: "●", tone: "good" },
  { from: 60, word: "fair", shape: "◐", tone: "warn" },
  { from: Number.NEGATIVE_INFINITY, word: "poor", shape: "○", tone: "bad" },
] as const;

export function healthOf(health: Num): { readonly word: string; readonly shape: string; readonly tone: Tone } {
  const value = Number(health);
  return levels.find(({ from }) => value >= from) ?? { word: "not a number", shape: "△", tone: "bad" };
}

export function Health({ health }: { readonly health: Num | null }) {
  if (health === null) return <span class="quiet">–</span>;
  const { word, shape, tone } = healthOf(health);
  const value = Number(health);
  return (
    <span class={`state ${tone}`}>
      <b>{Number.isNaN(value) ? "NaN" : Math.round(value)}</b> <span aria-hidden="true">{shape}</span> {word}
    </span>
  );
}
