/** Runs a user's reward function in a thread of its own, with a time limit, retries, and order kept. */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { RewardError } from "../util/errors.ts";
import { quote } from "../util/quote.ts";
import { startWorker } from "../util/worker.ts";
import type { FunctionCall, FunctionInput, FunctionReply } from "./function-protocol.ts";

export interface FunctionOptions {
  readonly path: string;
  /** Milliseconds for one call. */
  readonly timeoutMs: number;
  /** Further attempts after one that threw or was late. */
  readonly retries: number;
}

/** Calls on their way at a time: a function that asks a service waits for many answers at once. */
const concurrency = 16;
/** Milliseconds for loading the file; a first compilation is slow. */
const loadTimeoutMs = 30_000;
/** Milliseconds before the first retry; each further one waits twice as long, up to the longest. */
const firstBackoffMs = 100;
const longestBackoffMs = 5_000;

/** A corrected file is another than the run began with, which `resume` takes only when it is told to. */
const goOn = "then go on with: ballast resume RUN --allow-changed-reward";

type Outcome =
  | { readonly kind: "value"; readonly value: number }
  /** It answered, wrongly: asking again would not help. */
  | { readonly kind: "wrong"; readonly what: string }
  | { readonly kind: "failed"; readonly reason: string; readonly late: boolean }
  /** The thread ended because of another call. */
  | { readonly kind: "lost" };

interface Thread {
  readonly worker: Worker;
  readonly ready: Promise<void>;
  readonly calls: Map<number, { readonly settle: (outcome: Outcome) => void; timer?: NodeJS.Timeout }>;
}

/** Owns the thread; a thread that hangs or dies is replaced. */
export class FunctionRunner {
  readonly #options: FunctionOptions;
  #thread: Thread | null = null;
  #nextId = 0;
  #closed = false;

  constructor(options: FunctionOptions) {
    this.#options = options;
  }

  /** Loads the file. Errors: RewardError where it does not load or exports no function. */
  async ready(): Promise<void> {
    await this.#running().ready;
  }

  /**
   * One number an input, in their order. Errors: RewardError, naming file and prompt, where the function throws or is late
   * at every attempt, or returns what is no finite number.
   */
  async score(inputs: readonly FunctionInput[]): Promise<number[]> {
    const values = new Array<number>(inputs.length);
    let next = 0;
    const lane = async () => {
      while (next < inputs.length) {
        const i = next++;
        try {
          values[i] = await this.#scoreOne(inputs[i]!);
        } catch (error) {
          next = inputs.length;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrency, inputs.length) }, lane));
    return values;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#end({ kind: "lost" });
  }

  async #scoreOne(input: FunctionInput): Promise<number> {
    const { path, retries, timeoutMs } = this.#options;
    for (let attempt = 1; ; ) {
      const outcome = await this.#call(input);
      if (outcome.kind === "lost") continue;
      if (outcome.kind === "value" && Number.isFinite(outcome.value)) return outcome.value;
      if (outcome.kind !== "failed") {
        const what = outcome.kind === "value" ? String(outcome.value) : outcome.what;
        throw new RewardError(
          `the reward function ${path} returned ${what} for the prompt ${quote(input.prompt)}`,
          `It must return a finite number for every response: 0, say, for one that it cannot judge. Correct it, ${goOn}`,
        );
      }
      if (attempt > retries) {
        const attempts = attempt === 1 ? "" : ` (${attempt} attempts)`;
        throw new RewardError(
          `the reward function ${path} failed on the prompt ${quote(input.prompt)}: ${outcome.reason}${attempts}`,
          outcome.late
            ? `Raise timeoutMs (${timeoutMs}) of its component, or make it faster, ${goOn}`
            : `If it depends on a service that fails at times, raise retries of its component; else correct it, ${goOn}`,
        );
      }
      await sleep(Math.min(longestBackoffMs, firstBackoffMs * 2 ** (attempt - 1)));
      attempt++;
    }
  }

  async #call(input: FunctionInput): Promise<Outcome> {
    const thread = this.#running();
    await thread.ready;
    if (thread !== this.#thread) return { kind: "lost" };
    return new Promise((settle) => {
      const id = this.#nextId++;
      thread.calls.set(id, { settle });
      thread.worker.ref();
      thread.worker.postMessage({ id, input } satisfies FunctionCall);
    });
  }

  #running(): Thread {
    if (this.#closed) throw new RewardError(`the reward function ${this.#options.path} was called after it was closed`);
    this.#thread ??= this.#start();
    return this.#thread;
  }

  #start(): Thread {
    const { path } = this.#options;
    const worker = startWorker("./function-worker", import.meta.url, { workerData: { path: resolve(path) } });
    const calls: Thread["calls"] = new Map();
    let loaded = false;
    const ready = new Promise<void>((loadedNow, fail) => {
      const unusable = (reason: string) => {
        if (loaded) return;
        loaded = true;
        clearTimeout(timer);
        if (this.#thread?.worker === worker) this.#thread = null;
        void worker.terminate();
        fail(
          new RewardError(
            `the reward function ${path} cannot be used: ${reason}`,
            "It is a file with `export default ({ prompt, response, reference }) => number`.",
          ),
        );
      };
      const timer = setTimeout(() => unusable(`it did not load within ${loadTimeoutMs} ms`), loadTimeoutMs);
      let reason = "";
      worker.on("message", (message: FunctionReply) => {
        if (message.kind === "printed") process.stderr.write(message.text);
        else if (message.kind === "unusable") unusable(message.reason);
        else if (message.kind === "ready") {
          loaded = true;
          clearTimeout(timer);
          worker.unref();
          loadedNow();
        } else this.#answer(message, calls);
      });
      worker.on("error", (error) => {
        reason = `${error.name}: ${error.message}`;
      });
      worker.on("exit", (code) => {
        unusable(reason || `its thread ended with code ${code}`);
        if (this.#thread?.worker === worker) {
          void this.#end({ kind: "failed", reason: reason || `its thread ended with code ${code}`, late: false });
        }
      });
    });
    return { worker, ready, calls };
  }

  #answer(reply: Exclude<FunctionReply, { kind: "printed" | "ready" | "unusable" }>, calls: Thread["calls"]): void {
    const call = calls.get(reply.id);
    if (!call) return;
    if (reply.kind === "started") {
      call.timer = setTimeout(() => this.#expire(reply.id), this.#options.timeoutMs);
      return;
    }
    clearTimeout(call.timer);
    calls.delete(reply.id);
    if (calls.size === 0) this.#thread?.worker.unref();
    if (reply.kind === "number") call.settle({ kind: "value", value: reply.value });
    else if (reply.kind === "other") call.settle({ kind: "wrong", what: reply.what });
    else call.settle({ kind: "failed", reason: reply.reason, late: false });
  }

  /** A thread that hangs can only be ended; the other calls on their way are asked again of the next one. */
  #expire(id: number): void {
    const late = this.#thread?.calls.get(id);
    this.#thread?.calls.delete(id);
    void this.#end({ kind: "lost" });
    late?.settle({ kind: "failed", reason: `no answer within ${this.#options.timeoutMs} ms`, late: true });
  }

  async #end(outcome: Outcome): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    this.#thread = null;
    for (const { settle, timer } of thread.calls.values()) {
      clearTimeout(timer);
      settle(outcome);
    }
    thread.calls.clear();
    await thread.worker.terminate();
  }
}
