/** What users see of an error, and which exit code they get. */
import pc from "picocolors";
import { describe, expect, it } from "vitest";
import { BallastError, Interrupted, StoppedByController, UsageError } from "../util/errors.ts";
import { reportError } from "./failure.ts";
import { selfName } from "./find-run.ts";
import type { Terminal } from "./terminal.ts";

function report(error: unknown, env: NodeJS.ProcessEnv = {}) {
  const lines: string[] = [];
  const terminal = { note: (line: string) => lines.push(line), noteColours: pc.createColors(false) };
  return { code: reportError(error, terminal as unknown as Terminal, env), text: lines.join("\n") };
}

describe("reportError", () => {
  it.each([
    [new BallastError("no"), 1],
    [new UsageError("no"), 2],
    [new StoppedByController("no"), 3],
    [new Interrupted("no"), 130],
    [new TypeError("no"), 1],
    ["thrown text", 1],
  ])("%s ends with %i", (error, code) => {
    expect(report(error).code).toBe(code);
  });

  it("prints message and hint without a stack, and the stack with BALLAST_DEBUG", () => {
    const error = new UsageError("no such key", "Did you mean kl?");
    expect(report(error).text).toBe("error: no such key\n  Did you mean kl?");
    expect(report(error, { BALLAST_DEBUG: "1" }).text).toContain("failure.test.ts");
  });

  it.each([
    ["ENOSPC", "the disk is full", "Free some space"],
    ["EDQUOT", "the disk is full", "Free some space"],
    ["EROFS", "the disk can only be read", "Name a folder"],
    ["EACCES", "permission is missing", "Give yourself the right"],
    ["ENAMETOOLONG", "a name is too long for the system", "give a shorter one"],
    ["EISDIR", "there is a folder where a file should be", "Move that folder away"],
    ["ENOTDIR", "there is a file where a folder should be", "Move that file away"],
    ["EMFILE", "too many files are open", "ulimit -n"],
    ["EADDRINUSE", "the address is in use", "--port"],
    ["SQLITE_BUSY_SNAPSHOT", "another process holds the database", "Close it"],
    ["SQLITE_NOTADB", "this is not a database", "Move that file away"],
    ["SQLITE_FULL", "the disk is full", "Free some space"],
  ])("takes %s for what it is, not for a fault of the program", (code, what, remedy) => {
    const { code: exit, text } = report(Object.assign(new Error(`${code}: no, write`), { code, path: "/a/b" }));
    expect(exit).toBe(1);
    expect(text).toContain(`error: ${what}: ${code}: no, write (/a/b)\n  `);
    expect(text).toContain(remedy);
    expect(text).not.toMatch(/bug in Ballast|^ {4}at /m);
    // Wrapped by code that knew no remedy.
    const wrapped = report(
      new BallastError("could not save", undefined, { cause: Object.assign(new Error(""), { code }) }),
    );
    expect(wrapped.text).toContain(remedy);
  });

  it("of a system only we can have misused stays a fault", () => {
    expect(report(Object.assign(new Error("bad"), { code: "ERR_INVALID_ARG_TYPE" })).text).toContain("bug in Ballast");
  });

  it("prints the stack and the cause of what nobody expected", () => {
    const { text } = report(new TypeError("x is undefined", { cause: new Error("deep") }));
    expect(text).toContain("error: x is undefined\n    at ");
    expect(text).toContain("caused by: deep");
    expect(text).toContain("bug in Ballast");
  });

  it("names files from where the user stands", () => {
    expect(report(new Interrupted(`saved in ${process.cwd()}/runs/a-1`)).text).toBe("saved in runs/a-1");
  });

  it("names commands as this shell starts them", () => {
    const { text } = report(new BallastError("no", "As ballast 0.3 does: ballast resume a-1, or ballast runs."));
    expect(text).toBe(`error: no\n  As ballast 0.3 does: ${selfName()} resume a-1, or ${selfName()} runs.`);
    expect(selfName()).not.toBe("ballast");
    for (const named of ["./bin/ballast resume a-1", "npx ballast resume a-1", "/usr/bin/ballast resume a-1"])
      expect(report(new BallastError("no", `Go on with: ${named}`)).text).toBe(`error: no\n  Go on with: ${named}`);
  });

  it("cleans what a message quotes", () => {
    expect(report(new BallastError("bad row \x1b[2J\u202e")).text).toBe("error: bad row ");
  });
});
