/** The time, for what is told as an age: it moves once a second, and only while somebody reads it and looks. */
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
