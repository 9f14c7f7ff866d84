/** Every argument and option of every command, given nonsense: an error with a remedy, never a crash. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { keptTerminal } from "../../test/support/terminal.ts";
import { workspaceWithRun } from "../../test/support/workspace.ts";
import { studyNames } from "../lab/studies/study-names.ts";
import { reportError } from "./failure.ts";
import { createProgram, runProgram } from "./program.ts";

/** Commands that read the record. */
const reading = ["history", "export", "mark", "diagnose"];

const folder = mkdtempSync(join(tmpdir(), "ballast-nonsense-"));
const before = process.cwd();
const { HF_HUB_OFFLINE } = process.env;
// Many of the names are possible ones: nobody is asked for them.
process.env.HF_HUB_OFFLINE = "1";
afterAll(() => {
  process.chdir(before);
  if (HF_HUB_OFFLINE === undefined) delete process.env.HF_HUB_OFFLINE;
  else process.env.HF_HUB_OFFLINE = HF_HUB_OFFLINE;
  rmSync(folder, { recursive: true });
});
beforeEach(() => process.chdir(folder));

/** The end of a command: its exit code, and all of its output. */
async function ended(...args: string[]) {
  const terminal = keptTerminal();
  let code: number;
  try {
    code = await runProgram(args, terminal);
  } catch (error) {
    code = reportError(error, terminal, {});
  }
  return { code, text: terminal.notes.join("\n") };
}

/** Arguments with which each command would work, except those that train, serve or ask: they end before they begin. */
const argumentsOf = (run: string): Readonly<Record<string, readonly string[]>> => ({
  ...{ demo: ["nonsense=1"], run: ["none.yaml"], sft: ["none.yaml"], reward: ["none.yaml"], ppo: ["none.yaml"] },
  ...{ resume: ["none"], doctor: ["none.yaml"], diagnose: [run], eval: ["none"], generate: ["none", "x"], runs: [] },
  ...{ compare: [run, run], "incidents list": [], "incidents show": ["1"], "incidents resolve": ["1"] },
  ...{ history: [run], mark: [run], export: [run], report: [], serve: ["extra"], tell: [run, "pause"], replay: [run] },
  ...{
    "lab faults": ["nonsense=1", "--config", "none.yaml"],
    "lab strangers": ["--suite", "none"],
    ...Object.fromEntries(Object.keys(studyNames).map((study) => [`lab ${study}`, ["nonsense=1", "--only", "none"]])),
    "rules list": [],
    "rules explain": ["kl_soft"],
  },
  ...{
    data: ["none.jsonl"],
    "rules test": ["none.yaml"],
    reproduce: ["none"],
    rate: ["none"],
    help: [],
    delete: ["none"],
    plan: ["none.yaml"],
    init: ["--yes", "--no-time"],
    next: ["none"],
    "config explain": ["ppo"],
    "config schema": [],
    merge: ["none", "out"],
    ...{ extend: ["none"], chat: ["none"], archive: [run], rename: [run, "name"], audit: ["none"] },
    ...{ pull: ["none"], "tokenizer train": ["none.txt"], sweep: ["none.yaml", "seed=1"], "engine join": ["none"] },
    // An engine that does not exist, so that no environment is made.
    "engine setup": ["none"],
    "engine check": ["none"],
  },
});

const nonsense = ["", " ", "x", "-1", "NaN", "1e999", "9".repeat(30), ".", "a".repeat(300), "\x1b[2J", "a=b", "../.."];

interface Leaf {
  readonly name: string;
  readonly command: Command;
}

function leaves(command: Command, words: readonly string[] = []): Leaf[] {
  if (command.commands.length === 0) return [{ name: words.join(" "), command }];
  return command.commands.flatMap((child) => leaves(child, [...words, child.name()]));
}

const commands = leaves(createProgram(keptTerminal()).program);

