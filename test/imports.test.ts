/** Enforces the table of allowed imports (CONTRIBUTING.md): no arrow upwards, no cycle between files, no two files with the same name. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

const rows: Readonly<Record<string, number>> = {
  "index.ts": 13,
  cli: 13,
  library: 12,
  server: 12,
  lab: 12,
  run: 11,
  algorithms: 10,
  faults: 9,
  incidents: 9,
  notify: 9,
  trainer: 8,
  operator: 9,
  inspect: 8,
  store: 7,
  reward: 7,
  objectives: 7,
  engine: 6,
  config: 6,
  control: 5,
  data: 4,
  settings: 4,
  signals: 4,
  models: 3,
  text: 3,
  rl: 3,
  hub: 2,
  tensor: 2,
  types: 2,
  levers: 1,
  util: 1,
};

/** Arrows to a lower row that are forbidden all the same. */
const forbidden = [
  ["trainer", "store"],
  ["trainer", "tensor"],
  ["trainer", "models"],
  ["algorithms", "store"],
  ["algorithms", "tensor"],
  ["algorithms", "models"],
  ["server", "trainer"],
  ["server", "engine"],
];

interface Import {
  readonly file: string;
  /** The imported file. */
  readonly path: string;
  readonly from: string;
  readonly to: string;
}

function imports(): Import[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .flatMap((file) =>
      [...readFileSync(join(source, file), "utf8").matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, target]) => ({
        file,
        path: relative(source, resolve(source, dirname(file), target as string)),
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

test("no file outside the engine's folder names the embedded one", () => {
  const inner = imports().filter(({ from, path }) => from !== "engine" && path.startsWith(join("engine", "embedded")));
  expect(inner).toEqual([]);
});

test("no two files have one name, but for index.ts", () => {
  const names = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => basename(file))
    .filter((name) => name !== "index.ts");
  expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
});

test("no file imports itself over others, types counted", () => {
  const targets = new Map<string, string[]>();
  for (const { file, path } of imports()) targets.set(file, [...(targets.get(file) ?? []), path]);
  /** The files of a cycle reachable from this one, or null. Files on no cycle are remembered. */
  const clear = new Set<string>();
  const cycle = (file: string, way: readonly string[]): readonly string[] | null => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (clear.has(file)) return null;
    for (const target of targets.get(file) ?? []) {
      const found = cycle(target, [...way, file]);
      if (found !== null) return found;
    }
    clear.add(file);
    return null;
  };
  const found = [...targets.keys()].map((file) => cycle(file, [])).find((files) => files !== null);
  expect(found ?? []).toEqual([]);
});
