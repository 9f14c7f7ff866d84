/** Runs a user's reward function in its own thread, with a time limit, retries, and answers in order. */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { cut } from "../util/cut.ts";
import { RewardError } from "../util/errors.ts";
import { quote } from "../util/quote.ts";
import { printable, printableLine } from "../util/sanitize.ts";
import { startWorker } from "../util/start-worker.ts";
import type { FunctionCall, FunctionInput, FunctionReply, FunctionScore } from "./function-protocol.ts";

export interface FunctionOptions {
  readonly path: string;
  /** Time limit for one call (one response, or the whole batch), in milliseconds. */
  readonly timeoutMs: number;
  /** Further attempts after a call that threw or was late. */
  readonly retries: number;
}

/** Most concurrent calls: a function that calls a service waits for many answers at once. */
const concurrency = 16;
/** Time limit for loading the file, in milliseconds; a first compilation is slow. */
const loadTimeoutMs = 30_000;
/** Pause before the first retry, in milliseconds; each further pause is twice as long, up to the longest. */
const firstBackoffMs = 100;
const longestBackoffMs = 5_000;
/** Most characters of printed output shown for one call of `score`: about two hundred lines. */
const longestPrinted = 16_000;
/** Most characters of an error from the user's code. */
const longestReason = 1_000;

/** A corrected file differs from the one that the run began with, and `resume` accepts it only when told to. */
const goOn = "then continue with: ballast resume RUN --allow-changed-reward";

type Outcome =
  | { readonly kind: "values"; readonly values: readonly FunctionScore[] }
  /** The call returned a wrong value: a retry would not help. */
  | { readonly kind: "wrong"; readonly index: number | null; readonly what: string }
  | { readonly kind: "failed"; readonly reason: string; readonly late: boolean }
  /** The thread ended because of a different call. */
  | { readonly kind: "lost" };

interface Thread {
  readonly worker: Worker;
  /** Whether the function takes batches. */
  readonly ready: Promise<boolean>;
  readonly calls: Map<number, { readonly settle: (outcome: Outcome) => void; timer?: NodeJS.Timeout }>;
}

/**
 * Loads a function, calls it for these inputs and lets it go. Errors: RewardError if the file cannot be loaded or does not export a function, as `steps`
 * does, or as `checkSteps` does of a component that normalises.
 */
export async function checkFunction(
  { normalise = false, ...options }: FunctionOptions & { readonly normalise?: boolean },
  inputs: readonly FunctionInput[],
): Promise<void> {
  const runner = new FunctionRunner(options);
  try {
    await runner.ready();
    const answers = await runner.steps(inputs);
    if (normalise) checkSteps(options.path, answers);
  } finally {
    await runner.close();
  }
}

/** Owns the thread; a thread that hangs or dies is replaced. */
export class FunctionRunner {
  readonly #options: FunctionOptions;
  #thread: Thread | null = null;
  #nextId = 0;
  #closed = false;
  /** Characters that may still be printed. */
  #mayPrint = longestPrinted;

  constructor(options: FunctionOptions) {
    this.#options = options;
  }

  /** Loads the file. Errors: RewardError if it cannot be loaded or does not export a function. */
  async ready(): Promise<void> {
    await this.#running().ready;
  }

  /** One number per input, in order; of steps their sum. Errors: as `steps`. */
  async score(inputs: readonly FunctionInput[]): Promise<number[]> {
    return (await this.steps(inputs)).map(scoreOf);
  }

