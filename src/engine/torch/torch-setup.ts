/** Makes the Python environment of the PyTorch engine: a venv of its own with the pinned packages, which is there either whole or not at all. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { EngineError, messageOf, UsageError } from "../../util/errors.ts";
import { fromHome, rename } from "../../util/platform.ts";
import { environmentFolder, programIn, requirementsFile } from "./torch-environment.ts";

export interface SetupOptions {
  /** The Python to make the environment with; by default uv's choice if uv is there, else `python3`. */
  readonly python?: string;
  /** Which build of PyTorch: `cpu`, or `cuda` with NVIDIA's libraries; by default by whether the machine has a GPU of NVIDIA's. */
  readonly build?: "cpu" | "cuda";
  /** A further package index, for example one that has PyTorch's builds for CPUs. */
  readonly index?: string;
  /** Make the environment anew although there is one. */
  readonly force?: boolean;
  /** Receives a sentence about each step. */
  readonly onNote: (text: string) => void;
  readonly folder?: string;
}

export interface Setup {
  readonly folder: string;
  readonly python: string;
  readonly build: "cpu" | "cuda";
  /** False if the environment was there already. */
  readonly made: boolean;
}

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
  const made = { folder, python: programIn(folder), build };
  if (!force && existsSync(made.python)) return { ...made, made: false };
  mkdirSync(dirname(folder), { recursive: true });
  checkSpace(dirname(folder), build);
  // Beside its place: a venv finds itself by where it lies, so it may be renamed once it is whole.
  const temporary = mkdtempSync(`${folder}.new-`);
  try {
    const installer = await makeVenv(temporary, python, onNote);
    await install(installer, { build, index, onNote });
    onNote("trying it");
    await tryImport(programIn(temporary));
    rmSync(folder, { recursive: true, force: true });
    rename(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return { ...made, made: true };
}

/** Whether NVIDIA's driver lists a GPU. */
function hasNvidia(): boolean {
  const { error, status, stdout } = spawnSync("nvidia-smi", ["--list-gpus"], { encoding: "utf8" });
  return !error && status === 0 && /GPU \d+/.test(stdout);
}

function checkSpace(folder: string, build: "cpu" | "cuda"): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free >= bytesOf[build]) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new UsageError(
    `${folder} has ${gigabytes(free)} free, and PyTorch for ${build} takes ${gigabytes(bytesOf[build])}`,
    "Free some space, or set XDG_CACHE_HOME to a folder on another disk.",
  );
}

/** The command that installs packages into the environment, and its leading arguments. */
type Installer = readonly [string, ...string[]];

async function makeVenv(
  folder: string,
  python: string | undefined,
  onNote: (text: string) => void,
): Promise<Installer> {
  const uv = !spawnSync("uv", ["--version"]).error;
  const base = python === undefined ? "python3" : fromHome(python);
  if (uv) {
    onNote("making an environment with uv");
    await run(["uv", "venv", "--quiet", ...(python === undefined ? [] : ["--python", base]), folder], () => {});
    return ["uv", "pip", "install", "--python", programIn(folder)];
  }
  const { error, stdout, stderr } = spawnSync(
    base,
    ["-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])"],
    {
      encoding: "utf8",
    },
  );
  const [major = 0, minor = 0] = (stdout ?? "").trim().split(" ").map(Number);
  if (error || stdout.trim() === "")
    throw new UsageError(
      error ? `there is no ${base}` : `${base} cannot make an environment: ${stderr.trim().split("\n").at(-1)}`,
      "Install Python 3.11 or later with its venv module (on Debian: apt install python3-venv), or uv; or name one: --python /path/to/python3",
    );
  if (major < 3 || (major === 3 && minor < 11))
    throw new UsageError(
      `${base} is Python ${major}.${minor}, and the PyTorch engine needs 3.11 or later`,
      "Name a newer one: ballast engine setup torch --python /path/to/python3",
    );
  onNote(`making an environment with ${base}, Python ${major}.${minor}`);
  await run([base, "-m", "venv", folder], () => {});
  return [programIn(folder), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"];
}

async function install(
  installer: Installer,
  { build, index, onNote }: { build: "cpu" | "cuda"; index: string | undefined; onNote: (text: string) => void },
): Promise<void> {
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
  try {
    // Builds for CPUs have a name of their own where an index has them; on macOS and Windows every build is one.
    if (build === "cpu" && process.platform === "linux") {
      try {
        await run([...installer, ...more, `torch==${torch}+cpu`, "-r", requirementsFile], say);
        return;
      } catch (error) {
        if (
          !/No matching distribution|no version of torch|not found|ResolutionImpossible|unsatisfiable/i.test(
            messageOf(error),
          )
        )
          throw error;
        onNote("no index has PyTorch's smaller build for CPUs: taking the one with CUDA, which works without a GPU");
      }
    }
    await run([...installer, ...more, "-r", requirementsFile], say);
  } catch (error) {
    throw new EngineError(
      `PyTorch could not be installed: ${messageOf(error)}`,
      `Check the network and pip's index (pip config list), then run this again: nothing is left behind. Or install ${requirementsFile} yourself, and set engine.python.`,
      { cause: error },
    );
  } finally {
    clearInterval(ticking);
  }
}

async function tryImport(python: string): Promise<void> {
  try {
    await run(
      [python, "-c", "import torch, transformers, safetensors, numpy; torch.ones(2) @ torch.ones(2)"],
      () => {},
    );
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
