/** Makes the Python environment of the PyTorch engine: a venv of its own with the pinned packages, which is there either whole or not at all. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EngineError, messageOf, UsageError } from "../../util/errors.ts";
import { tryLock } from "../../util/file-lock.ts";
import { fromHome, rename } from "../../util/platform.ts";
import { environmentFolder, programIn, requirementsFile } from "./torch-environment.ts";

export interface SetupOptions {
  /** The Python to make the environment with; by default uv's choice if uv is there, else `python3`. */
  readonly python?: string;
  /** Which build of PyTorch: `cpu`, or `cuda` with NVIDIA's libraries; by default by whether the machine has a GPU of NVIDIA's. */
  readonly build?: Build;
  /** A further package index, beside those that pip or uv is configured with. */
  readonly index?: string;
  /** Make the environment anew although there is one. */
  readonly force?: boolean;
  /** Receives a sentence about each step. */
  readonly onNote: (text: string) => void;
  readonly folder?: string;
}

export type Build = "cpu" | "cuda";

export interface Setup {
  readonly folder: string;
  readonly python: string;
  /** The build that was installed; null if the environment was there already. */
  readonly made: Build | null;
}

/** PyTorch's own index of its builds for CPUs. PyPI has none of them for Linux. */
const cpuIndex = "https://download.pytorch.org/whl/cpu";
/** What pip and uv say if no index that they reach has a package; uv also of one that it does not reach. */
const absent =
  /No matching distribution|no version of torch|not found|ResolutionImpossible|unsatisfiable|client error \(Connect\)/i;

/** Bytes that an environment takes: measured for CPUs (1.3 GB); PyTorch's with CUDA and its packages have some six more. */
const bytesOf = { cpu: 1.5e9, cuda: 8e9 } as const;

/** Throws UsageError without Python, space or a usable index; EngineError if the packages cannot be installed. */
export async function setUpTorch({
  python,
  build = hasNvidia() ? "cuda" : "cpu",
  index,
  force = false,
  onNote,
  folder = environmentFolder(),
}: SetupOptions): Promise<Setup> {
  const place = { folder, python: programIn(folder) };
  mkdirSync(dirname(folder), { recursive: true });
  removeInterrupted(folder);
  if (!force && existsSync(place.python)) return { ...place, made: null };
  checkSpace(dirname(folder), build);
  // Beside its place: a venv finds itself by where it lies, so it may be renamed once it is whole.
  const temporary = mkdtempSync(`${folder}.new-`);
  const lock = tryLock(lockOf(temporary));
  try {
    const installer = await makeVenv(temporary, python, onNote);
    await install(installer, { build, index, onNote, folder: temporary });
    onNote("trying it");
    const made = await tryImport(programIn(temporary));
    if (made === "cpu" && build === "cuda")
      onNote(
        "no index has PyTorch with CUDA for this system: this is the build for CPUs; --index URL names a further index",
      );
    rmSync(folder, { recursive: true, force: true });
    rename(temporary, folder);
    return { ...place, made };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
    lock?.release();
    rmSync(lockOf(temporary), { force: true });
  }
}

/** Held by the process that fills a temporary folder. */
const lockOf = (temporary: string) => `${temporary}.lock`;

/** Removes what setups that were killed, or left by Ctrl-C, have left behind; not the folder of one that is at work. */
function removeInterrupted(folder: string): void {
  const name = `${basename(folder)}.new-`;
  for (const found of readdirSync(dirname(folder))) {
    if (!found.startsWith(name) || found.endsWith(".lock")) continue;
    const temporary = join(dirname(folder), found);
    const lock = tryLock(lockOf(temporary));
    if (lock === null) continue;
    rmSync(temporary, { recursive: true, force: true });
    lock.release();
    rmSync(lockOf(temporary), { force: true });
  }
}

/** Whether NVIDIA's driver lists a GPU. */
function hasNvidia(): boolean {
  const { error, status, stdout } = spawnSync("nvidia-smi", ["--list-gpus"], { encoding: "utf8" });
  return !error && status === 0 && /GPU \d+/.test(stdout);
}

function checkSpace(folder: string, build: Build): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free >= bytesOf[build]) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new UsageError(
    `${folder} has ${gigabytes(free)} free, and PyTorch for ${build} takes ${gigabytes(bytesOf[build])}`,
    "Free some space, or set XDG_CACHE_HOME to a folder on another disk.",
  );
}

/** What installs packages into the environment. */
interface Installer {
  readonly command: readonly [string, ...string[]];
  /** Arguments with which an index that does not answer is given up soon. */
  readonly impatient: readonly string[];
  /** Where it has its indexes from. */
  readonly settings: string;
}

const installPython =
  "Install Python 3.11 or later with its venv module (on Debian: apt install python3-venv), or uv; or name one: --python /path/to/python3";

