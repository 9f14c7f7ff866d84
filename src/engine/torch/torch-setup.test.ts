/** `ballast engine setup torch` on scripts that stand in for Python, pip and uv: which builds are asked for where, which Pythons are refused, what is cleared up. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { EngineError, UsageError } from "../../util/errors.ts";
import { tryLock } from "../../util/file-lock.ts";
import { setUpTorch } from "./torch-setup.ts";

afterEach(() => vi.unstubAllEnvs());

const cpuIndex = "https://download.pytorch.org/whl/cpu";
const absent = "ERROR: No matching distribution found for torch==2.13.0+cpu";

interface World {
  readonly version?: string;
  /** Whether an index of the machine's own, and PyTorch's, have the build for CPUs; or what asking PyTorch's ends with. */
  readonly own?: boolean;
  readonly public?: boolean | string;
  /** What torch.version.cuda is. */
  readonly cuda?: string;
  readonly uv?: boolean;
}

/** Programs on a PATH of their own, and the installations that they were asked for. */
function world({ version = "3 12", own = false, public: reached = true, cuda = "None", uv = false }: World) {
  const bin = temporaryFolder();
  const log = join(bin, "log");
  const write = (name: string, script: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  const fails = (text: string) => `echo '${text}' >&2; exit 1`;
  const asked = [
    `echo "$*" >> ${log}`,
    `case "$*" in`,
    `*${cpuIndex}*) ${reached === true ? "true" : fails(reached === false ? absent : reached)} ;;`,
    `*+cpu*) ${own ? "true" : fails(absent)} ;;`,
    "esac",
  ].join("\n");
  write(
    "python3",
    [
      `case "$*" in`,
      `"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;`,
      `*"pip install"*) ${asked} ;;`,
      `*version_info*) echo "${version}" ;;`,
      `*"import torch"*) echo "${cuda}" ;;`,
      "esac",
    ].join("\n"),
  );
  if (uv)
    write(
      "uv",
      `case "$*" in\n"venv "*) echo "$*" >> ${log}; for last; do true; done; mkdir -p "$last/bin"; cp ${bin}/python3 "$last/bin/python" ;;\n"pip install"*) ${asked} ;;\nesac`,
    );
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
  const folder = join(temporaryFolder(), "torch");
  const notes: string[] = [];
  const setUp = (options: Partial<Parameters<typeof setUpTorch>[0]> = {}) =>
    setUpTorch({ folder, build: "cpu", onNote: (text) => notes.push(text), ...options });
  return { setUp, folder, notes, asked: () => readFileSync(log, "utf8").trim().split("\n") };
}

test.runIf(process.platform === "linux")(
  "PyTorch's build for CPUs is taken from the machine's index, else from PyTorch's own",
  async () => {
    const mirrored = world({ own: true });
    expect((await mirrored.setUp()).made).toBe("cpu");
    expect(mirrored.asked().join()).not.toContain(cpuIndex);
    const plain = world({});
    expect((await plain.setUp()).made).toBe("cpu");
    expect(plain.asked()).toEqual([
      expect.stringMatching(/--no-deps torch==[\d.]+\+cpu$/),
      expect.stringMatching(new RegExp(`--timeout 10 .*--extra-index-url ${cpuIndex} --no-deps torch==`)),
      expect.stringMatching(/-r \S+requirements.txt$/),
    ]);
    expect(plain.notes.join()).not.toContain("with CUDA");
  },
);

test.runIf(process.platform === "linux")(
  "without either the build with CUDA is taken, and told; a download that breaks off is not taken for an absence",
  async () => {
    const cut = world({ public: false, cuda: "12.9" });
    expect((await cut.setUp()).made).toBe("cuda");
    expect(cut.notes.join()).toMatch(
      /no index that is reached from here has PyTorch for CPUs: taking the build with CUDA/,
    );
    expect(cut.asked().at(-1)).toMatch(/-r \S+requirements.txt$/);
    const broken = world({ public: "ReadTimeoutError: Read timed out." });
    const error = await broken.setUp().catch((error) => error);
    expect(error).toBeInstanceOf(EngineError);
    expect(error.message).toContain("Read timed out");
    expect(readdirSync(join(broken.folder, ".."))).toEqual([]);
  },
);

test("an old Python is refused before anything is installed, with uv and without", async () => {
  for (const uv of [false, true]) {
    const old = world({ version: "3 9", uv });
    const error = await old.setUp().catch((error) => error);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toMatch(/is Python 3.9, and the PyTorch engine needs 3.11 or later/);
    expect(readdirSync(join(old.folder, ".."))).toEqual([]);
  }
});

test("uv is asked for a Python of 3.11 or later, or the one that is named, and for the best version of all indexes", async () => {
  const { setUp, asked } = world({ uv: true });
  await setUp({ index: "https://index.invalid/simple" });
  await setUp({ python: "/their/python", force: true });
  expect(asked().filter((line) => line.startsWith("venv"))).toEqual([
    expect.stringContaining("--python >=3.11"),
    expect.stringContaining("--python /their/python"),
  ]);
  for (const line of asked().filter((line) => line.startsWith("pip")))
    expect(line).toContain("--index-strategy unsafe-best-match");
});

test("what an interrupted setup left behind is removed by the next one; what one at work fills stays", async () => {
  const { setUp, folder } = world({});
  for (const name of ["torch.new-dead00", "torch.new-live00", "torch.newer"])
    mkdirSync(join(folder, "..", name, "lib"), { recursive: true });
  const lock = tryLock(join(folder, "..", "torch.new-live00.lock"));
  await setUp();
  expect(readdirSync(join(folder, "..")).sort()).toEqual([
    "torch",
    "torch.new-live00",
    "torch.new-live00.lock",
    "torch.newer",
  ]);
  lock?.release();
  expect((await setUp()).made).toBeNull();
  expect(existsSync(join(folder, "..", "torch.new-live00"))).toBe(false);
});
