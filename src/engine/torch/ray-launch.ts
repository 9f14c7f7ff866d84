/** Processes of the PyTorch engine that Ray starts on its cluster, beside the first, which is started here: where they meet, how they end. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { UsageError } from "../../util/errors.ts";
import type { Rendezvous } from "./rendezvous.ts";
import { unlessInterrupted } from "./unless-interrupted.ts";
import { endOf, lost, notStarted, type RankEnd } from "./worker-end.ts";

/** The processes that Ray started. */
export interface RayRanks {
  readonly rendezvous: Rendezvous;
  /** How each ended, or what became of the launcher, as soon as it is known. */
  readonly onEnd: (listener: (end: RankEnd) => void) => void;
  /** Ends them all. */
  readonly close: () => Promise<void>;
}

interface RayLaunch {
  readonly python: string;
  readonly packageFolder: string;
  readonly remedy: string;
  /** In all. */
  readonly processes: number;
  /** Of each process. */
  readonly threads: number;
  readonly device: string;
  readonly nodes?: number | undefined;
  /** Asked until the places are there, which may take minutes: whether to leave. */
  readonly interrupted: () => boolean;
}

interface Place {
  readonly address: string;
  readonly port: number;
  /** What the first process is told besides: which of the node's devices are its own. */
  readonly environment: Readonly<Record<string, string>>;
}

const keptErrors = 8192;

/** Throws UsageError if Ray is missing, has no cluster here, or not enough of what is asked for; Interrupted if `interrupted` asks for it. */
export async function launchByRay(launch: RayLaunch): Promise<RayRanks> {
  checkLaunch(launch);
  const { python, packageFolder, remedy, processes, threads, device, interrupted } = launch;
  const threadCount = String(threads);
  const gpus = device.startsWith("cuda") ? "1" : "0";
  const child = spawn(python, ["-m", "ballast_torch.ray_launch", String(processes), threadCount, gpus], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      ...{ PYTHONPATH: packageFolder, PYTHONDONTWRITEBYTECODE: "1" },
      ...{ OMP_NUM_THREADS: threadCount, MKL_NUM_THREADS: threadCount },
    },
  });
  child.stdin.on("error", () => {});
  const ends: RankEnd[] = [];
  const listeners: ((end: RankEnd) => void)[] = [];
  const ended = new Promise<RankEnd>((resolve) => {
    let errors = "";
    child.stderr.on("data", (data) => {
      errors = (errors + data).slice(-keptErrors);
    });
    child.on("close", (code, signal) => resolve({ rank: 0, code, signal, errors }));
  });
  const told = (end: RankEnd) => {
    ends.push(end);
    for (const listener of listeners) listener(end);
  };
  const placed = new Promise<Place>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = messageIn(line);
      if (message === null) return;
      if ("address" in message) resolve(message);
      else told(message);
    });
    child.on("error", (error: NodeJS.ErrnoException) => reject(notStarted(error, { python, remedy })));
    ended.then((end) => reject(endOf([end], { of: 1, remedy, answered: false })));
  });
  const place = await unlessInterrupted(placed, interrupted).catch(async (error) => {
    if (child.pid !== undefined) await endedSoon(child, ended);
    throw error;
  });
  let closing = false;
  ended.then(({ code, signal }) => {
    if (closing || code === 0) return;
    const said = `the program that had Ray start the others ended with ${signal ?? `code ${code}`}`;
    told({ rank: 0, code: lost, signal: null, errors: `ballast: ${said}\n` });
  });
  const { environment, ...meeting } = place;
  return {
    rendezvous: { ...meeting, processes: 1, nodes: processes, node: 0, environment },
    onEnd(listener) {
      for (const end of ends) listener(end);
      listeners.push(listener);
    },
    close() {
      closing = true;
      return endedSoon(child, ended);
    },
  };
}

/** What a line of the launcher's standard output says; null if it is not the launcher's, but of a library. */
function messageIn(line: string): Place | RankEnd | null {
  try {
    const message: unknown = JSON.parse(line);
    if (typeof message !== "object" || message === null) return null;
    return "address" in message || "rank" in message ? (message as Place | RankEnd) : null;
  } catch {
    return null;
  }
}

async function endedSoon(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.stdin?.end();
  const late = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(late);
}

function checkLaunch({ processes, device, nodes = 1 }: RayLaunch): void {
  if (nodes > 1)
    throw new UsageError(
      `engine.launch is ray, and engine.nodes is ${nodes}`,
      "Remove engine.nodes and engine.rendezvous: engine.processes are those of the whole cluster, and Ray says where.",
    );
  if (processes === 1)
    throw new UsageError(
      "engine.launch is ray, and engine.processes is 1: there is nothing for Ray to start beside the first process",
      "Set engine.processes to their number on the whole cluster, or remove engine.launch.",
    );
  if (device === "auto")
    throw new UsageError(
      "engine.launch is ray, and engine.device is auto: Ray must know what to reserve",
      "Set engine.device to cuda, for a GPU for each process, or to cpu.",
    );
}
