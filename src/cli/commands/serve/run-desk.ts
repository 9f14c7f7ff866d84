/** Begins runs for the page: checks a configuration in a thread, writes its file, and starts its process, which outlives the server. */
import { spawn } from "node:child_process";
import {
  closeSync,
  type Dirent,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import type { Worker } from "node:worker_threads";
import { templateNames, templateSays } from "../../../config/extends-chain.ts";
import { Refusal } from "../../../server/index.ts";
import type { Store } from "../../../store/index.ts";
import type { NewRunCheck, NewRunRequest, RunDesk, StartedRun } from "../../../types/new-run-page.ts";
import { writeDurably } from "../../../util/durable.ts";
import { shellWord } from "../../../util/platform.ts";
import { startWorker } from "../../../util/start-worker.ts";
import { selfName } from "../../find-run.ts";
import { shortPath } from "../../short-path.ts";
import { modelFolders } from "./model-folders.ts";
import { newRunValues, newRunYaml } from "./new-run-config.ts";

/** Milliseconds for a check, the first of which also loads the program. */
const longestCheck = 60_000;
/** Milliseconds without a check after which the thread ends. */
const idle = 120_000;
/** Bytes of what a process said that the page shows. */
const shownBytes = 4_000;

interface Start extends Omit<StartedRun, "state" | "run" | "said"> {
  run: string | null;
  readonly pid: number;
  readonly log: string;
  /** Null while the process lives; -1 if it was ended by a signal. */
  code: number | null;
}

export interface RunDeskOptions {
  readonly workspace: string;
  readonly store: Store;
  /** The program that trains. */
  readonly program?: readonly string[];
}

export function createRunDesk({
  workspace,
  store,
  program = [process.execPath, process.argv[1]!],
}: RunDeskOptions): RunDesk & { close(): Promise<void> } {
  const folder = join(workspace, "configs");
  const starts: Start[] = [];
  const checks = checkThread({ workspace, folder });

  const shown = (start: Start): StartedRun => {
    const { pid, log, code, ...rest } = start;
    // A resumed run has a different process.
    start.run ??= store.runs().find((run) => run.pid === pid && run.createdAt >= start.at - 1_000)?.id ?? null;
    const state = code === null ? (start.run === null ? "starting" : "running") : code === 0 ? "ended" : "failed";
    return { ...rest, state, run: start.run, said: endOf(log) };
  };

  return {
    offers: () => {
      // Loading the program takes longer than a check.
      checks.warmUp();
      return {
        templates: templateNames().map((name) => ({ name, says: templateSays(name) })),
        files: configFiles("."),
        models: modelFolders(workspace).map(({ path }) => path),
        starts: [...starts].reverse().map(shown),
      };
    },
    check: checks.check,
    start: (request, by) => {
      const values = newRunValues(request);
      mkdirSync(folder, { recursive: true });
      const file = freeName(folder, request.name.trim() || basename(request.extends).replace(/\.(ya?ml|json)$/, ""));
      writeDurably(file, newRunYaml(values, folder));
      const log = file.replace(/\.yaml$/, ".log");
      const args = ["run", file, `workspace=${workspace}`, ...(by === undefined ? [] : [`--as=${by.operator}`])];
      const output = openSync(log, "w");
      const [command, ...before] = program as [string, ...string[]];
      // Its own process group: it receives no Ctrl-C that is meant for the server, and outlives it.
      const child = spawn(command, [...before, ...args], {
        stdio: ["ignore", output, output],
        detached: true,
        windowsHide: true,
        env: { ...process.env, NO_COLOR: "1" },
      });
      closeSync(output);
      const start: Start = {
        id: starts.length + 1,
        file: shortPath(file),
        command: [selfName(), "run", shellWord(shortPath(file)), `workspace=${shellWord(shortPath(workspace))}`].join(
          " ",
        ),
        at: Date.now(),
        pid: child.pid ?? -1,
        log,
        run: null,
        code: null,
      };
      child.on("error", () => {
        start.code = -1;
      });
      child.on("exit", (code) => {
        start.code = code ?? -1;
      });
      child.unref();
      starts.push(start);
      return shown(start);
    },
    close: checks.close,
  };
}

/** Checks requests in a thread, in their order; the thread ends when nobody has asked for a while, and at the time limit. */
function checkThread(workerData: { readonly workspace: string; readonly folder: string }) {
  let worker: Worker | null = null;
  let newest = 0;
  let resting: NodeJS.Timeout | undefined;
  const waiting = new Map<number, (answer: NewRunCheck | Refusal) => void>();
  const end = (refusal: Refusal) => {
    const ended = worker?.terminate();
    worker = null;
    for (const settle of waiting.values()) settle(refusal);
    waiting.clear();
    return ended;
  };
  const open = () => {
    const opened = startWorker("./check-worker", import.meta.url, { workerData });
    opened.unref();
    opened.on("message", ({ id, answer }: { readonly id: number; readonly answer: NewRunCheck }) => {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    });
    opened.on("error", (error) => {
      if (worker === opened) void end(new Refusal(500, `the check failed: ${error.message}`));
    });
    return opened;
  };
  const rest = () => {
    clearTimeout(resting);
    resting = setTimeout(() => void end(new Refusal(503, "ended")), idle).unref();
  };
  return {
    warmUp: () => {
      worker ??= open();
      rest();
    },
    check: (request: NewRunRequest) =>
      new Promise<NewRunCheck>((resolve, reject) => {
        const id = ++newest;
        worker ??= open();
        clearTimeout(resting);
        const tooLong = setTimeout(
          () =>
            void end(
              new Refusal(409, "the check takes longer than a minute", "Start it: the run checks everything again."),
            ),
          longestCheck,
        );
        waiting.set(id, (answer) => {
          clearTimeout(tooLong);
          rest();
          if (answer instanceof Refusal) reject(answer);
          else resolve(answer);
        });
        worker.postMessage({ id, request });
      }),
    close: async () => {
      clearTimeout(resting);
      await end(new Refusal(503, "the server has ended"));
    },
  };
}

/** `<folder>/<name>.yaml`, or the first of `<name>-2.yaml` and so on that does not exist. */
function freeName(folder: string, name: string): string {
  const safe =
    name
      .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[.-]+/, "")
      .slice(0, 60) || "run";
  for (let n = 1; ; n++) {
    const path = join(folder, `${safe}${n === 1 ? "" : `-${n}`}.yaml`);
    if (!existsSync(path)) return path;
  }
}

