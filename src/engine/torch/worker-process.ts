/** The PyTorch worker: one process or several, of which the first is spoken to over a socket, called by verb, and watched, so that death or silence has words. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { EngineError, UsageError } from "../../util/errors.ts";
import { FrameReader, frameParts } from "./frames.ts";
import type { RayRanks } from "./ray-launch.ts";
import { environmentOf, type Rendezvous } from "./rendezvous.ts";
import { type CallFailure, callError, endOf, notStarted, type RankEnd, resumeHint } from "./worker-end.ts";

export interface WorkerProcessOptions {
  /** The Python program. */
  readonly python: string;
  /** The folder that holds the package `ballast_torch`. */
  readonly packageFolder: string;
  /** Of each process. */
  readonly threads: number;
  /** Processes on this machine; and if there are several in all, where they meet. */
  readonly processes?: number;
  readonly rendezvous?: Rendezvous | undefined;
  /** The processes that Ray started beside that of this machine. */
  readonly ray?: RayRanks | undefined;
  /** What to do about a Python that cannot run the worker. */
  readonly remedy: string;
  /** Milliseconds between pings while a call is in progress, and without any answer until the worker counts as hung. */
  readonly pingEvery?: number;
  readonly patience?: number | undefined;
  /** Milliseconds of one pass, step of generation, load or save until the worker counts as hung, although it answers pings; and of waiting for other machines. */
  readonly deadline?: number | undefined;
  /** Receives the ranks for which the first process waits, whenever they change. */
  readonly onMissing?: ((ranks: readonly number[]) => void) | undefined;
}

/** An answer to a ping: the call in progress, and the worker's memory. */
export interface Pong {
  readonly busy: {
    readonly verb: string;
    readonly seconds: number;
    /** Seconds since it was last known to move: since its start, or its last step of generation. */
    readonly still: number;
  } | null;
  readonly residentMb: number;
  /** What PyTorch holds on a CUDA device, if it computes there. */
  readonly deviceMb?: number;
  /** The process that has given no sign of life for longest. */
  readonly silent: { readonly rank: number; readonly seconds: number };
  /** Ranks that are not there yet. */
  readonly missing: readonly number[];
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  /** How far the call is: not yet its answer. */
  readonly progress?: { readonly done: number; readonly of: number };
  readonly error?: CallFailure;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly isPing: boolean;
  readonly onProgress: OnProgress;
}

type OnProgress = ((done: number, of: number) => void) | undefined;

const keptErrors = 8192;
/** Milliseconds in which the end of one process takes the others along: which one was the cause is told after them. */
const settling = 500;
/** Milliseconds without an answer after which a worker counts as hung, unless a caller asks for fewer. */
const longest = 180_000;
/**
 * Milliseconds that one pass, step of generation, load or save may take. A pass of 2,048 tokens through 3 billion parameters is some 40 TFLOP, seven minutes
 * on one core; reading 12 GB from a slow disk, two. `engine.deadline` sets it.
 */
const oneHour = 3_600_000;

export class WorkerProcess {
  readonly #children: readonly ChildProcess[];
  readonly #socket: Duplex;
  readonly #options: WorkerProcessOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<unknown>;
  readonly #ends: RankEnd[] = [];
  #nextId = 1;
  #answers = 0;
  #gone: Error | null = null;
  #heardAt = performance.now();
  /** Since when this process has been awake: nobody counts as silent for longer. */
  #awakeSince = performance.now();
  #watch: NodeJS.Timeout | undefined;
  #closing = false;
  /** The ranks for which the first process waits, and since when any are missing. */
  #missing: readonly number[] = [];
  #waitsSince: number | null = null;

