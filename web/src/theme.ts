/** The theme: light, dark, or the system's; remembered. */
import { effect, signal } from "@preact/signals";

const themes = ["auto", "light", "dark"] as const;
type Theme = (typeof themes)[number];
const name = "ballast-theme";

export const theme = signal<Theme>(themes.find((one) => one === localStorage.getItem(name)) ?? "auto");

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.peek()) + 1) % themes.length]!;
  localStorage.setItem(name, theme.peek());
}

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
