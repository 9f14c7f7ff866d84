/**
 * ONNX Runtime's Node binding: found beside Ballast or in the user's cache, or fetched once into that cache from the npm registry.
 *
 * It is not a dependency in package.json because its install script fetches CUDA's libraries from a host that is not the npm registry, and
 * a failure there ends the whole `npm install`. The binding itself is in the registry for every platform; here it is installed with scripts
 * off.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as Ort from "onnxruntime-common";
import { writeDurably } from "../util/durable.ts";
import { EngineError, messageOf } from "../util/errors.ts";
import { cacheFolder, npmNeedsShell, platformName, rename } from "../util/platform.ts";

/** The version with which every recorded figure was measured. Other versions may differ in the last bits. */
export const runtimeVersion = "1.30.0";

/** The registry's hashes of the two packages, so that a mirror cannot substitute something else. */
const integrity: Readonly<Record<string, string>> = {
  "onnxruntime-node": "sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==",
  "onnxruntime-common":
    "sha512-7fdVWjAID1dVhH/G8qK3APARunV4VkBFoCQAP7qp4Wkab0mrorvmc+sqiT+mKXOzDqdjN5j+/Z9nb4gzNPWcyA==",
};

export interface FetchRuntimeOptions {
  /** Receives a sentence before and after a fetch, and every ten seconds during one. */
  readonly onNote?: (text: string) => void;
}

let loaded: typeof Ort | null = null;

/**
 * The binding, loaded once per thread. Throws EngineError if it is neither beside Ballast nor in the user's cache, or cannot be loaded
 * here.
 */
export function loadRuntime(): typeof Ort {
  loaded ??= load(runtimeFolder());
  return loaded;
}

function load(folder: string): typeof Ort {
  const path = beside() ?? (existsSync(packageIn(folder)) ? packageIn(folder) : null);
  if (path === null)
    throw new EngineError(`ONNX Runtime ${runtimeVersion} is not installed`, "Open the engine first: it fetches it.");
  try {
    return createRequire(import.meta.url)(path) as typeof Ort;
  } catch (error) {
    throw new EngineError(
      `ONNX Runtime ${runtimeVersion} does not load on ${platformName}: ${messageOf(error)}`,
      "It needs glibc 2.28 or later on Linux (not musl), macOS 13.4 or later, or Windows 10 or later.",
      { cause: error },
    );
  }
}

/**
 * Makes sure that ONNX Runtime is available: a matching `onnxruntime-node` beside Ballast, one in the user's cache, or else one that npm
 * fetches from its configured registry (about 110 MB to download, 50 MB kept), with install scripts off and its hash checked. Several
 * processes may do this at once. Throws EngineError with the remedy if there is no build for this platform, no npm or no registry.
 */
export async function fetchRuntime({ onNote = () => {} }: FetchRuntimeOptions = {}): Promise<void> {
  const folder = runtimeFolder();
  if (beside() === null && !existsSync(packageIn(folder))) await fetchInto(folder, { onNote, npm: "npm" });
}

export interface FetchIntoOptions {
  readonly onNote: (text: string) => void;
  /** The npm program. */
  readonly npm: string;
}

/** Fetches ONNX Runtime into a folder that appears either whole or not at all. Throws EngineError. */
export async function fetchInto(folder: string, { onNote, npm }: FetchIntoOptions): Promise<void> {
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 1000);
  onNote(`fetching ONNX Runtime ${runtimeVersion} from the npm registry: about 110 MB, once for this user`);
  const ticking = setInterval(() => onNote(`still fetching ONNX Runtime, ${seconds()} s`), 10_000);
  let temporary: string | null = null;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    temporary = mkdtempSync(`${folder}.new-`);
    await install(temporary, npm);
    keepOwnPlatform(temporary);
    keep(temporary, folder);
    onNote(`ONNX Runtime is in ${folder}, after ${seconds()} s`);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError(
      `ONNX Runtime ${runtimeVersion} could not be kept in ${folder}: ${messageOf(error)}`,
      `Make room there, or set XDG_CACHE_HOME to a folder that can be written. ${byHand}`,
      { cause: error },
    );
  } finally {
    clearInterval(ticking);
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
  }
}

const byHand = `To install it yourself beside Ballast: npm install --ignore-scripts onnxruntime-node@${runtimeVersion}`;

function runtimeFolder(): string {
  return join(cacheFolder(), `onnxruntime-${runtimeVersion}`);
}

function packageIn(folder: string): string {
  return join(folder, "node_modules", "onnxruntime-node");
}

/** The folder of a copy with the right version that Node resolves from here, such as one that the user installed; null if there is none. */
function beside(): string | null {
  try {
    const manifest = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
    return JSON.parse(readFileSync(manifest, "utf8")).version === runtimeVersion ? dirname(manifest) : null;
  } catch {
    return null;
  }
}

async function install(folder: string, npm: string): Promise<void> {
  writeDurably(join(folder, "package.json"), '{ "private": true }\n');
  // A project's own registry and token also apply to what the project's tools fetch.
  if (existsSync(".npmrc")) writeDurably(join(folder, ".npmrc"), readFileSync(".npmrc"), { mode: 0o600 });
  const { code, output } = await run(
    npm,
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--package-lock", `onnxruntime-node@${runtimeVersion}`],
    folder,
  );
  if (code !== 0)
    throw new EngineError(
      `npm could not fetch ONNX Runtime ${runtimeVersion}: ${output.trim().split("\n").slice(-4).join(" ") || `it ended with code ${code}`}`,
      `Check the network and npm's registry (npm ping), then start again: nothing is lost. ${byHand}`,
    );
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  for (const [name, expected] of Object.entries(integrity)) {
    const found = lock.packages?.[`node_modules/${name}`]?.integrity;
    if (found !== expected)
      throw new EngineError(
        `npm's registry gave a ${name}@${runtimeVersion} with the hash ${found ?? "(none)"} instead of ${expected}`,
        `Use the public registry, or ask whoever runs yours. ${byHand}`,
      );
  }
}

function run(npm: string, args: string[], cwd: string): Promise<{ code: number | null; output: string }> {
  // The variables that npm sets for its scripts would make a nested npm use the outer project.
  const { npm_config_local_prefix: _, npm_config_prefix: __, INIT_CWD: ___, ...env } = process.env;
  return new Promise((resolve, reject) => {
    // None of the arguments needs quotes.
    const child = spawn(npm, args, {
      cwd,
      env,
      shell: npmNeedsShell(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) =>
      reject(new EngineError(`npm could not be started: ${error.message}`, `Put npm on the PATH. ${byHand}`)),
    );
    child.on("close", (code) => resolve({ code, output }));
  });
}

/** Deletes the other platforms' builds: about 240 of 290 MB. Throws EngineError if none is left. */
function keepOwnPlatform(folder: string): void {
  const builds = join(packageIn(folder), "bin", "napi-v6");
  const all = readdirSync(builds).flatMap((system) =>
    readdirSync(join(builds, system)).map((chip) => join(system, chip)),
  );
  const own = join(...(platformName.split("-") as [string, string]));
  if (!all.includes(own))
    throw new EngineError(
      `ONNX Runtime ${runtimeVersion} has no build for ${platformName}; it has ${all.join(", ")}`,
      "Run Ballast on one of these.",
    );
  for (const build of all) if (build !== own) rmSync(join(builds, build), { recursive: true });
}

/** Moves the fetched folder into place. If a different process was faster, its folder stays. */
function keep(temporary: string, folder: string): void {
  try {
    rename(temporary, folder);
  } catch (error) {
    if (!existsSync(packageIn(folder))) throw error;
  }
}
