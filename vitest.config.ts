import { configDefaults, defineConfig } from "vitest/config";

/**
 * `vitest run --mode full` adds what takes minutes: learning runs, the laboratory, long kills. `--mode torch` runs the tests of the PyTorch engine, which
 * need a Python with PyTorch, and nothing else; `--mode tinker` those that need a Tinker server. `--mode torch-full` and `tinker-full` add their long ones.
 */
export default defineConfig(({ mode }) => {
  const alone = /^(torch|tinker)/.exec(mode)?.[0];
  const long = mode.endsWith("full") ? [] : ["**/*.full.test.ts"];
  return {
    test: {
      include: alone
        ? [`{src,test}/**/*.${alone}.test.ts`, `{src,test}/**/*.${alone}.full.test.ts`]
        : ["src/**/*.test.ts", "test/**/*.test.ts", "web/**/*.test.{ts,tsx}"],
      exclude: [
        ...configDefaults.exclude,
        ...long,
        ...(alone ? [] : ["**/*.{torch,tinker}.test.ts", "**/*.{torch,tinker}.full.test.ts"]),
      ],
      globalSetup: ["test/support/runtime.ts", ...(alone === "tinker" ? ["test/support/skyrl-shared.ts"] : [])],
      reporters: ["default", "./test/support/skips.ts"],
      testTimeout: 60_000,
      hookTimeout: 60_000,
      pool: "forks",
    },
  };
});
