/** Whether the page is as narrow as a phone: rows of tables are cards there. The style sheets have the same width. */
import { signal } from "@preact/signals";

const query = matchMedia("(max-width: 640px)");

export const narrow = signal(query.matches);
query.addEventListener("change", () => {
  narrow.value = query.matches;
});
