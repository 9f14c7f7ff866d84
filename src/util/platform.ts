/**
 * What differs between Linux, macOS and Windows: renaming, flushing, deleting, paths, names, signals, quoting of commands, starting
 * programs. Every function takes the platform as a value, so that a test on one system covers the branches of all. Nothing else in Ballast
 * checks the platform.
 */
import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { homedir } from "node:os";
import { posix, win32 } from "node:path";

export interface On {
  readonly platform?: NodeJS.Platform;
}

/** The platform, for example `linux-x64`: recorded by runs, and the name of ONNX Runtime's builds. */
export const platformName = `${process.platform}-${process.arch}`;

/** Windows briefly refuses to rename files that a virus scanner or an indexer has open. */
const heldForMoments = new Set(["EPERM", "EACCES", "EBUSY"]);

/**
 * Pauses between attempts, in milliseconds. graceful-fs, which npm renames with, grows its pauses to 100 ms too, but tries for a minute,
 * which is too long for a trainer.
 */
const pauses = [10, 20, 40, 80, ...Array<number>(50).fill(100)];

export interface RenameOptions extends On {
  readonly rename?: (from: string, to: string) => void;
  readonly pause?: (milliseconds: number) => void;
}

/** Renames a file over another, or a folder to a free name. Throws the system's error. */
export function rename(
  from: string,
  to: string,
  { platform = process.platform, rename = renameSync, pause = sleep }: RenameOptions = {},
): void {
  for (let tries = 0; ; tries++) {
    try {
      rename(from, to);
      return;
    } catch (error) {
      const wait = pauses[tries];
      if (platform !== "win32" || wait === undefined || !heldForMoments.has(codeOf(error))) throw error;
      pause(wait);
    }
  }
}

/** Some network and user-space file systems cannot flush a folder, and a folder may be writable but not readable. */
const cannotFlush = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EACCES", "EPERM", "EISDIR"]);

export interface FlushOptions extends On {
  readonly open?: (folder: string) => number;
  readonly flush?: (handle: number) => void;
}

/**
 * Makes the names in a folder durable, if the system can: Windows has no such call. On macOS Node's fsync requests F_FULLFSYNC (libuv,
 * src/unix/fs.c), which empties the drive's own cache as on Linux. Throws the disk's errors.
 */
export function flushFolder(
  folder: string,
  { platform = process.platform, open = (path) => openSync(path, "r"), flush = fsyncSync }: FlushOptions = {},
): void {
  if (platform === "win32") return;
  let handle: number | null = null;
  try {
    handle = open(folder);
    flush(handle);
  } catch (error) {
    if (!cannotFlush.has(codeOf(error))) throw error;
  } finally {
    if (handle !== null) closeSync(handle);
  }
}

/** Deletes a folder and everything in it, if it exists. Windows may briefly keep a file open; Node then tries again. */
export async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Whether a folder can be renamed while this process has one of its files open. Windows refuses. */
export function renamesHeldFolders({ platform = process.platform }: On = {}): boolean {
  return platform !== "win32";
}

/** The platform's path rules: drive letters, UNC paths and both slashes on Windows. */
export function pathsOf({ platform = process.platform }: On = {}): typeof posix {
  return platform === "win32" ? win32 : posix;
}

/** Expands a leading `~` to the user's home folder. */
export function fromHome(path: string, { platform = process.platform, home = homedir() }: On & { home?: string } = {}) {
  const begins = path === "~" || path.startsWith("~/") || (platform === "win32" && path.startsWith("~\\"));
  return begins ? pathsOf({ platform }).join(home, path.slice(1)) : path;
}

/** Whether the file system treats two names as the same: macOS and Windows ignore case, and macOS also ignores how accents are composed. */
export function sameName(a: string, b: string, { platform = process.platform }: On = {}): boolean {
  const folded = (name: string) => {
    if (platform === "win32") return name.toLowerCase();
    return platform === "darwin" ? name.normalize("NFC").toLowerCase() : name;
  };
  return folded(a) === folded(b);
}

