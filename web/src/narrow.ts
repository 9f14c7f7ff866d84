/** Whether the page is as narrow as a phone, so that rows of tables become cards. The style sheets use the same width. */
import { signal } from "@preact/signals";

const query = matchMedia("(max-width: 640px)");

export const narrow = signal(query.matches);
query.addEventListener("change", () => {
  narrow.value = query.matches;
});
