/** The user's cache on this platform: for what Ballast can fetch or make again. */
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * `ballast` below XDG_CACHE_HOME if that is set, else below the platform's own place: ~/.cache, ~/Library/Caches or %LOCALAPPDATA%.
 * The folder need not exist.
 */
export function cacheFolder(platform = process.platform, env = process.env, home = homedir()): string {
  return join(env.XDG_CACHE_HOME || placeOf(platform, env, home), "ballast");
}

function placeOf(platform: NodeJS.Platform, env: NodeJS.ProcessEnv, home: string): string {
  if (platform === "win32") return env.LOCALAPPDATA || join(home, "AppData", "Local");
  return platform === "darwin" ? join(home, "Library", "Caches") : join(home, ".cache");
}
