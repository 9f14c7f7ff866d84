/** Ctrl-C and SIGTERM: the first asks the run to save and end, the second leaves at once. */

export interface SignalOptions {
  /** Called at the first signal. */
  readonly onInterrupt: () => void;
  /** Called before the process leaves at once. */
  readonly onLeave: () => void;
  readonly now?: () => number;
  /** Ends the process as this signal would. */
  readonly leave?: (signal: NodeJS.Signals) => void;
}

export interface Signals {
  /** Whether a signal has asked the run to end. */
  interrupted(): boolean;
  /** Takes the handlers away. */
  dispose(): void;
}

// npm passes Ctrl-C on to its script, which the terminal has told already: one keystroke arrives twice.
const ECHO_MS = 300;
const WATCHED: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

export function watchSignals({ onInterrupt, onLeave, now = Date.now, leave = leaveBy }: SignalOptions): Signals {
  let firstAt: number | null = null;
  const handle = (signal: NodeJS.Signals) => {
    if (firstAt === null) {
      firstAt = now();
      onInterrupt();
    } else if (now() - firstAt >= ECHO_MS) {
      onLeave();
      dispose();
      leave(signal);
    }
  };
  for (const signal of WATCHED) process.on(signal, handle);
  const dispose = () => {
    for (const signal of WATCHED) process.off(signal, handle);
  };
  return { interrupted: () => firstAt !== null, dispose };
}

/**
 * `process.exit` would wait for the engine's thread, which may be inside a native run for seconds; the signal's own
 * default does not. A shell reports it as 128 + the signal's number: 130 for Ctrl-C.
 */
function leaveBy(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal);
}
