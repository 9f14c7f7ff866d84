/** Keys of the present view: each button registers its own, and `?` lists them all. */
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Key {
  /** The key as in `KeyboardEvent.key`: `?`, `r`, `ArrowLeft`. */
  readonly key: string;
  readonly says: string;
}

const names: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  "-": "−",
  " ": "space",
};

/** The key's name as printed on it. */
export function keyName(key: string): string {
  return names[key] ?? key.replace(/^[A-Z]$/, "Shift+$&");
}

interface Bound extends Key {
  readonly run: () => void;
}

export const bound = signal<readonly Bound[]>([]);

/** Binds a key while the component exists, unless `key` is undefined. The newest binding of a key takes effect. */
export function useKey(key: string | undefined, says: string, run: () => void): void {
  const present = useRef(run);
  present.current = run;
  // Before the paint, so that a visible button's key works.
  useLayoutEffect(() => {
    if (key === undefined) return;
    const own: Bound = { key, says, run: () => present.current() };
    bound.value = [...bound.peek(), own];
    return () => {
      bound.value = bound.peek().filter((one) => one !== own);
    };
  }, [key, says]);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const target = event.target as HTMLElement;
  const typing = target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName);
  // Sliders and checkboxes do not use letters.
  const types = typing && !(target instanceof HTMLInputElement && /^(range|checkbox|radio)$/.test(target.type));
  if (types || document.querySelector("dialog[open]")) return;
  if (typing && event.key.startsWith("Arrow")) return;
  // In a form, letters were meant for a field that lost the focus.
  if (/^[a-z]$/i.test(event.key) && target.closest?.("form")) return;
  // These keys press the focused element.
  if ((event.key === "Enter" || event.key === " ") && target.closest("a, button, summary, input")) return;
  const found = bound.peek().findLast(({ key }) => key === event.key);
  if (found === undefined) return;
  event.preventDefault();
  found.run();
});
