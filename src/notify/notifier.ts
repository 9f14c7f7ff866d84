/** Sends notices in the background, in order, with one queue per webhook: training never waits for any of them. */
import type { Hook } from "./hooks.ts";
import { type Notice, payload, tierOf } from "./payload.ts";
import { post } from "./post.ts";

export interface NotifierOptions {
  readonly hooks: readonly Hook[];
  /** Called when something could not be sent: once per webhook, and again if it has worked in between. */
  readonly onWarning: (message: string) => void;
  readonly backoffMs?: number;
}

/** Most queued notices: a webhook that is down for long must not fill the memory. */
const longestQueue = 200;

interface Queue {
  readonly hook: Hook;
  readonly waiting: string[];
  sending: Promise<void> | null;
  failing: boolean;
  dropped: number;
}

/** The notifier of a session. It lives as long as the session; ended by `close`. */
export class Notifier {
  readonly #queues: readonly Queue[];
  readonly #onWarning: (message: string) => void;
  readonly #backoffMs: number | undefined;
  readonly #ending = new AbortController();

  constructor({ hooks, onWarning, backoffMs }: NotifierOptions) {
    this.#queues = hooks.map((hook) => ({ hook, waiting: [], sending: null, failing: false, dropped: 0 }));
    this.#onWarning = onWarning;
    this.#backoffMs = backoffMs;
  }

  /** Queues a notice and returns at once. Each webhook gets the notices of its tiers, and every report. */
  notify(notice: Notice): void {
    for (const queue of this.#queues) {
      const tier = tierOf(notice);
      if (tier !== null && !queue.hook.tiers.includes(tier)) continue;
      if (queue.waiting.length >= longestQueue) queue.dropped++;
      else queue.waiting.push(payload(notice, queue.hook));
      queue.sending ??= this.#send(queue);
    }
  }

  /** Waits at most the given milliseconds for pending notices, then reports that the rest is unsent. */
  async close(longestWaitMs = 5_000): Promise<void> {
    const timer = setTimeout(() => this.#ending.abort(), longestWaitMs);
    await Promise.all(this.#queues.map(({ sending }) => sending));
    clearTimeout(timer);
  }

  async #send(queue: Queue): Promise<void> {
    const { hook, waiting } = queue;
    await null;
    for (let body = waiting.shift(); body !== undefined; body = waiting.shift()) {
      const { signal } = this.#ending;
      const posted = signal.aborted
        ? ({ ok: false, reason: `webhook ${hook.name}: the program ended first` } as const)
        : await post(hook, { body, signal, ...(this.#backoffMs !== undefined && { backoffMs: this.#backoffMs }) });
      if (!posted.ok && !queue.failing)
        this.#onWarning(`${posted.reason}. Training continues; the record has what was not sent.`);
      queue.failing = !posted.ok;
      if (posted.ok && queue.dropped > 0) {
        this.#onWarning(`webhook ${hook.name}: works again; ${queue.dropped} notices were left out meanwhile`);
        queue.dropped = 0;
      }
    }
    queue.sending = null;
  }
}