/** Windows' device names: a file or folder with such a name, whatever its extension, is the device. */
const device = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;

/** Why a file or folder cannot have this name; null if it can. */
export function badName(name: string, { platform = process.platform }: On = {}): string | null {
  if (name.includes("/") || name.includes("\0")) return "it has a slash or a NUL character in it";
  if (platform !== "win32") return null;
  if (device.test(name)) return `Windows keeps ${name.split(".")[0]} for a device`;
  if (/[. ]$/.test(name)) return "Windows drops a dot or a space at a name's end";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what Windows forbids.
  return /[<>:"\\|?*\u0000-\u001f]/.test(name) ? 'Windows allows none of < > : " \\ | ? * in a name' : null;
}

/**
 * Whether users other than the owner may read a file with this mode. Windows has no such bits: there the user's profile folder keeps others
 * out.
 */
export function othersMayRead(mode: number, { platform = process.platform }: On = {}): boolean {
  return platform !== "win32" && (mode & 0o077) !== 0;
}

/**
 * The signals that ask a process to end. Windows sends SIGBREAK for Ctrl-Break, and SIGHUP a few seconds before it ends the programs of a
 * closed console; it never sends SIGTERM.
 */
export function endingSignals({ platform = process.platform }: On = {}): readonly NodeJS.Signals[] {
  return platform === "win32" ? ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}

export interface EndOptions extends On {
  readonly kill?: (pid: number, signal: NodeJS.Signals) => void;
}

/**
 * Ends this process at once, as an unhandled signal would: `process.exit` would wait for the engine's thread, which may spend seconds in a
 * native run. A shell reports 128 + the signal's number: 130 for Ctrl-C. Windows can only terminate a process.
 */
export function endBy(
  signal: NodeJS.Signals,
  { platform = process.platform, kill = (pid, name) => process.kill(pid, name) }: EndOptions = {},
): void {
  kill(process.pid, platform === "win32" ? "SIGKILL" : signal);
}

/** The word quoted for the shell, if it needs quotes: for a POSIX shell, or for both of Windows' shells. */
export function shellWord(text: string, { platform = process.platform }: On = {}): string {
  if (platform === "win32") return /^[\w./:\\+-]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that starts one of our scripts in a shell. Windows ignores a script's first line. */
export function scriptCommand(path: string, on: On = {}): string {
  const { platform = process.platform } = on;
  return platform === "win32" ? `node ${shellWord(path, on)}` : shellWord(path, on);
}

/** The program and arguments that show an address in the user's browser. */
export function browserCommand(address: string, { platform = process.platform }: On = {}): [string, ...string[]] {
  if (platform === "darwin") return ["open", address];
  // explorer.exe mistakes an address with # or ? for a file.
  return platform === "win32" ? ["rundll32", "url.dll,FileProtocolHandler", address] : ["xdg-open", address];
}

/** Whether npm can only be started through a shell: on Windows it is a batch file. Its arguments must then need no quotes. */
export function npmNeedsShell({ platform = process.platform }: On = {}): boolean {
  return platform === "win32";
}

/**
 * Ballast's folder in the user's cache, for data that can be fetched or made again: below XDG_CACHE_HOME if that is set, else in the
 * platform's usual place. It need not exist.
 */
export function cacheFolder({
  platform = process.platform,
  env = process.env,
  home = homedir(),
}: On & { env?: NodeJS.ProcessEnv; home?: string } = {}): string {
  const { join } = pathsOf({ platform });
  const ofWindows = env.LOCALAPPDATA || join(home, "AppData", "Local");
  const ofPosix = platform === "darwin" ? join(home, "Library", "Caches") : join(home, ".cache");
  return join(env.XDG_CACHE_HOME || (platform === "win32" ? ofWindows : ofPosix), "ballast");
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
