/** Starts child processes from this package's own modules, which are TypeScript in a checkout and JavaScript when published. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * Starts a process that runs a module named without its extension, relative to the caller's `import.meta.url`, and can be sent messages. Its standard
 * output is dropped, its standard error piped.
 *
 * @example
 * const child = startProcess("./cell-process", import.meta.url);
 */
export function startProcess(name: string, from: string): ChildProcess {
  const typescript = from.endsWith(".ts");
  const module = fileURLToPath(new URL(`${name}${typescript ? ".ts" : ".js"}`, from));
  const execArgv = typescript ? ["--import", import.meta.resolve("tsx/esm")] : [];
  return fork(module, [], { execArgv, stdio: ["ignore", "ignore", "pipe", "ipc"], serialization: "advanced" });
}
