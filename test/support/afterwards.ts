/** What a test's helpers leave to be cleared up. The hooks that do it are registered for every file by `every-file.ts`. */

const tests: (() => void)[] = [];
const files: (() => void)[] = [];

/** Calls the function after the test. */
export function afterThisTest(clear: () => void): void {
  tests.push(clear);
}

/** Calls the function after the file's tests. */
export function afterThisFile(clear: () => void): void {
  files.push(clear);
}

/** Clears up after a test: what came last goes first. */
export function clearTest(): void {
  while (tests.length > 0) tests.pop()!();
}

/** Clears up after a file. */
export function clearFile(): void {
  while (files.length > 0) files.pop()!();
}
