/** The entry of the command line: the one place that prints errors and ends the process. */
// Not loaded when it is needed: from a checkout that takes a compiler, which Ctrl-C in a terminal ends as well.
import { reportError } from "./failure.ts";
import { runProgram } from "./program.ts";
import { createTerminal, leaveClosedTerminals } from "./terminal.ts";

// Exit code 0 done, 1 error, 2 usage or configuration, 3 stopped by the controller, 130 interrupted and saved.
const terminal = createTerminal();
leaveClosedTerminals();
// Of a stream or a worker that nobody waits for.
process.on("uncaughtException", (error) => process.exit(reportError(error, terminal)));
try {
  process.exitCode = await runProgram(process.argv.slice(2), terminal);
} catch (error) {
  process.exitCode = reportError(error, terminal);
}
