/** Runs before each file of tests: a helper's own hooks would be registered only for the first file that loads it, since files share processes. */
import { afterAll, afterEach } from "vitest";
import { clearFile, clearTest } from "./afterwards.ts";

afterEach(clearTest);
afterAll(clearFile);
