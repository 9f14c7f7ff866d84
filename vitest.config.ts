import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig, type Plugin } from "vitest/config";

/** The program's modules start the workers of the built package (test/support/built-package.ts). */
const builtWorkers: Plugin = {
  name: "built-workers",
  enforce: "pre",
  resolveId: (path, importer) =>
    /\/util\/start-(worker|process)\.ts$/.test(path) && /\/src\/.*(?<!\.test)\.ts$/.test(importer ?? "")
      ? fileURLToPath(new URL("test/support/start-built.ts", import.meta.url))
      : null,
};

/**
 * `vitest run --mode full` adds what takes minutes: learning runs, the laboratory, long kills. `--mode torch` runs the tests of the PyTorch engine, which
 * need a Python with PyTorch, and nothing else; `--mode tinker` those that need a Tinker server. `--mode torch-full` and `tinker-full` add their long ones.
 *
 * Each file has a process of its own: in a shared one, a crash takes all later files with it.
 */
export default defineConfig(({ mode }) => {
  const engine = /^(torch|tinker)/.exec(mode)?.[0];
  const long = mode.endsWith("full") ? [] : ["**/*.full.test.ts"];
  const exclude = [
    ...configDefaults.exclude,
    ...long,
    ...(engine ? [] : ["**/*.{torch,tinker}.test.ts", "**/*.{torch,tinker}.full.test.ts"]),
  ];
  return {
    plugins: [builtWorkers],
    test: {
      include: engine
        ? [`{src,test}/**/*.${engine}.test.ts`, `{src,test}/**/*.${engine}.full.test.ts`]
        : ["{src,test}/**/*.test.ts", "web/**/*.test.{ts,tsx}"],
      exclude,
      // Many files wait for a program that they have started. Files of the mode tinker share one server.
      maxWorkers: engine === "tinker" ? 1 : Math.max(2, availableParallelism() - 1),
      globalSetup: ["test/support/once.ts", ...(engine === "tinker" ? ["test/support/skyrl-shared.ts"] : [])],
      setupFiles: "test/support/every-file.ts",
      reporters: ["default", "./test/support/skips.ts"],
      testTimeout: 180_000,
      hookTimeout: 180_000,
      pool: "forks",
    },
  };
});
