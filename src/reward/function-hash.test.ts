import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { RewardError } from "../util/errors.ts";
import { hashFunction } from "./function-hash.ts";

const root = mkdtempSync(join(tmpdir(), "ballast-hash-"));
afterAll(() => rmSync(root, { recursive: true }));

function write(files: Record<string, string>): string {
  const folder = mkdtempSync(join(root, "x-"));
  mkdirSync(join(folder, "lib"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return join(folder, "reward.ts");
}

const files = {
  "reward.ts": 'import { a } from "./lib/a.js";\nimport "node:fs";\nexport default () => a;',
  "lib/a.ts": 'export { b as a } from "./b.ts";\nexport * from "../reward.ts";',
  "lib/b.ts": 'export const b = 1; const later = () => import("./words.json");',
  "lib/words.json": "[]",
  "lib/other.ts": "export {};",
};

it("changes with the file and with everything it imports, wherever it lies", () => {
  const original = hashFunction(write(files));
  expect(original).toMatch(/^[0-9a-f]{64}$/);
  expect(hashFunction(write(files))).toBe(original);
  for (const name of ["reward.ts", "lib/a.ts", "lib/b.ts", "lib/words.json"] as const) {
    expect(hashFunction(write({ ...files, [name]: `${files[name]} ` })), name).not.toBe(original);
  }
  expect(hashFunction(write({ ...files, "lib/other.ts": "" }))).toBe(original);
});

it("tells a copy in another folder by nothing", () => {
  const path = write(files);
  const copy = join(root, "copy");
  cpSync(join(path, ".."), copy, { recursive: true });
  expect(hashFunction(join(copy, "reward.ts"))).toBe(hashFunction(path));
});

it("needs the file", () => {
  expect(() => hashFunction(join(root, "none.ts"))).toThrow(RewardError);
});
