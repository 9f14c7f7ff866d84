/** The Python that runs the worker: the one that the configuration names, or the environment that `ballast engine setup torch` made. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../util/errors.ts";
import { cacheFolder, fromHome } from "../../util/platform.ts";

/** The folder of the worker's package, in a checkout and in an installed Ballast. */
export const packageFolder = fileURLToPath(new URL("../../../engines/torch", import.meta.url));

/** The pinned packages of the worker. */
export const requirementsFile = join(packageFolder, "requirements.txt");

export const setupCommand = "ballast engine setup torch";

/** The environment's folder: below XDG_CACHE_HOME if that is set, else in the platform's usual place. */
export function environmentFolder(): string {
  return join(cacheFolder(), "torch");
}

/** The Python program of an environment. */
export function programIn(folder: string, platform = process.platform): string {
  return platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
}

/** The Python to start, and what to do if it cannot run the worker. Throws UsageError if there is none. */
export function pythonOf(named: string | undefined): { readonly python: string; readonly remedy: string } {
  if (named !== undefined)
    return {
      python: fromHome(named),
      remedy: `Set engine.python to a Python of 3.11 or later that has the pinned packages (PYTHON -m pip install -r ${requirementsFile}); or remove it and run: ${setupCommand}`,
    };
  const python = programIn(environmentFolder());
  if (!existsSync(python))
    throw new UsageError(
      `the PyTorch engine has no Python environment yet: there is no ${python}`,
      `Make it with: ${setupCommand}; or name a Python that has PyTorch: engine.python=/path/to/python`,
    );
  return { python, remedy: `Make the environment anew: ${setupCommand} --force` };
}
