/**
 * The package as `npm run build` makes it, for the tests that run the program: compiled once for all of them. From a checkout's sources every process
 * and every worker thread of the program first compiles some hundred modules, which takes longer than most tests.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { loadWeb } from "../../src/server/build-web.ts";
import { rename } from "../../src/util/platform.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
/** Inside the checkout's node_modules, so that Node finds the dependencies from there, and git does not see it. */
const folder = join(checkout, "node_modules", ".cache", "ballast");

/** The program of the built package. */
export const builtProgram = join(folder, "bin", "ballast");

/** The built module of a source module, both as URLs. */
export function builtModule(source: string): string {
  const path = relative(join(checkout, "src"), fileURLToPath(source)).replace(/\.ts$/, ".js");
  return pathToFileURL(join(folder, "dist", path)).href;
}

/** What the package takes from the checkout as it is. */
const asTheyAre = ["docs", "engines", "examples", "package.json", "recipes", "rules", "suites", "templates"];

/** Builds the package and the page, if they are missing or older than their sources. Several test runs of one checkout may do this at once. */
export async function buildPackage(): Promise<void> {
  await loadWeb();
  const stamp = join(folder, "dist", "built");
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newestSource()) return;
  const startedAt = new Date();
  const made = `${folder}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  // The types are checked by `npm run typecheck`.
  const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  const options = ["--noCheck", "--declaration", "false", "--outDir", join(made, "dist")];
  execFileSync(process.execPath, [compiler, "-p", join(checkout, "tsconfig.build.json"), ...options]);
  cpSync(join(checkout, "bin"), join(made, "bin"), { recursive: true });
  for (const name of asTheyAre) symlinkSync(join(checkout, name), join(made, name));
  symlinkSync(join(checkout, "dist", "web"), join(made, "dist", "web"));
  writeFileSync(join(made, "dist", "built"), startedAt.toISOString());
  rmSync(folder, { recursive: true, force: true });
  try {
    rename(made, folder);
  } catch (error) {
    if (!existsSync(stamp)) throw error;
    rmSync(made, { recursive: true });
  }
}

function newestSource(): number {
  const sources = readdirSync(join(checkout, "src"), { recursive: true, withFileTypes: true });
  const paths = sources
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return Math.max(...[...paths, join(checkout, "bin", "ballast")].map((path) => statSync(path).mtimeMs));
}
