/** The real program: what it accepts, what it answers to what it does not, and what its help does not load. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const bin = fileURLToPath(new URL("../../bin/ballast", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ballast-program-"));
afterAll(() => rmSync(folder, { recursive: true }));

function ballast(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(bin, args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "0" },
  });
  return { status, stdout, stderr };
}

const COMMANDS = [
  ...["demo", "run", "sft", "reward", "ppo", "resume", "eval", "generate", "runs", "compare"],
  ...["incidents", "history", "report", "export", "serve", "tell", "mark"],
];

describe("help", () => {
  it("lists every command and the exit codes", () => {
    const { status, stdout, stderr } = ballast("--help");
    expect(status).toBe(0);
    expect(stderr).toBe("");
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    expect(stdout).toContain("130 interrupted and saved");
  });

  it.each(COMMANDS)("of %s has examples", (command) => {
    const { status, stdout } = ballast(command, "--help");
    expect(status).toBe(0);
    expect(stdout).toContain(`$ ballast ${command}`);
  });

  it("prints the version of package.json", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(ballast("--version").stdout).toBe(`${version}\n`);
  });

  it("loads commander and picocolors and nothing else", () => {
    expect(staticImports(fileURLToPath(new URL("main.ts", import.meta.url)))).toEqual(["commander", "picocolors"]);
  });
});

describe("a wrong command line ends with code 2", () => {
  it.each([
    [["dmo"], "unknown command 'dmo'", "demo"],
    [["runs", "--jsn"], "unknown option '--jsn'", "--json"],
    [["run"], "missing required argument 'config'"],
    [["runs", "extra"], "too many arguments"],
    [["compare", "demo-1"], "missing required argument 'others'"],
    [["generate", "m", "--top-p", "1.5"], "It must be a number from 0 to 1."],
    [["generate", "m", "--temperature", ""], "It must be a number from 0."],
    [["demo", "--seed", "1.5"], "It must be a whole number from 0."],
    [["incidents", "shw", "1"], "unknown command 'shw'", "show"],
    [["incidents", "show", "x"], "It must be a whole number from 1."],
    [["export", "r", "--format", "xml"], "Allowed choices are csv, jsonl, parquet, html."],
    [["serve", "--port", "70000"], "It must be a whole number from 0 to 65535."],
    [["report", "--since", "soon"], "--since soon: expected a duration"],
    [["resume", "no-such-run"], "there is no run no-such-run"],
    [["run", "no-such-file.yaml"], "no-such-file.yaml"],
  ])("%j", (args, message, suggestion = "") => {
    const { status, stdout, stderr } = ballast(...args);
    expect(stderr).toContain(message);
    expect(stderr).toContain(suggestion);
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});

/** Packages that a file loads by static imports, its own files followed. */
function staticImports(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const packages: string[] = [];
  for (const [, clause, target = ""] of readFileSync(file, "utf8").matchAll(
    /^import\s+([^"]*?)(?:\sfrom\s+)?"([^"]+)"/gm,
  )) {
    if (clause?.startsWith("type ") || target.startsWith("node:")) continue;
    packages.push(...(target.startsWith(".") ? staticImports(resolve(dirname(file), target), seen) : [target]));
  }
  return [...new Set(packages)].sort();
}
