import { configDefaults, defineConfig } from "vitest/config";

/** `vitest run --mode full` adds what takes minutes: learning runs, the laboratory, long kills. */
export default defineConfig(({ mode }) => ({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "web/**/*.test.{ts,tsx}"],
    exclude: [...configDefaults.exclude, ...(mode === "full" ? [] : ["**/*.full.test.ts"])],
    globalSetup: "test/support/runtime.ts",
    reporters: ["default", "./test/support/skips.ts"],
    testTimeout: 60_000,
    pool: "forks",
  },
}));
