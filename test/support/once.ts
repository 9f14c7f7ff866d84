/**
 * Runs before all tests: fetches ONNX Runtime into the user's cache, so that tests which compile a graph directly find it; builds the program; and keeps
 * the tests' temporary folders in memory, if there is room. Half of the time of a run on a disk is the disk's: each checkpoint is flushed, file by file.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { fetchRuntime } from "../../src/tensor/runtime.ts";
import { buildPackage } from "./built-package.ts";

const memory = "/dev/shm";
/** The tests leave up to 0.3 GB there at a time; a container often has 64 MB. */
const room = 2 ** 31;

export async function setup(): Promise<() => void> {
  await fetchRuntime({ onNote: (text) => process.stderr.write(`${text}\n`) });
  await buildPackage();
  // Each project of the configuration comes here.
  if (!existsSync(memory) || process.env.TMPDIR?.startsWith(join(memory, "ballast-tests-"))) return () => {};
  removeLeftovers();
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize < room) return () => {};
  const folder = mkdtempSync(join(memory, `ballast-tests-${process.pid}-`));
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Removes what test runs left that were killed: it would be held in memory until the next boot. */
function removeLeftovers(): void {
  for (const name of readdirSync(memory)) {
    const [, pid] = /^ballast-tests-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(memory, name), { recursive: true, force: true });
  }
}
