/** Holds the table of who may import whom (CONTRIBUTING.md). */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

const rows: Readonly<Record<string, number>> = {
  cli: 10,
  notify: 9,
  server: 9,
  lab: 9,
  trainer: 8,
  record: 8,
  store: 7,
  reward: 7,
  objectives: 7,
  engine: 6,
  config: 6,
  control: 5,
  models: 5,
  data: 4,
  text: 3,
  rl: 3,
  tensor: 3,
  types: 2,
  steering: 1,
  util: 1,
};

/** Arrows to a lower row that must not exist all the same. */
const forbidden = [
  ["trainer", "store"],
  ["trainer", "tensor"],
  ["trainer", "models"],
  ["server", "trainer"],
  ["server", "engine"],
];

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

function imports(): Import[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .flatMap((file) =>
      [...readFileSync(join(source, file), "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, target]) => ({
        file,
        from: folderOf(file),
        to: folderOf(relative(source, resolve(source, dirname(file), target as string))),
      })),
    );
}

function folderOf(path: string): string {
  return path.split(/[\\/]/)[0] as string;
}

test("every folder has a row", () => {
  const folders = new Set(imports().flatMap(({ from, to }) => [from, to]));
  expect([...folders].filter((folder) => rows[folder] === undefined)).toEqual([]);
});

test("imports point to the same folder or to a lower row", () => {
  const wrong = imports().filter(({ from, to }) => from !== to && (rows[to] as number) >= (rows[from] as number));
  expect(wrong).toEqual([]);
});

test("no forbidden arrow", () => {
  const wrong = imports().filter(({ from, to }) => forbidden.some(([a, b]) => a === from && b === to));
  expect(wrong).toEqual([]);
});

test("trainer sees only the engine's interface", () => {
  const inner = readdirSync(join(source, "trainer"))
    .filter((file) => file.endsWith(".ts"))
    .filter((file) => readFileSync(join(source, "trainer", file), "utf8").includes("engine/embedded"));
  expect(inner.filter((file) => !file.endsWith(".test.ts"))).toEqual([]);
});
