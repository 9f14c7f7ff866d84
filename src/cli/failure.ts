/** How failures are printed: message and hint if the user can fix it, a stack if only the developers can. */
import { BallastError } from "../util/errors.ts";
import { printable } from "../util/sanitize.ts";
import { remedyFor, systemFault } from "../util/system-faults.ts";
import { asTyped } from "./find-run.ts";
import { withoutCurrentDirectory } from "./short-path.ts";
import type { Terminal } from "./terminal.ts";

/** Prints an error and returns the exit code. BALLAST_DEBUG=1 shows the stack of every error. */
export function reportError(thrown: unknown, { note, noteColours: c }: Terminal, env = process.env): number {
  const error = thrown instanceof BallastError ? thrown : (systemFault(thrown) ?? thrown);
  const expected = error instanceof BallastError;
  const message = error instanceof Error ? error.message : String(error);
  // Messages quote files and rows, which may contain anything.
  const print = (text: string, prefix = "") => note(prefix + printable(withoutCurrentDirectory(text)));
  if (expected && error.exitCode === 130) note(c.yellow(printable(withoutCurrentDirectory(message))));
  else print(message, `${c.red("error:")} `);
  const hint = expected ? (error.hint ?? remedyFor(error.cause)) : undefined;
  if (hint) print(asTyped(hint), "  ");
  if (!expected || env.BALLAST_DEBUG === "1") {
    if (error instanceof Error) print(stackOf(error));
    if (!expected) note("  This is a bug in Ballast, not in your input: please report it with the lines above.");
  }
  return expected ? error.exitCode : 1;
}

function stackOf(error: Error): string {
  const frames = (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
  const cause = error.cause instanceof Error ? [`caused by: ${error.cause.message}`, stackOf(error.cause)] : [];
  return [...frames, ...cause].join("\n");
}