function whyWrong(text: string, code: number): string | null {
  if (/bug in Ballast|^ {4}at /m.test(text)) return "a fault";
  if (text.includes("\x1b")) return "a control sequence";
  if (![0, 1, 2].includes(code)) return `code ${code}`;
  return code !== 0 && text.split("\n").length < 2 ? "no hint" : null;
}

it.each(commands)("$name", async ({ name, command }) => {
  const { folder: run, store } = workspaceWithRun();
  store.close();
  const given = argumentsOf(run)[name]!;
  const wrong: string[] = [];
  const look = async (...args: string[]) => {
    const { code, text } = await ended(...name.split(" "), ...args);
    const why = whyWrong(text, code);
    if (why) wrong.push(`${JSON.stringify(args)}: ${why}: ${text}`);
  };
  for (const value of nonsense) {
    for (const option of command.options.filter(({ flags }) => /[<[]/.test(flags)))
      await look(...given, `${option.long}=${value}`);
    for (const [i] of command.registeredArguments.entries())
      await look(...given.slice(0, i), value, ...given.slice(i + 1));
  }
  expect(wrong).toEqual([]);
});

describe("what is wrong with the machine is an error with a remedy", () => {
  const long = "a".repeat(300);
  /** A workspace with a run, changed by `change`; then what these command lines print. */
  const cases: [string, (place: { workspace: string; folder: string }) => void, string[], RegExp][] = [
    [
      "a folder in the database's place",
      (at) => folderAt(join(at.workspace, "ballast.db")),
      reading,
      /Check that its folder exists/,
    ],
    ["a database that is none", (at) => fileAt(join(at.workspace, "ballast.db")), reading, /Move that file away/],
    ["a lock that something was written into", (at) => fileAt(join(at.folder, ".lock")), ["resume"], /delete it. rm /],
    [
      "a folder in the lock's place",
      (at) => folderAt(join(at.folder, ".lock")),
      ["resume"],
      /that no folder has its name/,
    ],
    ["a folder in the owner's place", (at) => folderAt(join(at.folder, "owner")), ["resume"], /./],
    [
      "a folder in the configuration's place",
      (at) => folderAt(join(at.folder, "config.json")),
      ["resume", "compare"],
      /Move that folder away/,
    ],
  ];
  it.each(cases)("%s", async (_what, change, names, remedy) => {
    const place = workspaceWithRun();
    place.store.close();
    change(place);
    for (const name of names) {
      const { code, text } = await ended(name, ...argumentsOf(place.folder)[name === "resume" ? "history" : name]!);
      expect(code, text).toBe(1);
      expect(whyWrong(text, code), text).toBeNull();
      expect(text).toMatch(remedy);
    }
  });

  it("a name that is too long, a file where a folder should be, a folder where a file should be", async () => {
    const { folder: run, store } = workspaceWithRun();
    store.close();
    fileAt("file");
    expect((await ended("export", run, "--out", long)).text).toMatch(/ENAMETOOLONG.*\n.*give a shorter one/);
    expect((await ended("export", run, "--out", "file/x")).text).toMatch(/ENOTDIR.*\n.*Move that file away/);
    expect((await ended("export", run, "--out", run)).text).toMatch(/EISDIR.*\n.*folder/);
    expect((await ended("runs", "--workspace", "file")).text).toMatch(/It is a file, and must be a folder/);
    expect((await ended("run", run)).text).toMatch(/EISDIR.*\n.*name another file/);
  });

  it("an address in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { code, text } = await ended("serve", "--port", String(port), "--workspace", join(folder, "served"));
    server.close();
    expect([code, text]).toEqual([1, expect.stringMatching(/port \d+ is in use\n.*--port/)]);
    const other = await ended("serve", "--port", "0", "--host", "192.0.2.1", "--workspace", join(folder, "served"));
    expect(other.text).toMatch(/EADDRNOTAVAIL.*\n.*--host/);
  });
});

function fileAt(path: string): void {
  for (const old of [path, `${path}-wal`, `${path}-shm`]) rmSync(old, { recursive: true, force: true });
  writeFileSync(path, "not what should be here\n".repeat(50));
}

function folderAt(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
}