async function makeVenv(
  folder: string,
  python: string | undefined,
  onNote: (text: string) => void,
): Promise<Installer> {
  const uv = !spawnSync("uv", ["--version"]).error;
  // Without a version uv takes any Python, or the one of a file .python-version here.
  const base = python === undefined ? (uv ? ">=3.11" : "python3") : fromHome(python);
  onNote(`making an environment with ${uv ? "uv" : base}`);
  try {
    await run(uv ? ["uv", "venv", "--quiet", "--python", base, folder] : [base, "-m", "venv", folder], () => {});
  } catch (error) {
    throw new UsageError(`no environment can be made with Python ${base}: ${messageOf(error)}`, installPython);
  }
  const program = programIn(folder);
  const { stdout } = spawnSync(program, ["-c", "import sys; print(*sys.version_info[:2])"], { encoding: "utf8" });
  const [major = 0, minor = 0] = (stdout ?? "").trim().split(" ").map(Number);
  if (major < 3 || (major === 3 && minor < 11))
    throw new UsageError(
      `${base} is Python ${major}.${minor}, and the PyTorch engine needs 3.11 or later`,
      "Name a newer one: ballast engine setup torch --python /path/to/python3",
    );
  if (!uv)
    return {
      command: [program, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"],
      impatient: ["--timeout", "10", "--retries", "1"],
      settings: "pip's index (pip config list)",
    };
  return {
    // As pip does: by default uv takes a package only from the first index that has some version of it.
    command: ["uv", "pip", "install", "--index-strategy", "unsafe-best-match", "--python", program],
    impatient: [],
    settings: "uv's index, which is not pip's (UV_DEFAULT_INDEX=URL sets it)",
  };
}

async function install(
  { command, impatient, settings }: Installer,
  options: { build: Build; index: string | undefined; onNote: (text: string) => void; folder: string },
): Promise<void> {
  const { build, index, onNote, folder } = options;
  const more = index === undefined ? [] : ["--extra-index-url", index];
  const say = (line: string) => {
    const [, what] = /^(?:Collecting|Downloading|Installing collected packages:) (.*)$/.exec(line.trim()) ?? [];
    if (what !== undefined) onNote(line.trim().slice(0, 76));
  };
  const startedAt = performance.now();
  const ticking = setInterval(
    () => onNote(`still installing, ${Math.round((performance.now() - startedAt) / 1000)} s`),
    15_000,
  );
  const pinned = readFileSync(requirementsFile, "utf8");
  const torch = /^torch==(\S+)$/m.exec(pinned)?.[1];
  /** Whether an index that is reached has PyTorch's build for CPUs, which then is installed. */
  const found = async (...indexes: string[]) => {
    try {
      await run([...command, ...more, ...indexes, "--no-deps", `torch==${torch}+cpu`], say);
      return true;
    } catch (error) {
      if (absent.test(messageOf(error))) return false;
      throw error;
    }
  };
  try {
    // Builds for CPUs have a name of their own on Linux; on macOS and Windows every build is one. A machine without a way to PyTorch's index may have its own.
    if (build === "cpu" && process.platform === "linux") {
      if (!(await found()) && !(await found(...impatient, "--extra-index-url", cpuIndex))) {
        onNote(
          "no index that is reached from here has PyTorch for CPUs: taking the build with CUDA, which works without a GPU",
        );
        checkSpace(folder, "cuda");
      }
    }
    await run([...command, ...more, "-r", requirementsFile], say);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new EngineError(
      `PyTorch could not be installed: ${messageOf(error)}`,
      `Check the network and ${settings}, then run this again: nothing is left behind. Or install ${requirementsFile} yourself, and set engine.python.`,
      { cause: error },
    );
  } finally {
    clearInterval(ticking);
  }
}

/** The build that it has. */
async function tryImport(python: string): Promise<Build> {
  const lines: string[] = [];
  const program =
    "import torch, transformers, safetensors, numpy; torch.ones(2) @ torch.ones(2); print(torch.version.cuda)";
  try {
    await run([python, "-c", program], (line) => lines.push(line.trim()));
    return lines.includes("None") ? "cpu" : "cuda";
  } catch (error) {
    throw new EngineError(`PyTorch was installed, but does not work here: ${messageOf(error)}`, undefined, {
      cause: error,
    });
  }
}

/** Runs a program to its end, line by line. Throws an Error with its last lines if it fails; it dies with this process. */
async function run([program, ...args]: readonly [string, ...string[]], onLine: (line: string) => void): Promise<void> {
  const child: ChildProcess = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.on("data", (data) => {
      const lines = (rest + data).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.trim() !== "") last.push(line.trim());
        if (last.length > 4) last.shift();
        onLine(line);
      }
    });
  }
  await new Promise<void>((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`${program} could not be started: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${join(program)} ended with ${signal ?? `code ${code}`}: ${last.join(" ")}`));
    });
  });
}
