/** How many threads arithmetic runs best on. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Physical cores: a second hardware thread on a core only takes the arithmetic units from the first. */
export function defaultThreads(): number {
  const logical = availableParallelism();
  return Math.max(1, hasTwoThreadsACore() ? Math.floor(logical / 2) : logical);
}

function hasTwoThreadsACore(): boolean {
  try {
    return readFileSync("/sys/devices/system/cpu/smt/active", "utf8").trim() === "1";
  } catch {
    // No such file outside Linux: Apple's processors have one thread a core; elsewhere all threads are used.
    return false;
  }
}
