/** Pulls what a command names on the Hub and the cache lacks, then does the command again: every command takes `hf://` where a path stands. */
import { hubReferenceText } from "../hub/hub-reference.ts";
import { NotPulledError } from "../hub/not-pulled.ts";
import type { Terminal } from "./terminal.ts";

/** Runs a command; before it has done anything it may ask for one thing after the other that is still to be pulled. */
export async function pullingWhatIsMissing(work: () => Promise<number>, terminal: Terminal): Promise<number> {
  const asked = new Set<string>();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NotPulledError)) throw error;
      const name = hubReferenceText(error.reference);
      // What a pull does not bring, a second one does not either.
      if (asked.has(name)) throw error;
      asked.add(name);
      const { pullShown } = await import("./commands/pull/pull-shown.ts");
      await pullShown({ reference: error.reference, terminal });
    }
  }
}
