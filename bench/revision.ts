/** A clean clone of a different revision of this repository, with its packages, for benchmarks that compare two revisions. */
import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const here = fileURLToPath(new URL("..", import.meta.url));

/** Clones `revision` into `folder`. It shares this tree's packages if its lock file is the same, or else installs its own, with scripts off. */
export function cloneRevision(revision: string, folder: string): void {
  const commit = execFileSync("git", ["-C", here, "rev-parse", revision], { encoding: "utf8" }).trim();
  execFileSync("git", ["clone", "--quiet", "--shared", here, folder]);
  execFileSync("git", ["-C", folder, "checkout", "--quiet", commit]);
  const locks = [here, folder].map((tree) => readFileSync(join(tree, "package-lock.json"), "utf8"));
  if (locks[0] === locks[1]) symlinkSync(join(here, "node_modules"), join(folder, "node_modules"));
  else execFileSync("npm", ["ci", "--ignore-scripts", "--silent", "--no-audit"], { cwd: folder, stdio: "inherit" });
}
