/** `ballast engine setup torch` for real: an environment of its own, in which every check passes. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../test/support/gpt2.ts";
import { checkTorch } from "./torch-check.ts";
import { setUpTorch } from "./torch-setup.ts";

test("the environment is made once, and again only by force", async () => {
  const folder = join(temporaryFolder(), "torch");
  const notes: string[] = [];
  const options = { folder, build: "cpu", onNote: (text: string) => notes.push(text) } as const;
  const { python, made } = await setUpTorch(options);
  expect(made).toBe("cpu");
  expect(notes.join()).toMatch(/making an environment.*torch/);
  const { checks, versions } = await checkTorch({ python, device: "cpu", threads: 1 });
  expect(checks.filter(({ outcome }) => outcome === "failed")).toEqual([]);
  expect(versions.torch).toMatch(/^2\./);
  expect((await setUpTorch(options)).made).toBeNull();
  // A failed attempt takes nothing away.
  await expect(setUpTorch({ ...options, force: true, python: "/nowhere/python3" })).rejects.toThrow("/nowhere/python3");
  expect(existsSync(python)).toBe(true);
}, 1_800_000);
