/** Each branch for Linux, macOS and Windows, whichever of them runs the test. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  badName,
  browserCommand,
  cacheFolder,
  endBy,
  endingSignals,
  flushFolder,
  fromHome,
  npmNeedsShell,
  othersMayRead,
  pathsOf,
  removeTree,
  rename,
  renamesHeldFolders,
  sameName,
  scriptCommand,
  shellWord,
} from "./platform.ts";

const platforms = ["linux", "darwin", "win32"] as const;
type Each<T> = Readonly<Record<(typeof platforms)[number], T>>;

/** A function's result on each of the three. */
function onEach<T>(ask: (on: { platform: NodeJS.Platform }) => T): Each<T> {
  const [linux, darwin, windows] = platforms.map((platform) => ask({ platform }));
  return { linux: linux!, darwin: darwin!, win32: windows! };
}

const failing = (code: string) => Object.assign(new Error(`${code}: held`), { code });

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ballast-platform-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("a rename", () => {
  it("puts a file over another one", () => {
    writeFileSync(join(folder, "a"), "new");
    writeFileSync(join(folder, "b"), "old");
    rename(join(folder, "a"), join(folder, "b"));
    expect(readdirSync(folder)).toEqual(["b"]);
    expect(readFileSync(join(folder, "b"), "utf8")).toBe("new");
  });

  const tries = (platform: NodeJS.Platform, codes: readonly string[]) => {
    let calls = 0;
    const pauses: number[] = [];
    const held = () => {
      const code = codes[calls++];
      if (code !== undefined) throw failing(code);
    };
    const run = () => rename("a", "b", { platform, rename: held, pause: (ms) => pauses.push(ms) });
    return { run, calls: () => calls, waited: () => pauses.reduce((a, b) => a + b, 0) };
  };

  it.each(["EPERM", "EACCES", "EBUSY"])("that a scanner holds up (%s) is tried again on Windows only", (code) => {
    const windows = tries("win32", [code, code, code]);
    windows.run();
    expect(windows.calls()).toBe(4);
    for (const platform of ["linux", "darwin"] as const) {
      const posix = tries(platform, [code]);
      expect(posix.run).toThrow(code);
      expect(posix.calls()).toBe(1);
    }
  });

  it("gives up on Windows after seconds, and at once for other reasons", () => {
    const forever = tries("win32", Array(1000).fill("EPERM"));
    expect(forever.run).toThrow("EPERM");
    expect(forever.waited()).toBe(5150);
    const missing = tries("win32", ["ENOENT"]);
    expect(missing.run).toThrow("ENOENT");
    expect(missing.calls()).toBe(1);
  });
});

describe("the names in a folder", () => {
  it("are flushed if the system can: on Windows nothing is opened", () => {
    const opened = onEach((on) => {
      let count = 0;
      flushFolder(folder, { ...on, flush: () => count++ });
      return count;
    });
    expect(opened).toEqual({ linux: 1, darwin: 1, win32: 0 });
    flushFolder(folder);
  });

  it.each(["EINVAL", "ENOTSUP", "EACCES"])("need not be flushed on a file system that cannot (%s)", (code) => {
    const flush = () => {
      throw failing(code);
    };
    flushFolder(folder, { platform: "linux", flush });
  });

  it("that could not be flushed because the disk failed are an error", () => {
    const flush = () => {
      throw failing("EIO");
    };
    for (const platform of ["linux", "darwin"] as const)
      expect(() => flushFolder(folder, { platform, flush })).toThrow("EIO");
  });
});

it("a tree is removed, and its absence is not an error", async () => {
  mkdirSync(join(folder, "a", "b"), { recursive: true });
  writeFileSync(join(folder, "a", "b", "c"), "");
  for (let i = 0; i < 2; i++) await removeTree(join(folder, "a"));
  expect(readdirSync(folder)).toEqual([]);
});

it("a folder in use can be renamed, but on Windows", () => {
  expect(onEach(renamesHeldFolders)).toEqual({ linux: true, darwin: true, win32: false });
});

it("paths have each platform's rules", () => {
  expect(onEach((on) => pathsOf(on).isAbsolute("C:\\runs"))).toEqual({ linux: false, darwin: false, win32: true });
  expect(onEach((on) => pathsOf(on).isAbsolute("\\\\host\\share"))).toEqual({
    linux: false,
    darwin: false,
    win32: true,
  });
  expect(pathsOf({ platform: "win32" }).relative("C:\\a", "D:\\b")).toBe("D:\\b");
});

