/** The entry of the command line: the one place that prints errors and ends the process. */
import { runProgram } from "./program.ts";
import { createTerminal } from "./terminal.ts";

// Exit code 0 done, 1 error, 2 usage or configuration, 3 stopped by the controller, 130 interrupted and saved.
const terminal = createTerminal();
try {
  process.exitCode = await runProgram(process.argv.slice(2), terminal);
} catch (error) {
  const { reportError } = await import("./failure.ts");
  process.exitCode = reportError(error, terminal);
}
