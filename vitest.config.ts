import { configDefaults, defineConfig } from "vitest/config";

/**
 * `vitest run --mode full` adds what takes minutes: learning runs, the laboratory, long kills. `--mode torch` runs the tests of the PyTorch engine, which
 * need a Python with PyTorch, and nothing else; `--mode torch-full` adds their long ones.
 */
export default defineConfig(({ mode }) => {
  const torch = mode.startsWith("torch");
  const long = mode.endsWith("full") ? [] : ["**/*.full.test.ts"];
  return {
    test: {
      include: torch
        ? ["{src,test}/**/*.torch.test.ts", "{src,test}/**/*.torch.full.test.ts"]
        : ["src/**/*.test.ts", "test/**/*.test.ts", "web/**/*.test.{ts,tsx}"],
      exclude: [
        ...configDefaults.exclude,
        ...long,
        ...(torch ? [] : ["**/*.torch.test.ts", "**/*.torch.full.test.ts"]),
      ],
      globalSetup: "test/support/runtime.ts",
      reporters: ["default", "./test/support/skips.ts"],
      testTimeout: 60_000,
      hookTimeout: 60_000,
      pool: "forks",
    },
  };
});
