/** Death of a process at a call of the engine, as by kill -9: from then on every call fails and nothing is written. */
import type { BigramEngine } from "./bigram-engine.ts";

export class Killed extends Error {}

/** Makes the process die at the n-th call. */
export function killedAt(n: number): (engine: BigramEngine) => void {
  return (engine) => {
    let calls = 0;
    engine.before = () => {
      if (++calls >= n) throw new Killed();
    };
  };
}

/** Whether the run was killed; other errors are rethrown. */
export async function wasKilled(run: Promise<unknown>): Promise<boolean> {
  try {
    await run;
    return false;
  } catch (error) {
    if (error instanceof Killed || (error instanceof Error && error.cause instanceof Killed)) return true;
    throw error;
  }
}
