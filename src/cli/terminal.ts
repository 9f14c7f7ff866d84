/** The process's two output streams and what they can show: width, colours, a line that redraws itself. */
import { closeSync, fstatSync } from "node:fs";
import { isatty } from "node:tty";
import pc from "picocolors";
import { writeAll } from "../util/durable.ts";

type Colours = ReturnType<typeof pc.createColors>;

export interface Terminal {
  /** Prints a line of results. */
  out(line: string): void;
  /** Prints a line of progress, notes or errors. */
  note(line: string): void;
  /** Colours for results and for notes; plain if the stream is not a terminal or NO_COLOR is set. */
  readonly outColours: Colours;
  readonly noteColours: Colours;
  /** Columns per line of results and of notes. */
  outWidth(): number;
  noteWidth(): number;
  /** Whether the stream of notes is a terminal on which a line can be redrawn. */
  readonly redraws: boolean;
  /** Writes to the stream of notes as is. */
  raw(text: string): void;
}

export interface TerminalOptions {
  readonly stdout?: NodeJS.WriteStream;
  readonly stderr?: NodeJS.WriteStream;
  readonly env?: NodeJS.ProcessEnv;
}

/** Width of reports that go to a file or a pipe. */
const PLAIN_WIDTH = 100;

/** A terminal, by default on the process's own streams. Progress goes to stderr, so that stdout has only results. */
export function createTerminal({
  stdout = process.stdout,
  stderr = process.stderr,
  env = process.env,
}: TerminalOptions = {}): Terminal {
  // A reader that went away (`ballast runs | head`), a closed terminal or a log on a full disk must not end a run.
  stderr.on("error", () => {});
  let told = false;
  const onError = ({ code, message }: NodeJS.ErrnoException) => {
    if (code === "EPIPE" || code === "EIO" || told) return;
    told = true;
    stderr.write(`error: the output could not be written: ${message}\n`);
    process.once("exit", () => {
      process.exitCode ||= 1;
    });
  };
  stdout.on("error", onError);
  // When a disk fills up, Node's own stream to a file takes a partial write for a complete one.
  const file = fileBehind(stdout);
  const out = (text: string) => {
    if (file === null) {
      stdout.write(text);
      return;
    }
    // After a failure the rest would follow a gap.
    if (told) return;
    try {
      writeAll(file, text);
    } catch (error) {
      onError(error as NodeJS.ErrnoException);
    }
  };
  const width = (stream: NodeJS.WriteStream) =>
    stream.isTTY === true ? Math.max(20, stream.columns || 80) : PLAIN_WIDTH;
  return {
    out: (line) => out(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    outColours: pc.createColors(coloured(stdout, env)),
    noteColours: pc.createColors(coloured(stderr, env)),
    outWidth: () => width(stdout),
    noteWidth: () => width(stderr),
    redraws: stderr.isTTY === true && env.TERM !== "dumb",
    raw: (text) => void stderr.write(text),
  };
}

/** The descriptor of a stream to a plain file; null for terminals, pipes and devices. */
function fileBehind(stream: object): number | null {
  const { fd } = stream as { readonly fd?: number };
  try {
    return fd !== undefined && fstatSync(fd).isFile() ? fd : null;
  } catch {
    return null;
  }
}

/**
 * Releases a closed terminal at the end of the process. Node restores the modes of each terminal as it ends and aborts if that fails, as it does once
 * the terminal is gone: exit code 134 for a run that was saved.
 */
export function leaveClosedTerminals(): void {
  const terminals = [0, 1, 2].filter((stream) => isatty(stream));
  process.on("exit", () => {
    for (const stream of terminals) if (!isatty(stream)) closeSync(stream);
  });
}

/** Whether to use colours, by no-color.org: any nonempty NO_COLOR turns them off; FORCE_COLOR turns them on without a terminal. */
function coloured(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && env.TERM !== "dumb";
}
