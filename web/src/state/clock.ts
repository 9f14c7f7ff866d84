/** The time, for ages: it advances once a second, and only while it is used and the page is visible. */
import { signal } from "@preact/signals";

let timer: ReturnType<typeof setInterval> | null = null;

/** Unix milliseconds. */
export const now = signal(Date.now(), {
  watched: () => {
    now.value = Date.now();
    timer = setInterval(() => {
      if (!document.hidden) now.value = Date.now();
    }, 1000);
  },
  unwatched: () => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  },
});
