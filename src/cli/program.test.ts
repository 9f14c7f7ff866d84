/** The real program: what it accepts, how it answers mistakes, and what its help does not load. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import pc from "picocolors";
import { afterAll, describe, expect, it } from "vitest";
import { builtProgram as bin } from "../../test/support/built-package.ts";
import { UsageError } from "../util/errors.ts";
import { createProgram, runProgram } from "./program.ts";
import type { Terminal } from "./terminal.ts";

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

/** Runs the command in this process, if it loads no command's code: what it prints, or throws. */
async function typed(...args: string[]): Promise<{ readonly out: string; readonly error: UsageError | null }> {
  const lines: string[] = [];
  const terminal = { out: (line: string) => lines.push(line), noteColours: pc.createColors(false) };
  try {
    await runProgram(args, terminal as unknown as Terminal);
    return { out: lines.join("\n"), error: null };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { out: lines.join("\n"), error };
  }
}

const COMMANDS = [
  ...["demo", "run", "sft", "reward", "ppo", "resume", "eval", "generate", "runs", "compare"],
  ...["incidents", "history", "report", "export", "serve", "tell", "mark", "engine"],
  ...["audit", "chat", "extend", "archive", "rename", "sweep", "pull", "tokenizer", "init", "config", "next"],
];

describe("help", () => {
  it("lists every command and the exit codes", () => {
    const { status, stdout, stderr } = ballast("--help");
    expect(status).toBe(0);
    expect(stderr).toBe("");
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    expect(stdout).toContain("130 interrupted and saved");
  });

  it.each(COMMANDS)("of %s has examples", async (command) => {
    expect((await typed(command, "--help")).out).toContain(`$ ballast ${command}`);
  });

  it("has only examples that parse", async () => {
    const { out } = await typed("help");
    const names = [...out.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name!);
    const helps = await Promise.all(names.map(async (name) => (await typed("help", name)).out));
    const examples = helps.flatMap((help) => [...help.matchAll(/^ {2}\$ ballast (.*)$/gm)].map(([, line]) => line!));
    expect(examples.length).toBeGreaterThan(100);
    const without = (command: Command) => {
      for (const below of command.commands) without(below);
      if (command.commands.length === 0) command.action(() => {});
    };
    const wrong: string[] = [];
    for (const example of examples) {
      const line = example.replace(/ [|<>#] .*$/, "");
      const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)!.map((word) => word.replaceAll(/["']/g, ""));
      const { program } = createProgram({ out() {} } as unknown as Terminal);
      without(program);
      await program.parseAsync(words, { from: "user" }).catch((error) => wrong.push(`${example}: ${error.message}`));
    }
    expect(wrong).toEqual([]);
  });

  it("fits 80 columns: the whole, each command's and each subcommand's", async () => {
    const tooLong: string[] = [];
    const look = async (words: readonly string[]) => {
      const { out } = await typed("help", ...words);
      tooLong.push(...out.split("\n").filter((line) => line.length > 80));
      const below = /\nCommands:\n((?: {2}.*\n?)+)/.exec(out)?.[1] ?? "";
      for (const [, name = ""] of below.matchAll(/^ {2}(\w+)/gm)) if (name !== "help") await look([...words, name]);
    };
    await look([]);
    expect(tooLong).toEqual([]);
  });

  it("of a command is what `help` shows", async () => {
    expect((await typed("help", "incidents", "show")).out).toBe((await typed("incidents", "show", "--help")).out);
  });

  it("prints the version of package.json", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(ballast("--version").stdout).toBe(`${version}\n`);
  });

  it("loads commander and picocolors and nothing else", () => {
    expect(staticImports(fileURLToPath(new URL("main.ts", import.meta.url)))).toEqual(["commander", "picocolors"]);
  });
});

describe("a mistyped command line is told what it may have meant", () => {
  it.each([
    [["dmo"], "unknown command 'dmo'", "Did you mean ballast demo?"],
    [["reprot"], "unknown command 'reprot'", "Did you mean ballast report?"],
    [["gen"], "unknown command 'gen'", "Did you mean ballast generate?"],
    [["train", "my.yaml"], "unknown command 'train'", "Did you mean ballast run?"],
    [["lits"], "unknown command 'lits'", "Did you mean ballast runs?"],
    [["xyzzyx"], "unknown command 'xyzzyx'", "The commands are demo, init, run, "],
    [[""], "the command is empty", "The commands are demo, init, run, "],
    [["help", "dignose"], "unknown command 'dignose'", "Did you mean ballast diagnose?"],
    [["incidents", "shw", "1"], "unknown command 'shw'", "Did you mean ballast incidents show?"],
    [["rules", "everything"], "unknown command 'everything'", "The commands are list, explain, test."],
    [["runs", "--jsn"], "unknown option '--jsn'", "Did you mean --json?"],
    [["runs", "--work"], "unknown option '--work'", "Did you mean --workspace?"],
    [["--verison"], "unknown option '--verison'", "Did you mean --version?"],
    [["runs", "--frobnicate"], "unknown option '--frobnicate'", "ballast runs --help shows"],
    [["run", "a.yaml", "--seed=3"], "unknown option '--seed=3'", "take no dashes: seed=3"],
    [["ppo", "a.yaml", "--ppo.kl.coef", "0"], "unknown option '--ppo.kl.coef'", "take no dashes: ppo.kl.coef=VALUE"],
  ])("%j", async (args, message, hint) => {
    const { error } = await typed(...args);
    expect(error?.message).toBe(message);
    expect(error?.hint).toContain(hint);
  });
});

describe("a wrong command line ends with code 2", () => {
  it.each([
    [["dmo"], "unknown command 'dmo'", "demo"],
    [["run"], "missing required argument 'config'"],
    [["runs", "extra"], "too many arguments"],
    [["compare", "demo-1"], "missing required argument 'others'"],
    [["generate", "m", "--top-p", "1.5"], "It must be a number from 0 to 1."],
    [["generate", "m", "--temperature", ""], "It must be a number from 0."],
    [["demo", "--seed", "1.5"], "It must be a whole number from 0."],
    [["incidents", "show", "x"], "It must be a whole number from 1."],
    [["export", "r", "--format", "xml"], "Allowed choices are csv, jsonl, parquet, html, model."],
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
