/** A box that scrolls sideways by itself, so that the page does not; also by keyboard. */
import type { ComponentChildren } from "preact";

export function Scroll({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the arrow keys
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