it("~ is the user's home; with a backslash behind it, on Windows only", () => {
  const on = { home: "/home/ada" };
  expect(fromHome("~/runs", { ...on, platform: "linux" })).toBe("/home/ada/runs");
  expect(fromHome("~\\runs", { ...on, platform: "linux" })).toBe("~\\runs");
  expect(fromHome("~\\runs", { home: "C:\\Users\\ada", platform: "win32" })).toBe("C:\\Users\\ada\\runs");
  for (const platform of platforms) expect(fromHome("~ada/runs", { ...on, platform })).toBe("~ada/runs");
});

it("two names are one if the file system takes them for one", () => {
  expect(onEach((on) => sameName("Demo-1", "demo-1", on))).toEqual({ linux: false, darwin: true, win32: true });
  expect(onEach((on) => sameName("caf\u00e9", "cafe\u0301", on))).toEqual({ linux: false, darwin: true, win32: false });
  expect(onEach((on) => sameName("demo-1", "demo-1", on))).toEqual({ linux: true, darwin: true, win32: true });
});

it.each(["aux.v1-1", "NUL", "com1.txt", "run.", "run ", "a:b", "what?", "a\\b", "tab\there"])(
  "%j cannot be a name on Windows",
  (name) => {
    const bad = onEach((on) => badName(name, on) !== null);
    expect(bad).toEqual({ linux: false, darwin: false, win32: true });
  },
);

it.each(["auxiliary-1", "console.v1-1", "com-1", "v1.2-1"])("%j can be a name everywhere", (name) => {
  expect(onEach((on) => badName(name, on))).toEqual({ linux: null, darwin: null, win32: null });
  expect(badName("a/b", { platform: "linux" })).toMatch("slash");
});

it("a file's mode says who may read it, but on Windows", () => {
  expect(onEach((on) => othersMayRead(0o100644, on))).toEqual({ linux: true, darwin: true, win32: false });
  expect(onEach((on) => othersMayRead(0o100600, on))).toEqual({ linux: false, darwin: false, win32: false });
});

it("the signals that end a run: Ctrl-Break on Windows", () => {
  const posix = ["SIGINT", "SIGTERM", "SIGHUP"];
  const win32 = ["SIGINT", "SIGBREAK", "SIGHUP", "SIGTERM"];
  expect(onEach(endingSignals)).toEqual({ linux: posix, darwin: posix, win32 });
});

it("a process ends by the signal itself; on Windows, which would refuse SIGBREAK and SIGHUP, by SIGKILL", () => {
  const sent = onEach((on) => {
    const signals: string[] = [];
    endBy("SIGHUP", { ...on, kill: (pid, signal) => signals.push(`${pid === process.pid} ${signal}`) });
    return signals.join();
  });
  expect(sent).toEqual({ linux: "true SIGHUP", darwin: "true SIGHUP", win32: "true SIGKILL" });
});

it("commands are quoted as each platform's shell reads them", () => {
  const posix = (text: string) => ({ linux: text, darwin: text });
  expect(onEach((on) => shellWord("my runs", on))).toEqual({ ...posix("'my runs'"), win32: '"my runs"' });
  expect(onEach((on) => shellWord("it's", on))).toEqual({ ...posix("'it'\\''s'"), win32: '"it\'s"' });
  expect(onEach((on) => shellWord("C:\\runs\\a-1", on))).toEqual({
    ...posix("'C:\\runs\\a-1'"),
    win32: "C:\\runs\\a-1",
  });
  // PowerShell interprets @ and a comma; cmd = and %.
  for (const text of ["@x", "a,b", "a=b", "a%b", ""]) expect(shellWord(text, { platform: "win32" })).toBe(`"${text}"`);
  expect(onEach((on) => scriptCommand("./bin/ballast", on))).toEqual({
    ...posix("./bin/ballast"),
    win32: "node ./bin/ballast",
  });
});

it("an address is shown, and npm started, by each platform's means", () => {
  const address = "http://127.0.0.1:9464/#/?token=x";
  expect(onEach((on) => browserCommand(address, on))).toEqual({
    linux: ["xdg-open", address],
    darwin: ["open", address],
    win32: ["rundll32", "url.dll,FileProtocolHandler", address],
  });
  expect(onEach(npmNeedsShell)).toEqual({ linux: false, darwin: false, win32: true });
});

it("the user's cache lies in each platform's place", () => {
  const where = (platform: NodeJS.Platform, home: string, env = {}) => cacheFolder({ platform, env, home });
  expect(where("linux", "/home/ada")).toBe("/home/ada/.cache/ballast");
  expect(where("linux", "/home/ada", { XDG_CACHE_HOME: "/big" })).toBe("/big/ballast");
  expect(where("darwin", "/Users/ada")).toBe("/Users/ada/Library/Caches/ballast");
  expect(where("win32", "C:\\Users\\ada", { LOCALAPPDATA: "D:\\local" })).toBe("D:\\local\\ballast");
  expect(where("win32", "C:\\Users\\ada")).toBe("C:\\Users\\ada\\AppData\\Local\\ballast");
});
