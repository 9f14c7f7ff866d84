/** Ctrl-C, SIGTERM and a terminal that was closed: the first asks the run to save and end; Ctrl-C or SIGTERM after that leaves at once. */
import { endBy, endingSignals } from "../util/platform.ts";

export interface SignalOptions {
  /** Called at the first signal. */
  readonly onInterrupt: () => void;
  /** Called before the process leaves at once. */
  readonly onLeave: () => void;
  /** Where notes go; nobody reads them any more once it fails with EPIPE or EIO, as a closed terminal's does. */
  readonly output?: Pick<NodeJS.WriteStream, "on" | "off">;
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

export function watchSignals({
  onInterrupt,
  onLeave,
  output = process.stderr,
  now = Date.now,
  leave = endBy,
}: SignalOptions): Signals {
  let firstAt: number | null = null;
  const interrupt = () => {
    firstAt = now();
    onInterrupt();
  };
  const handle = (signal: NodeJS.Signals) => {
    if (firstAt === null) interrupt();
    // The system and the shell both tell of a closed terminal, and nobody asked for more.
    else if (signal !== "SIGHUP" && now() - firstAt >= ECHO_MS) {
      onLeave();
      dispose();
      leave(signal);
    }
  };
  const onError = ({ code }: NodeJS.ErrnoException) => {
    if (firstAt === null && (code === "EPIPE" || code === "EIO")) interrupt();
  };
  for (const signal of endingSignals()) process.on(signal, handle);
  output.on("error", onError);
  const dispose = () => {
    output.off("error", onError);
    for (const signal of endingSignals()) process.off(signal, handle);
  };
  return { interrupted: () => firstAt !== null, dispose };
}