  /**
   * What the function returns for each input, in order. Errors: RewardError, naming file and prompt, if the function throws or is late at every attempt,
   * or returns something that is neither a finite number nor steps of finite rewards.
   */
  async steps(inputs: readonly FunctionInput[]): Promise<FunctionScore[]> {
    if (inputs.length === 0) return [];
    this.#mayPrint = longestPrinted;
    if (await this.#running().ready) return [...(await this.#scoreCall(inputs))];
    const values = new Array<FunctionScore>(inputs.length);
    let next = 0;
    const lane = async () => {
      while (next < inputs.length) {
        const i = next++;
        try {
          values[i] = (await this.#scoreCall([inputs[i]!]))[0]!;
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

  async #scoreCall(inputs: readonly FunctionInput[]): Promise<readonly FunctionScore[]> {
    const { path, retries, timeoutMs } = this.#options;
    const prompt = (index: number) => quote(inputs[index]!.prompt);
    const first =
      inputs.length === 1 ? `the prompt ${prompt(0)}` : `a batch of ${inputs.length}, the first prompt ${prompt(0)}`;
    for (let attempt = 1; ; ) {
      const outcome = judged(await this.#call(inputs));
      if (outcome.kind === "lost") continue;
      if (outcome.kind === "values") return outcome.values;
      if (outcome.kind === "wrong") {
        const { index, what } = outcome;
        if (index !== null)
          throw new RewardError(
            `the reward function ${path} returned ${what} for the prompt ${prompt(index)}${inputs.length === 1 ? "" : ` (${index + 1} of ${inputs.length})`}`,
            `It must return a finite number for every response, for example 0 for one that it cannot judge, or { steps: [{ end, reward }] } with whole numbers from 0 as ends. Correct it, ${goOn}`,
          );
        throw new RewardError(
          `the reward function ${path} returned ${what} for ${first}`,
          `It exports batch = true: it must return a list of ${inputs.length} numbers, one per response, in their order. Correct it, ${goOn}`,
        );
      }
      if (attempt > retries) {
        const attempts = attempt === 1 ? "" : ` (${attempt} attempts)`;
        throw new RewardError(
          `the reward function ${path} failed on ${first}: ${outcome.reason}${attempts}`,
          outcome.late
            ? `Raise timeoutMs (${timeoutMs}) of its component, or make it faster, ${goOn}`
            : `If it depends on a service that fails at times, raise retries of its component; else correct it, ${goOn}`,
        );
      }
      await sleep(Math.min(longestBackoffMs, firstBackoffMs * 2 ** (attempt - 1)));
      attempt++;
    }
  }

  async #call(inputs: readonly FunctionInput[]): Promise<Outcome> {
    const thread = this.#running();
    await thread.ready;
    if (thread !== this.#thread) return { kind: "lost" };
    return new Promise((settle) => {
      const id = this.#nextId++;
      thread.calls.set(id, { settle });
      thread.worker.ref();
      thread.worker.postMessage({ id, inputs } satisfies FunctionCall);
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
    const ready = new Promise<boolean>((loadedNow, fail) => {
      const unusable = (reason: string) => {
        if (loaded) return;
        loaded = true;
        clearTimeout(timer);
        if (this.#thread?.worker === worker) this.#thread = null;
        void worker.terminate();
        fail(
          new RewardError(
            `the reward function ${path} cannot be used: ${told(reason)}`,
            "It is a file with `export default ({ prompt, response, reference }) => number`, or with `export const batch = true` and a function of a list (docs/config.md).",
          ),
        );
      };
      const timer = setTimeout(() => unusable(`it did not load within ${loadTimeoutMs} ms`), loadTimeoutMs);
      let reason = "";
      worker.on("message", (message: FunctionReply) => {
        if (message.kind === "printed") this.#print(message.text);
        else if (message.kind === "unusable") unusable(message.reason);
        else if (message.kind === "ready") {
          loaded = true;
          clearTimeout(timer);
          worker.unref();
          loadedNow(message.batch);
        } else this.#answer(message, calls);
      });
      worker.on("error", (error) => {
        reason = `${error.name}: ${error.message}`;
      });
      worker.on("exit", (code) => {
        unusable(reason || `its thread ended with code ${code}`);
        if (this.#thread?.worker === worker) {
          void this.#end({ kind: "failed", reason: told(reason) || `its thread ended with code ${code}`, late: false });
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
    if (reply.kind === "scores") call.settle({ kind: "values", values: reply.values });
    else if (reply.kind === "other") call.settle({ kind: "wrong", index: reply.index, what: told(reply.what) });
    else call.settle({ kind: "failed", reason: told(reply.reason), late: false });
  }

  /** Shows the output of the user's code as text, up to a readable amount. */
  #print(text: string): void {
    if (this.#mayPrint <= 0) return;
    const shown = printable(text.slice(0, this.#mayPrint));
    this.#mayPrint -= text.length;
    process.stderr.write(shown);
    if (this.#mayPrint <= 0)
      process.stderr.write(`\n... the reward function ${this.#options.path} prints more, which is left out\n`);
  }

  /** A thread that hangs can only be ended; its other pending calls are repeated in the next thread. */
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

/** An error of the user's code for a message: one line, without control sequences. */
function told(reason: string): string {
  return cut(printableLine(reason.slice(0, 4 * longestReason)), longestReason);
}

/** A number that is not finite is as wrong as a text. */
function judged(outcome: Outcome): Outcome {
  if (outcome.kind !== "values") return outcome;
  const scores = outcome.values.map(scoreOf);
  const index = scores.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return outcome;
  const steps = typeof outcome.values[index] === "number" ? "" : "steps with a sum of ";
  return { kind: "wrong", index, what: `${steps}${scores[index]}` };
}

/** Of a function whose scores are normalised. Errors: RewardError if it rewards steps. */
export function checkSteps(path: string, answers: readonly FunctionScore[]): void {
  if (answers.every((answer) => typeof answer === "number")) return;
  throw new RewardError(
    `the reward function ${path} returned steps, and its component has normalise: true, which is for scores of whole responses`,
    "Set normalise: false of the component.",
  );
}

/** The score of one response: a number, or the sum over its steps. */
export function scoreOf(value: FunctionScore): number {
  return typeof value === "number" ? value : value.steps.reduce((sum, { reward }) => sum + reward, 0);
}
