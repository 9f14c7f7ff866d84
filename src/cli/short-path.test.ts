import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { shortPath, withoutCurrentDirectory } from "./short-path.ts";

it("takes the current directory off what lies below it, and off nothing that only contains its name", () => {
  const here = process.cwd();
  const other = join("/elsewhere", here, "a");
  expect(withoutCurrentDirectory(`see ${here}/a, '${here}/b c', ${other}`)).toBe(`see a, 'b c', ${other}`);
});

describe.each([
  ["linux", "/home/ada", "/home/ada/runs/a-1", "/home/bo/x", "/Home/ada/x", "runs/a-1"],
  ["darwin", "/Users/ada", "/users/Ada/runs/a-1", "/Users/bo/x", "/Volumes/ada/x", "runs/a-1"],
  ["win32", "C:\\Users\\ada", "c:\\users\\ada\\runs\\a-1", "C:\\Users\\bo\\x", "D:\\Users\\ada\\x", "runs\\a-1"],
] as const)("on %s", (platform, cwd, below, beside, elsewhere, short) => {
  const from = { platform, cwd };

  it("names in a message what lies below the current directory from there", () => {
    const text = (path: string) => `cannot read '${path}': gone`;
    expect(withoutCurrentDirectory(text(below), from)).toBe(text(short));
    for (const path of [beside, elsewhere]) expect(withoutCurrentDirectory(text(path), from)).toBe(text(path));
  });

  it("shortens a path as long as it stays below", () => {
    const own = platform === "darwin" ? below.replace("/users/Ada", cwd) : below;
    expect(shortPath(own, from)).toBe(short);
    for (const path of [beside, elsewhere]) expect(shortPath(path, from)).toBe(path);
    expect(shortPath(cwd, from)).toBe(".");
  });
});

it("leaves paths as they are in the root of a file system or of a drive", () => {
  expect(withoutCurrentDirectory("see /tmp/a", { platform: "linux", cwd: "/" })).toBe("see /tmp/a");
  expect(withoutCurrentDirectory("see C:\\a", { platform: "win32", cwd: "C:\\" })).toBe("see C:\\a");
});
