/** The PyTorch worker as a process: started with a socket of its own, called by verb, and watched, so that its death or silence has words. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { type BallastError, CheckpointError, EngineError, messageOf, UsageError } from "../../util/errors.ts";
import { FrameReader, frameParts } from "./frames.ts";

export interface WorkerProcessOptions {
  /** The Python program. */
  readonly python: string;
  /** The folder that holds the package `ballast_torch`. */
  readonly packageFolder: string;
  readonly threads: number;
  /** What to do about a Python that cannot run the worker. */
  readonly remedy: string;
  /** Milliseconds between pings while a call is in progress, and without any answer until the worker counts as hung. */
  readonly pingEvery?: number;
  readonly patience?: number;
}

/** An answer to a ping: the call in progress, and the worker's memory. */
export interface Pong {
  readonly busy: { readonly verb: string; readonly seconds: number } | null;
  readonly residentMb: number;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: {
    readonly kind: "usage" | "checkpoint" | "oom" | "worker" | "cancelled";
    readonly message: string;
    readonly hint: string | null;
    /** Whether every model is as it was before the call. */
    readonly unchanged: boolean;
  };
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly isPing: boolean;
}

/** Exit code with which the worker says that this Python lacks something (sysexits.h: EX_CONFIG). */
const lacksSomething = 78;
const keptErrors = 8192;

export const resumeHint =
  "What is saved is safe: `ballast resume RUN` continues from the last checkpoint, with the same bits.";

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #socket: Duplex;
  readonly #options: WorkerProcessOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #gone: Error | null = null;
  #errors = "";
  #heardAt = performance.now();
  #watch: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: WorkerProcessOptions) {
    const { python, packageFolder, threads } = options;
    this.#options = options;
    const threadCount = String(threads);
    this.#child = spawn(python, ["-m", "ballast_torch"], {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        PYTHONPATH: packageFolder,
        PYTHONDONTWRITEBYTECODE: "1",
        ...{ OMP_NUM_THREADS: threadCount, MKL_NUM_THREADS: threadCount },
      },
    });
    this.#socket = this.#child.stdio[3] as Duplex;
    this.#child.stderr?.on("data", (data) => {
      this.#errors = (this.#errors + data).slice(-keptErrors);
    });
    const reader = new FrameReader();
    this.#socket.on("data", (chunk: Buffer) => {
      this.#heardAt = performance.now();
      try {
        for (const message of reader.push(chunk)) this.#answered(message as Answer);
      } catch (error) {
        this.#fail(error as Error);
        this.#child.kill("SIGKILL");
      }
    });
    // A write to a worker that has died: its end says why.
    this.#socket.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      this.#child.on("error", (error: NodeJS.ErrnoException) => {
        this.#fail(notStarted(error, options));
        resolve();
      });
      this.#child.on("close", (code, signal) => {
        this.#fail(this.#whyEnded(code, signal));
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Calls a verb. Rejects with UsageError, CheckpointError or EngineError. */
  call(verb: string, args: object = {}): Promise<never> {
    return this.#send(verb, args);
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
    this.#socket.end();
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.#ended;
    clearTimeout(late);
  }

  #send(verb: string, args: object): Promise<never> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#gone !== null) return reject(this.#gone);
      const id = this.#nextId++;
      if (this.#waiting.size === 0) this.#startWatching();
      this.#waiting.set(id, { resolve, reject, isPing: verb === "ping" });
      this.#write(id, verb, args);
    }) as Promise<never>;
  }

  #write(id: number, verb: string, args: object): void {
    for (const part of frameParts({ id, verb, args })) this.#socket.write(part);
  }

  #answered({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) clearInterval(this.#watch);
    if (error) waiting.reject(errorOf(error));
    else waiting.resolve(result);
  }

  #startWatching(): void {
    const { pingEvery = 5000, patience = 180_000 } = this.#options;
    this.#heardAt = performance.now();
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      const silent = performance.now() - this.#heardAt;
      if (silent < patience) {
        this.ping().catch(() => {});
        return;
      }
      const seconds = Math.round(silent / 1000);
      this.#fail(
        new EngineError(`the PyTorch worker (process ${this.pid}) has not answered for ${seconds} s`, resumeHint),
      );
      this.#child.kill("SIGKILL");
    }, pingEvery);
  }

  #fail(error: Error): void {
    clearInterval(this.#watch);
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }

  #whyEnded(code: number | null, signal: string | null): Error {
    if (this.#closing) return new EngineError("the engine is closed");
    const { remedy } = this.#options;
    const lacking = /^ballast: (.*)$/m.exec(this.#errors);
    if (code === lacksSomething && lacking) return new UsageError(lacking[1] as string, remedy);
    if (signal === "SIGKILL")
      return new EngineError(
        "the PyTorch worker was killed, probably because the machine ran out of memory",
        `${resumeHint} A smaller microBatch, fewer sequences or a smaller model take less memory.`,
      );
    const last = this.#errors.trim().split("\n").slice(-3).join(" | ");
    const how = signal === null ? `code ${code}` : `signal ${signal}`;
    return new EngineError(`the PyTorch worker ended with ${how}${last === "" ? "" : `: ${last}`}`, resumeHint);
  }
}

function notStarted(error: NodeJS.ErrnoException, { python, remedy }: WorkerProcessOptions): Error {
  if (error.code === "ENOENT") return new UsageError(`there is no Python at ${python}`, remedy);
  return new UsageError(`Python at ${python} cannot be started: ${messageOf(error)}`, remedy);
}

function errorOf({ kind, message, hint }: NonNullable<Answer["error"]>): BallastError {
  if (kind === "checkpoint") return new CheckpointError(message, hint ?? undefined);
  return new EngineError(message, hint ?? undefined);
}
