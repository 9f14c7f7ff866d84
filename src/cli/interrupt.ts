/** Handles Ctrl-C, SIGTERM and a closed terminal: the first asks the run to save and end; a further Ctrl-C or SIGTERM leaves at once. */
import { endBy, endingSignals } from "../util/platform.ts";

export interface SignalOptions {
  /** Called at the first signal. */
  readonly onInterrupt: () => void;
  /** Called before the process leaves at once. */
  readonly onLeave: () => void;
  /** The stream for notes; nobody reads them any more once it fails with EPIPE or EIO, as a closed terminal does. */
  readonly output?: Pick<NodeJS.WriteStream, "on" | "off">;
  readonly now?: () => number;
  /** Ends the process as this signal would. */
  readonly leave?: (signal: NodeJS.Signals) => void;
}

export interface Signals {
  /** Whether a signal has asked the run to end. */
  interrupted(): boolean;
  /** Removes the handlers. */
  dispose(): void;
}

// npm forwards Ctrl-C to its script, which already got it from the terminal: one keystroke arrives twice.
const ECHO_MS = 300;

/**
 * While an engine on a server is open: the first signal closes it, so that its models' slots are free there, and then ends the process as the signal
 * would; the next one leaves at once. Returns a function that removes the handlers; engines of this machine need none.
 */
export function closeAtSignal(
  engine: { readonly close: () => Promise<void> },
  { kind, leave = endBy }: { readonly kind: string | undefined; readonly leave?: (signal: NodeJS.Signals) => void },
): () => void {
  if (kind !== "tinker") return () => {};
  let closing = false;
  const handle = (signal: NodeJS.Signals) => {
    const end = () => {
      dispose();
      leave(signal);
    };
    if (closing) return end();
    closing = true;
    void engine.close().finally(end);
  };
  for (const signal of endingSignals()) process.on(signal, handle);
  const dispose = () => {
    for (const signal of endingSignals()) process.off(signal, handle);
  };
  return dispose;
}

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
    // The system and the shell both report a closed terminal; that does not count as a second request.
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
