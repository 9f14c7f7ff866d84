/**
 * What differs between Linux, macOS and Windows: renames, flushing, deleting, paths, names, signals, how commands are quoted and
 * programs started. Every function takes the platform as a value, so that a test on one system goes through the branches of all.
 * Nothing else in Ballast asks which platform it runs on.
 */
import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { homedir } from "node:os";
import { posix, win32 } from "node:path";

export interface On {
  readonly platform?: NodeJS.Platform;
}

/** `linux-x64`: what a run records, and ONNX Runtime's builds are named by. */
export const platformName = `${process.platform}-${process.arch}`;

/** Windows refuses to rename what a virus scanner or an indexer holds open, for moments. */
const heldForMoments = new Set(["EPERM", "EACCES", "EBUSY"]);

/** Milliseconds. graceful-fs, which npm renames with, grows its pauses to 100 ms too, but tries for a minute: too long for a trainer. */
const pauses = [10, 20, 40, 80, ...Array<number>(50).fill(100)];

export interface RenameOptions extends On {
  readonly rename?: (from: string, to: string) => void;
  readonly pause?: (milliseconds: number) => void;
}

/** Renames a file over another one, or a folder to a name that is free. Throws the system's error. */
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

/** Some network and user-space file systems cannot flush a folder, and one may write into a folder that one may not read. */
const cannotFlush = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EACCES", "EPERM", "EISDIR"]);

export interface FlushOptions extends On {
  readonly open?: (folder: string) => number;
  readonly flush?: (handle: number) => void;
}

/**
 * Makes the names in a folder durable, if the system can: Windows has no such call. On macOS Node's fsync asks for F_FULLFSYNC
 * (libuv, src/unix/fs.c), which empties the drive's own cache as Linux's does. Throws the disk's errors.
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

/** Deletes a folder and all in it, if it is there. Windows may hold a file of it for moments: Node then tries again. */
export async function removeTree(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Whether a folder can be renamed while this process has a file in it open. Windows refuses. */
export function renamesHeldFolders({ platform = process.platform }: On = {}): boolean {
  return platform !== "win32";
}

/** The rules of paths: drive letters, UNC paths and both slashes on Windows. */
export function pathsOf({ platform = process.platform }: On = {}): typeof posix {
  return platform === "win32" ? win32 : posix;
}

/** A path that begins with `~` for the user's home folder. */
export function fromHome(path: string, { platform = process.platform, home = homedir() }: On & { home?: string } = {}) {
  const begins = path === "~" || path.startsWith("~/") || (platform === "win32" && path.startsWith("~\\"));
  return begins ? pathsOf({ platform }).join(home, path.slice(1)) : path;
}

/** Whether the file system takes two names for one: macOS and Windows look at neither case nor, on macOS, at how accents are composed. */
export function sameName(a: string, b: string, { platform = process.platform }: On = {}): boolean {
  const folded = (name: string) => {
    if (platform === "win32") return name.toLowerCase();
    return platform === "darwin" ? name.normalize("NFC").toLowerCase() : name;
  };
  return folded(a) === folded(b);
}

/** Windows' devices: a file or folder of such a name, with any ending, is the device. */
const device = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;

/** Why a file or folder cannot have this name, in words; null if it can. */
export function badName(name: string, { platform = process.platform }: On = {}): string | null {
  if (name.includes("/") || name.includes("\0")) return "it has a slash or a NUL character in it";
  if (platform !== "win32") return null;
  if (device.test(name)) return `Windows keeps ${name.split(".")[0]} for a device`;
  if (/[. ]$/.test(name)) return "Windows drops a dot or a space at a name's end";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what Windows forbids.
  return /[<>:"\\|?*\u0000-\u001f]/.test(name) ? 'Windows allows none of < > : " \\ | ? * in a name' : null;
}

/** Whether others than its owner may read a file of this mode. Windows has no such bits: there the user's profile folder keeps others out. */
export function othersMayRead(mode: number, { platform = process.platform }: On = {}): boolean {
  return platform !== "win32" && (mode & 0o077) !== 0;
}

/**
 * The signals that ask a process to end. Windows sends SIGBREAK for Ctrl-Break, and SIGHUP some seconds before it ends what ran in
 * a console that was closed; SIGTERM it never sends.
 */
export function endingSignals({ platform = process.platform }: On = {}): readonly NodeJS.Signals[] {
  return platform === "win32" ? ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}

export interface EndOptions extends On {
  readonly kill?: (pid: number, signal: NodeJS.Signals) => void;
}

/**
 * Ends this process at once, as a signal that nobody handles would: `process.exit` would wait for the engine's thread, which may be
 * inside a native run for seconds. A shell reports 128 + the signal's number: 130 for Ctrl-C. Windows only knows to end a process.
 */
export function endBy(
  signal: NodeJS.Signals,
  { platform = process.platform, kill = (pid, name) => process.kill(pid, name) }: EndOptions = {},
): void {
  kill(process.pid, platform === "win32" ? "SIGKILL" : signal);
}

/** A word as the shell reads it back: a POSIX shell's quotes, or those that both of Windows' shells take, where a character needs them. */
export function shellWord(text: string, { platform = process.platform }: On = {}): string {
  if (platform === "win32") return /^[\w./:\\+-]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A script of ours as the shell starts it: Windows does not look at a script's first line. */
export function scriptCommand(path: string, on: On = {}): string {
  const { platform = process.platform } = on;
  return platform === "win32" ? `node ${shellWord(path, on)}` : shellWord(path, on);
}

/** The program and arguments that show an address in the user's browser. */
export function browserCommand(address: string, { platform = process.platform }: On = {}): [string, ...string[]] {
  if (platform === "darwin") return ["open", address];
  // explorer.exe takes an address with # or ? for a file's.
  return platform === "win32" ? ["rundll32", "url.dll,FileProtocolHandler", address] : ["xdg-open", address];
}

/** Whether npm starts through a shell only: on Windows it is a batch file. Its arguments must then need no quotes. */
export function npmNeedsShell({ platform = process.platform }: On = {}): boolean {
  return platform === "win32";
}

/**
 * Ballast's folder in the user's cache, for what can be fetched or made again: below XDG_CACHE_HOME if that is set, else below the
 * platform's own place. It need not exist.
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
