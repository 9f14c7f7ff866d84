/** Finds the built page, or builds it in a checkout in which it is missing or older than its sources. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BallastError, messageOf } from "../util/errors.ts";
import { removeTree, rename } from "../util/platform.ts";
import { readWeb, type WebFiles } from "./web.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface LoadWebOptions {
  /** The folder of the package or checkout. */
  readonly packageFolder?: string;
  /** Called before a build, which takes a few seconds. */
  readonly onBuild?: () => void;
  readonly build?: (options: { readonly config: string; readonly out: string }) => Promise<void>;
}

/**
 * Loads the page's files.
 * @throws BallastError if they can be neither found nor built.
 */
export async function loadWeb({
  packageFolder = root,
  onBuild = () => {},
  build = buildByVite,
}: LoadWebOptions = {}): Promise<WebFiles> {
  const folder = join(packageFolder, "dist", "web");
  const config = join(packageFolder, "web", "vite.config.ts");
  const found = readWeb(folder);
  // The published package has it built, and no sources.
  if (!existsSync(config)) {
    if (found !== null) return found;
    throw new BallastError(`the dashboard's page is missing from ${folder}`, "Install the package again.");
  }
  if (found !== null && statSync(join(folder, "index.html")).mtimeMs >= newestSource(packageFolder)) return found;
  onBuild();
  const out = `${folder}.${process.pid}`;
  try {
    await build({ config, out });
    const built = readWeb(out);
    if (built === null) throw new BallastError(`the build left no page in ${out}`);
    await keep(out, folder);
    return built;
  } catch (error) {
    await removeTree(out);
    throw new BallastError(
      `cannot build the dashboard's page: ${messageOf(error)}`,
      "Is everything installed? Try: npm ci && npm run build",
    );
  }
}

/** Moves a build into place. A different server may do the same at this moment: each moves a whole folder, and either is fine. */
async function keep(out: string, folder: string): Promise<void> {
  try {
    await removeTree(folder);
    rename(out, folder);
  } catch (error) {
    if (readWeb(folder) === null) throw error;
    await removeTree(out);
  }
}

async function buildByVite({ config, out }: { readonly config: string; readonly out: string }): Promise<void> {
  const vite = await import("vite");
  await vite.build({ configFile: config, logLevel: "error", build: { outDir: out, emptyOutDir: true } });
}

function newestSource(packageFolder: string): number {
  const folders = [join(packageFolder, "web"), join(packageFolder, "src", "types")].filter(existsSync);
  const times = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
      .map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs),
  );
  return Math.max(0, ...times);
}
