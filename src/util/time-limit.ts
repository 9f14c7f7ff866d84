/** A time limit on a synchronous call, even for a regular expression that backtracks. */
import { Script } from "node:vm";

/** Where the script finds the call: a script's source can only name globals. */
const slot = Symbol.for("ballast.limited-call");
const globals = globalThis as unknown as Record<symbol, (() => unknown) | undefined>;
const script = new Script('globalThis[Symbol.for("ballast.limited-call")]()', { filename: "limited-call" });

/**
 * Returns what `call` returns, or throws what it throws. The call is ended after `milliseconds`: `node:vm` watches the clock from a
 * separate thread, which takes about a tenth of a millisecond per call.
 * @param tooLong makes the error for a call that took longer
 */
export function withTimeLimit<Result>(
  call: () => Result,
  { milliseconds, tooLong }: { readonly milliseconds: number; readonly tooLong: () => Error },
): Result {
  const outer = globals[slot];
  globals[slot] = call;
  try {
    return script.runInThisContext({ timeout: milliseconds }) as Result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") throw tooLong();
    throw error;
  } finally {
    globals[slot] = outer;
  }
}