  constructor(options: WorkerProcessOptions) {
    const { processes = 1 } = options;
    this.#options = options;
    this.#children = Array.from({ length: processes }, (_, rank) => startRank(rank, options));
    this.#socket = this.#children[0]!.stdio[3] as Duplex;
    const reader = new FrameReader();
    this.#socket.on("data", (chunk: Buffer) => {
      this.#heardAt = performance.now();
      try {
        for (const message of reader.push(chunk)) this.#answered(message as Answer);
      } catch (error) {
        this.#fail(error as Error);
        this.#kill();
      }
    });
    this.#ended = Promise.all(this.#children.map((child, rank) => this.#endOf(child, rank)));
    options.ray?.onEnd((end) => this.#rankEnded(end));
  }

  get pid(): number | undefined {
    return this.#children[0]?.pid;
  }

  /** Of each process on this machine. */
  get pids(): readonly (number | undefined)[] {
    return this.#children.map(({ pid }) => pid);
  }

  /**
   * Calls a verb. Rejects with UsageError, CheckpointError or EngineError. What `onProgress` throws takes the call back, which rejects with it.
   */
  call(verb: string, args: object = {}, onProgress?: (done: number, of: number) => void): Promise<never> {
    return this.#send(verb, args, onProgress);
  }

  /** Asks whether the worker lives; it answers in the middle of a call, too. */
  ping(): Promise<Pong> {
    return this.#send("ping", {});
  }

  /** Takes back all calls in progress: each ends as soon as its pass or step of generation does. */
  cancel(): void {
    for (const [call, { isPing }] of this.#waiting) if (!isPing) this.#write(this.#nextId++, "cancel", { call });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.cancel();
    for (const child of this.#children) (child.stdio[3] as Duplex).end();
    const late = setTimeout(() => this.#kill(), 5000);
    await this.#ended;
    clearTimeout(late);
    await this.#options.ray?.close();
  }

  #send(verb: string, args: object, onProgress?: OnProgress): Promise<never> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#gone !== null) return reject(this.#gone);
      const id = this.#nextId++;
      if (this.#waiting.size === 0) this.#startWatching();
      this.#waiting.set(id, { resolve, reject, isPing: verb === "ping", onProgress });
      this.#write(id, verb, args);
    }) as Promise<never>;
  }

  #write(id: number, verb: string, args: object): void {
    for (const part of frameParts({ id, verb, args })) this.#socket.write(part);
  }

  #answered({ id, result, progress, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    if (progress) {
      this.#tell(id, waiting, progress);
      return;
    }
    this.#done(id);
    if (!waiting.isPing) this.#answers++;
    if (error) waiting.reject(callError(error));
    else waiting.resolve(result);
  }

  #tell(id: number, { onProgress, reject }: Waiting, { done, of }: NonNullable<Answer["progress"]>): void {
    try {
      onProgress?.(done, of);
    } catch (error) {
      this.#write(this.#nextId++, "cancel", { call: id });
      this.#done(id);
      reject(error as Error);
    }
  }

  #done(id: number): void {
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) clearInterval(this.#watch);
  }

  #startWatching(): void {
    const { patience: asked = longest, deadline = oneHour } = this.#options;
    const { pingEvery = Math.min(5000, asked / 4, deadline / 4) } = this.#options;
    let tickedAt = performance.now();
    this.#heardAt = this.#awakeSince = tickedAt;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      // After Ctrl-Z, docker pause or a laptop's sleep nothing was heard because nobody listened, and the worker slept, too: the count starts again.
      const now = performance.now();
      if (now - tickedAt > Math.min(asked, deadline) / 2) this.#awakeSince = now;
      tickedAt = now;
      // Importing PyTorch takes its time, during which nothing answers.
      const patience = this.#answers === 0 ? Math.max(asked, longest) : asked;
      const silent = now - Math.max(this.#heardAt, this.#awakeSince);
      if (silent >= patience) return this.#hangs({ rank: 0, seconds: silent / 1000 });
      this.ping()
        .then(({ missing, silent, busy }) => {
          this.#waits(missing, deadline);
          const awake = performance.now() - this.#awakeSince;
          if (Math.min(1000 * silent.seconds, awake) >= patience) this.#hangs(silent);
          else if (busy && Math.min(1000 * busy.still, awake) >= deadline) this.#overdue(busy);
        })
        .catch(() => {});
    }, pingEvery);
  }

  #waits(missing: readonly number[], deadline: number): void {
    if (missing.join() !== this.#missing.join()) {
      this.#missing = missing;
      if (missing.length > 0) this.#options.onMissing?.(missing);
    }
    if (missing.length === 0) this.#waitsSince = null;
    else this.#waitsSince ??= performance.now();
    const { rendezvous, ray } = this.#options;
    if (this.#waitsSince === null || rendezvous === undefined) return;
    if (performance.now() - Math.max(this.#waitsSince, this.#awakeSince) < deadline) return;
    const { address, port, processes, nodes } = rendezvous;
    const seconds = Math.round(deadline / 1000);
    this.#fail(
      new UsageError(
        `${missing.length} of the ${processes * nodes} processes did not come to ${address}:${port} within ${seconds} s`,
        ray
          ? "Ray's logs say why it did not start them. A longer engine.deadline waits longer."
          : "Start `ballast engine join` on each other machine; it says what is in the way there. A longer engine.deadline waits longer.",
      ),
    );
    this.#kill();
  }

  #hangs({ rank, seconds }: Pong["silent"]): void {
    const pid = this.pids[rank];
    const which =
      pid === undefined
        ? `process ${rank} of the PyTorch worker, which was not started here,`
        : `the PyTorch worker (process ${pid})`;
    const hint = this.#answers > 0 ? resumeHint : undefined;
    this.#fail(new EngineError(`${which} has not answered for ${Math.round(seconds)} s`, hint));
    this.#kill();
  }

  #overdue({ verb, still }: NonNullable<Pong["busy"]>): void {
    this.#fail(
      new EngineError(
        `the PyTorch worker (process ${this.pid}) answers, but its ${verb} has not moved for ${Math.round(still)} s: it counts as hung`,
        `${resumeHint} If a pass takes this long here, a smaller microBatch makes it shorter, and a longer engine.deadline lets it end: ballast resume RUN engine.deadline=7200`,
      ),
    );
    this.#kill();
  }

  #kill(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  /** Resolves when the process has ended; the first end is everyone's. */
  #endOf(child: ChildProcess, rank: number): Promise<void> {
    let errors = "";
    child.stderr?.on("data", (data) => {
      errors = (errors + data).slice(-keptErrors);
    });
    // A write to a worker that has died: its end says why.
    child.stdio[3]?.on("error", () => {});
    return new Promise((resolve) => {
      child.on("error", (error: NodeJS.ErrnoException) => {
        this.#fail(notStarted(error, this.#options));
        resolve();
      });
      child.on("close", (code, signal) => {
        this.#rankEnded({ rank, code, signal, errors });
        resolve();
      });
    });
  }

  #rankEnded(end: RankEnd): void {
    this.#ends.push(end);
    if (this.#ends.length === this.#size) this.#settle();
    else if (this.#ends.length === 1) setTimeout(() => this.#settle(), settling).unref();
  }

  /** Processes whose ends are told here. */
  get #size(): number {
    return this.#options.ray?.rendezvous.nodes ?? this.#children.length;
  }

  #settle(): void {
    const { remedy, rendezvous, ray } = this.#options;
    // Ray tells how every process ended; of other machines nobody does.
    const elsewhere = ray === undefined && (rendezvous?.nodes ?? 1) > 1;
    const answered = this.#answers > 0;
    if (this.#closing) this.#fail(new EngineError("the engine is closed"));
    else this.#fail(endOf(this.#ends, { of: this.#size, elsewhere, remedy, answered }));
    this.#kill();
  }

  #fail(error: Error): void {
    clearInterval(this.#watch);
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}

/** Starts one process of the worker; it ends when this one does. */
export function startRank(
  rank: number,
  { python, packageFolder, threads, rendezvous }: WorkerProcessOptions,
): ChildProcess {
  const threadCount = String(threads);
  return spawn(python, ["-m", "ballast_torch"], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      PYTHONPATH: packageFolder,
      PYTHONDONTWRITEBYTECODE: "1",
      ...{ OMP_NUM_THREADS: threadCount, MKL_NUM_THREADS: threadCount },
      ...{ BALLAST_THREADS: threadCount, BALLAST_SOCKET: "3" },
      ...environmentOf(rank, rendezvous),
    },
  });
}
