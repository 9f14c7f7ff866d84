/** Notifications about a run while it trains: what the stability controller does, and a report at regular intervals. */
import type { Config } from "../config/index.ts";
import { type Hook, Notifier, parseDuration, reportNotice, reportOf, watchEvents } from "../notify/index.ts";
import type { Store } from "../store/index.ts";
import type { EventRecord } from "../types/records.ts";
import type { Recorder } from "../types/run-recorder.ts";

export interface TellingOptions {
  readonly config: Config;
  readonly hooks: readonly Hook[];
  readonly runId: string;
  readonly store: Store;
  readonly onWarning: (message: string) => void;
  readonly now?: () => number;
  /** Milliseconds between checks whether a report is due. */
  readonly lookEvery?: number;
}

export interface Telling {
  /** Takes each event as it is recorded. */
  event(event: EventRecord): void;
  /** Records reports in this recorder from now on. */
  recordWith(recorder: Recorder): void;
  /** Waits a bounded time for pending messages. */
  close(): Promise<void>;
}

/** Opens the notifications. Nothing here waits: training continues while messages are sent. */
export function openTelling(options: TellingOptions): Telling {
  const { config, hooks, runId, store, onWarning, now = Date.now, lookEvery = 60_000 } = options;
  const notifier = new Notifier({ hooks, onWarning });
  const watch = watchEvents({
    run: { id: runId, objective: config.objective },
    notify: (notice) => notifier.notify(notice),
    incident: (id) => store.incident(id) ?? null,
  });
  const every = parseDuration(config.control.report.every ?? "");
  let recorder: Recorder | null = null;
  let last = lastReport(store, runId);
  const look = () => {
    if (every === null || recorder === null || hooks.length === 0 || now() < last + every) return;
    const until = now();
    notifier.notify(reportNotice(reportOf(store, { since: last, until, run: runId })));
    const { stage, iteration } = store.run(runId)?.position ?? { stage: "sft", iteration: 0 };
    recorder.event({
      kind: "note",
      stage,
      iteration,
      message: "sent a report",
      data: { report: { since: last, until } },
    });
    last = until;
  };
  const timer = every === null ? null : setInterval(look, lookEvery);
  timer?.unref();
  return {
    event: watch,
    recordWith(next) {
      recorder = next;
      look();
    },
    async close() {
      if (timer) clearInterval(timer);
      recorder = null;
      // An alert is held until its consequences are known.
      await new Promise((resolve) => setImmediate(resolve));
      await notifier.close();
    },
  };
}

/** When the last report was sent, by any attempt, or else when the run began. */
function lastReport(store: Store, runId: string): number {
  const notes = store.events(runId, { kind: "note", limit: Number.MAX_SAFE_INTEGER }).rows;
  const sent = notes.flatMap(({ data }) => (data as { report?: { until: number } } | undefined)?.report?.until ?? []);
  return sent.at(-1) ?? store.run(runId)?.createdAt ?? Date.now();
}
