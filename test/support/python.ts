/** Python for tests that compare with its libraries: the one that BALLAST_TEST_PYTHON names, else python3. */
import { spawnSync } from "node:child_process";

const python = process.env.BALLAST_TEST_PYTHON ?? "python3";

/** What keeps a test from running, as a suffix of its name: `, skipped: python3 has no transformers`; empty if nothing does. */
export function missingPython(modules: readonly string[]): string {
  const script = "import sys, importlib.util as u; print(*[m for m in sys.argv[1:] if u.find_spec(m) is None])";
  const { error, status, stdout } = spawnSync(python, ["-c", script, ...modules], { encoding: "utf8" });
  if (error || status !== 0) return `, skipped: ${python} does not run`;
  return stdout.trim() === "" ? "" : `, skipped: ${python} has no ${stdout.trim().replaceAll(" ", ", no ")}`;
}

/** Runs a script with `input` as JSON on its stdin; returns the JSON that it prints. */
export function runPython(script: string, input: unknown): unknown {
  const { error, status, stdout, stderr } = spawnSync(python, ["-c", script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, HF_HUB_OFFLINE: "1", PYTHONIOENCODING: "utf-8" },
  });
  if (error || status !== 0) throw new Error(`${python} failed: ${error ?? stderr}`);
  return JSON.parse(stdout);
}
