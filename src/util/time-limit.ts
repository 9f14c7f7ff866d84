/** A time limit on a synchronous call, a regular expression that backtracks included. */
import { Script } from "node:vm";

/** Where the script finds the call: a script's source can name only what is global. */
const slot = Symbol.for("ballast.limited-call");
const globals = globalThis as unknown as Record<symbol, (() => unknown) | undefined>;
const script = new Script('globalThis[Symbol.for("ballast.limited-call")]()', { filename: "limited-call" });

/**
 * What `call` returns, or throws. It is ended after `milliseconds`: `node:vm` watches the clock from another thread, which
 * takes about a tenth of a millisecond a call.
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
