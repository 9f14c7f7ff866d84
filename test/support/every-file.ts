/** Runs before each file of tests: what helpers leave is cleared after each test and each file, whoever made it. */
import { afterAll, afterEach } from "vitest";
import { clearFile, clearTest } from "./afterwards.ts";

afterEach(clearTest);
afterAll(clearFile);