/** The end of a log, of which a long run may have written much; empty if the file is gone. */
function endOf(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, shownBytes));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return `${size > bytes.length ? "…" : ""}${bytes.toString("utf8")}`;
  } finally {
    closeSync(file);
  }
}

const mostFiles = 200;
const largestFile = 64 << 10;
const deepest = 4;

/** Configurations below a folder: YAML files with a section or key of one at the beginning of a line. */
function configFiles(root: string): string[] {
  const found: string[] = [];
  const look = (folder: string, depth: number) => {
    for (const entry of entriesOf(folder).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (found.length >= mostFiles) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth < deepest && !/^(\.|node_modules$|dist$|templates$)/.test(entry.name)) {
        if (!existsSync(join(path, "ballast.db"))) look(path, depth + 1);
      } else if (entry.isFile() && /\.ya?ml$/.test(entry.name) && isConfig(path)) found.push(relative(root, path));
    }
  };
  look(root, 0);
  return found;
}

/** What a folder holds; nothing if it may not be read. */
function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function isConfig(path: string): boolean {
  try {
    if (statSync(path).size > largestFile) return false;
    return /^(extends|objective|sft|reward|ppo|demo):/m.test(readFileSync(path, "utf8"));
  } catch {
    // A file that may not be read, or is gone.
    return false;
  }
}
