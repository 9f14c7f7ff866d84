/** The two streams of the process and what they can show: width, colours, a line that redraws itself. */
import pc from "picocolors";

type Colours = ReturnType<typeof pc.createColors>;

export interface Terminal {
  /** Results. */
  out(line: string): void;
  /** Progress, notes and errors. */
  note(line: string): void;
  /** Colours for results and for notes; plain where the stream is no terminal or NO_COLOR is set. */
  readonly outColours: Colours;
  readonly noteColours: Colours;
  /** Columns of a line of results and of notes. */
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

/** The process's own streams by default. Progress goes to stderr, so that stdout holds results alone. */
export function createTerminal({
  stdout = process.stdout,
  stderr = process.stderr,
  env = process.env,
}: TerminalOptions = {}): Terminal {
  // A reader that went away (`ballast runs | head`), a terminal that was closed or a log on a full disk is no reason to lose a run.
  stderr.on("error", () => {});
  let told = false;
  stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (code === "EPIPE" || code === "EIO" || told) return;
    told = true;
    stderr.write(`error: the output could not be written: ${message}\n`);
    process.once("exit", () => {
      process.exitCode ||= 1;
    });
  });
  const width = (stream: NodeJS.WriteStream) =>
    stream.isTTY === true ? Math.max(20, stream.columns || 80) : PLAIN_WIDTH;
  return {
    out: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    outColours: pc.createColors(coloured(stdout, env)),
    noteColours: pc.createColors(coloured(stderr, env)),
    outWidth: () => width(stdout),
    noteWidth: () => width(stderr),
    redraws: stderr.isTTY === true && env.TERM !== "dumb",
    raw: (text) => void stderr.write(text),
  };
}

/** no-color.org: any value of NO_COLOR but the empty one turns colours off; FORCE_COLOR turns them on where there is no terminal. */
function coloured(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && env.TERM !== "dumb";
}
