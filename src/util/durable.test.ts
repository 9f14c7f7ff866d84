import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type * as fs from "node:fs";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { writeDurably } from "./durable.ts";

const limits = vi.hoisted(() => ({ atOnce: Number.POSITIVE_INFINITY, inAll: Number.POSITIVE_INFINITY }));

/** A system that writes only part of what it is given, and may have limited room. */
vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  const writeSync = (file: number, bytes: Uint8Array, offset: number, length: number) => {
    const some = Math.min(length, limits.atOnce, limits.inAll);
    if (some === 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    limits.inAll -= some;
    return real.writeSync(file, bytes, offset, some);
  };
  return { ...real, writeSync };
});

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ballast-durable-"));
  path = join(folder, "rules.json");
  Object.assign(limits, { atOnce: Number.POSITIVE_INFINITY, inAll: Number.POSITIVE_INFINITY });
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = "Grüße, 世界 🚢 ".repeat(100);

describe("a file written durably", () => {
  it.each<[string, Parameters<typeof writeDurably>[1]]>([
    ["text", text],
    ["bytes", new TextEncoder().encode(text)],
    ["chunks", [text.slice(0, 10), new TextEncoder().encode(text.slice(10, 300)), "", text.slice(300)]],
  ])("is whole where each write takes 7 bytes: %s", (_, content) => {
    limits.atOnce = 7;
    writeDurably(path, content);
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(readdirSync(folder)).toEqual(["rules.json"]);
  });

  it.each<[string, () => Iterable<string>]>([
    ["a disk with room for a part", () => [text]],
    ["a disk that fills up in the last chunk", () => [text.slice(0, 100), text.slice(100)]],
    [
      "a chunk that throws",
      function* () {
        yield "half";
        throw new Error("ENOSPC, said the database");
      },
    ],
  ])("is what it was after %s", (_, content) => {
    writeFileSync(path, "old");
    limits.inAll = 1000;
    expect(() => writeDurably(path, content())).toThrow("ENOSPC");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["rules.json"]);
  });

  it("hands its permissions on, and is replaced behind a link to it", () => {
    writeFileSync(path, "old");
    chmodSync(path, 0o640);
    symlinkSync(path, join(folder, "link"));
    writeDurably(join(folder, "link"), "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o640);
    writeDurably(join(folder, "token"), "secret", { mode: 0o600 });
    expect(statSync(join(folder, "token")).mode & 0o777).toBe(0o600);
  });

  it.skipIf(process.platform === "win32")("into a pipe arrives as it is", async () => {
    spawnSync("mkfifo", [path]);
    const reader = spawn("cat", [path]);
    let read = "";
    reader.stdout.on("data", (bytes) => {
      read += bytes;
    });
    writeDurably(path, ["one ", "two"]);
    await once(reader, "close");
    expect(read).toBe("one two");
    expect(() => writeDurably(folder, "x")).toThrow("EISDIR");
  });
});

// A limit on the size of files makes the system itself write only a part, and refuse the rest.
describe.skipIf(process.platform === "win32")("where the system writes a part", () => {
  const limited = (code: string, out: string) =>
    spawnSync("sh", ["-c", `ulimit -f 8; exec "$0" --import tsx -e "$1" > "${out}"`, process.execPath, code], {
      encoding: "utf8",
    });

  it("a file keeps what it held, and standard output into a file says that it was cut", () => {
    writeFileSync(path, "old");
    const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
    const out = join(folder, "out");
    const { status, stderr } = limited(
      `Promise.all([import(${module("./durable.ts")}), import(${module("../cli/terminal.ts")})]).then(([durable, cli]) => {
        try { durable.writeDurably(${JSON.stringify(path)}, "x".repeat(6000)); } catch (error) { console.error(error.code); }
        cli.createTerminal().out("y".repeat(6000));
      });`,
      out,
    );
    expect(stderr).toMatch(/^EFBIG\nerror: the output could not be written: EFBIG/);
    expect(status).toBe(1);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(statSync(out).size).toBe(4096);
    expect(readdirSync(folder).sort()).toEqual(["out", "rules.json"]);
  });
});
