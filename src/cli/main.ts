/** The entry of the command line: the only place that prints errors and ends the process. */
// Imported eagerly: a checkout needs a compiler to load it later, and Ctrl-C in a terminal ends that too.
import { reportError } from "./failure.ts";
import { runProgram } from "./program.ts";
import { createTerminal, leaveClosedTerminals } from "./terminal.ts";

// Exit code 0 done, 1 error, 2 usage or configuration, 3 stopped by the controller, 130 interrupted and saved.
const terminal = createTerminal();
leaveClosedTerminals();
// Errors of streams or workers that nobody awaits.
process.on("uncaughtException", (error) => process.exit(reportError(error, terminal)));
try {
  process.exitCode = await runProgram(process.argv.slice(2), terminal);
} catch (error) {
  process.exitCode = reportError(error, terminal);
}
